#include "specs/merge.h"

#include <string.h>

#include "lib/map.h"

static struct node *merge_value(const struct merging *merging, const struct node *base, struct node *over);
static void add_rest(const struct merging *merging, struct node *merged, const struct node *over,
                     const struct map *known);

bool node_is_null(const struct node *node)
{
    return node->type == NODE_SCALAR && !node->broken && scalar_kind(node) == SCALAR_NULL;
}

struct node *node_new_mapping(struct arena *arena, const struct node *at)
{
    struct node *mapping = arena_new_of(arena, struct node);
    *mapping = (struct node){.type = NODE_MAPPING, .place = at->place, .weight = 1, .height = 1};
    return mapping;
}

void node_put(struct arena *arena, struct node *mapping, struct node *key, struct node *value)
{
    *arena_append(arena, mapping->entries, mapping->count) = (struct entry){.key = key, .value = value};
}

struct node *node_merge(const struct merging *merging, const struct node *base, const struct node *over)
{
    struct node *merged = node_new_mapping(merging->arena, over);
    merged->finished = over->finished && (!base || base->finished);
    merged->broken = over->broken || (base && base->broken);
    _cleanup_map_ struct map said = {0}, known = {0}; /* of nodes: what over says; what base has */
    for (size_t i = 0; i < over->count; i++)
        map_add(&said, over->entries[i].key->text, over->entries[i].value);
    for (size_t i = 0; base && i < base->count; i++) {
        const struct entry *entry = &base->entries[i];
        struct node *value = map_get(&said, entry->key->text);
        map_add(&known, entry->key->text, entry->value);
        if (!value)
            node_put(merging->arena, merged, entry->key, entry->value);
        else if (!node_is_null(value))
            node_put(merging->arena, merged, entry->key, merge_value(merging, entry->value, value));
    }
    add_rest(merging, merged, over, &known);
    return merged;
}

static struct node *merge_value(const struct merging *merging, const struct node *base, struct node *over)
{
    if (over->type != NODE_MAPPING || over->broken)
        return over;
    return node_merge(merging, base && base->type == NODE_MAPPING ? base : NULL, over);
}

static void add_rest(const struct merging *merging, struct node *merged, const struct node *over,
                     const struct map *known)
{
    for (size_t i = 0; i < over->count; i++) {
        const struct entry *entry = &over->entries[i];
        if (map_get(known, entry->key->text))
            continue;
        if (node_is_null(entry->value) && merging->nulls == MERGE_NULLS_REMOVE) {
            problem_add(merging->problems, entry->value->place,
                        "null removes; write {} for an object of which there is nothing to say",
                        "there is no '%s' to remove", entry->key->text);
            continue;
        }
        struct node *value =
            merging->nulls == MERGE_NULLS_REMOVE ? merge_value(merging, NULL, entry->value) : entry->value;
        node_put(merging->arena, merged, entry->key, value);
    }
}
