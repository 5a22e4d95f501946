#include "specs/defaults.h"

#include <string.h>

#include "specs/merge.h"

static void add_kind(struct defaults *defaults, struct collection *collection,
                     const struct document *document, const struct entry *entry);
static struct node *unite(struct collection *collection, const struct node *one, const struct node *other);

void defaults_clear(struct defaults *defaults)
{
    map_clear(&defaults->by_scope);
}

/* Kind and project first: they hold neither blank nor line break. */
static const char *scope_of(struct arena *arena, const struct document *document, enum kind kind)
{
    return arena_printf(arena, "%s %s\n%s", kind_name(kind), document->project, document->source);
}

void defaults_add(struct defaults *defaults, struct collection *collection, const struct document *document)
{
    const struct node *node =
        document->root->type == NODE_MAPPING ? node_get(document->root, "defaults") : NULL;
    if (!node || node->broken || node_is_null(node))
        return;
    if (node->type != NODE_MAPPING) {
        problem_add(collection->problems, node->place, "write defaults: { containers: {...} }",
                    "'defaults': expected a mapping of kinds, found %s",
                    node_describe(collection->arena, node));
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        add_kind(defaults, collection, document, &node->entries[i]);
}

static void unknown_kind(struct collection *collection, const struct node *key)
{
    const char *known[KIND_COUNT + 1] = {0};
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        known[kind] = kind_plural(kind);
    problem_add(collection->problems, key->place, hint_nearest(collection->arena, key->text, known),
                "unknown kind '%s' in defaults", key->text);
}

static void add_kind(struct defaults *defaults, struct collection *collection,
                     const struct document *document, const struct entry *entry)
{
    enum kind kind;
    if (kind_parse(entry->key->text, &kind) < 0 || strcmp(entry->key->text, kind_plural(kind)) != 0) {
        unknown_kind(collection, entry->key);
        return;
    }
    if (entry->value->broken || node_is_null(entry->value))
        return;
    if (entry->value->type != NODE_MAPPING) {
        problem_add(collection->problems, entry->value->place,
                    arena_printf(collection->arena, "fpsync explain %s", kind_name(kind)),
                    "defaults of %s: expected a mapping of fields, found %s", kind_plural(kind),
                    node_describe(collection->arena, entry->value));
        return;
    }
    const char *scope = scope_of(collection->arena, document, kind);
    struct node *all = map_get(&defaults->by_scope, scope);
    if (!all) {
        all = node_new_mapping(collection->arena, entry->value);
        all->finished = true;
        map_add(&defaults->by_scope, scope, all);
    }
    *all = *unite(collection, all, entry->value);
}

static struct node *unite(struct collection *collection, const struct node *one, const struct node *other)
{
    struct node *both = node_new_mapping(collection->arena, one);
    _cleanup_map_ struct map places = {0}; /* of nodes */
    both->finished = one->finished && other->finished;
    for (size_t i = 0; i < one->count; i++) {
        map_add(&places, one->entries[i].key->text, one->entries[i].value);
        const struct node *again = node_get(other, one->entries[i].key->text);
        if (!again || again->type != NODE_MAPPING || one->entries[i].value->type != NODE_MAPPING)
            node_put(collection->arena, both, one->entries[i].key, one->entries[i].value);
    }
    for (size_t i = 0; i < other->count; i++) {
        const struct entry *entry = &other->entries[i];
        const struct node *before = map_get(&places, entry->key->text);
        if (!before)
            node_put(collection->arena, both, entry->key, entry->value);
        else if (before->type == NODE_MAPPING && entry->value->type == NODE_MAPPING)
            node_put(collection->arena, both, entry->key, unite(collection, before, entry->value));
        else
            problem_add(collection->problems, entry->key->place,
                        arena_printf(collection->arena, "the first one is at %s:%u", before->place.file,
                                     before->place.line),
                        "the default of '%s' is there twice", entry->key->text);
    }
    return both;
}

void defaults_check(const struct defaults *defaults, struct collection *collection)
{
    for (size_t i = 0; i < defaults->by_scope.count; i++) {
        const char *scope = defaults->by_scope.entries[i].key;
        const struct node *node = defaults->by_scope.entries[i].value;
        const size_t word = strcspn(scope, " ");
        enum kind kind;
        kind_parse(arena_strndup(collection->arena, scope, word), &kind);
        const char *project =
            arena_strndup(collection->arena, scope + word + 1, strcspn(scope + word + 1, "\n"));
        const struct reader reader = {
            .arena = collection->arena,
            .problems = collection->problems,
            .context = {.arena = collection->arena, .project = project, .folder = "/"},
            .partial = true};
        read_object(&reader, kind_table(kind), node, described_new(collection->arena, kind_table(kind)));
    }
}

const struct node *defaults_below(const struct defaults *defaults, struct collection *collection,
                                  const struct document *document, enum kind kind, const struct node *value)
{
    const struct node *below = defaults->by_scope.count
                                   ? map_get(&defaults->by_scope, scope_of(collection->arena, document, kind))
                                   : NULL;
    const struct merging merging = {
        .arena = collection->arena, .problems = collection->problems, .nulls = MERGE_NULLS_STAND};
    if (!below || value->broken)
        return value;
    if (node_is_null(value))
        return below;
    return value->type == NODE_MAPPING ? node_merge(&merging, below, value) : value;
}
