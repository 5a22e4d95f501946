#include "specs/replicas.h"

#include <inttypes.h>
#include <string.h>

/* ---- expansion ---- */

static struct place place_in(const struct object *object, const char *key)
{
    return field_place(&container_table, object->body, field_by_key(&container_table, key));
}

/* What there is once, and what would have to know which of them is meant. */
static void check_shared(struct collection *collection, const struct object *object)
{
    static const struct {
        const char *key, *hint;
    } single[] = {
        {"layer", "leave it out: each member has a layer of its own name"},
        {"lxc_name", "write each of them as a container of its own"},
        {"was", "remove it, or name the members' old ones in containers of their own"},
    };
    const struct container *body = object->body;
    for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
        if (field_is_present(&container_table, body, field_by_key(&container_table, single[i].key)))
            problem_add(collection->problems, place_in(object, single[i].key), single[i].hint,
                        "'%s': the members of a set cannot share it", single[i].key);
    if (container_is_adopted(body))
        problem_add(collection->problems, place_in(object, "root"), "remove it, or replicas",
                    "'root': the members of a set cannot share %s", body->root);
    static const char *const addresses[] = {"address", "address6"};
    for (size_t i = 0; i < body->networks.count; i++)
        for (size_t j = 0; j < sizeof(addresses) / sizeof(*addresses); j++) {
            const struct field *row = field_by_key(&attachment_table, addresses[j]);
            const void *attachment = body->networks.items[i];
            if (field_is_said(&attachment_table, attachment, row))
                problem_add(collection->problems, field_place(&attachment_table, attachment, row),
                            "remove it: each member is leased one of its own",
                            "'%s': the members of a set cannot share it", addresses[j]);
        }
}

/* NULL, and told, when it cannot be called so. */
static const char *member_name(struct collection *collection, const struct object *set, int64_t number)
{
    const char *name = arena_printf(collection->arena, "%s-%" PRId64, set->name, number);
    char id[OBJECT_ID_SIZE];
    const struct object *taken = map_get(collection->by_id, object_id(KIND_CONTAINER, name, id));
    if (!name_is_valid(name_bare(name)))
        problem_add(collection->problems, set->place,
                    arena_printf(collection->arena, "%s, the number included", form_expectation(FORM_NAME)),
                    "replicas: '%s' is no name of a container", name_bare(name));
    else if (taken)
        problem_add(collection->problems, place_in(set, "replicas"),
                    arena_printf(collection->arena, "the other is at %s:%u; call one of them otherwise",
                                 taken->place.file, taken->place.line),
                    "replicas: '%s' is another container's name", name_bare(name));
    else
        return name;
    return NULL;
}

/* The lists are shared with its neighbours until somebody gives it others; nobody changes an item. */
static void add_member(struct collection *collection, const struct object *set, const char *name)
{
    struct object *object = collection_add(collection, KIND_CONTAINER, name, set->place, set->source);
    struct container *body = object->body;
    const struct field *replicas = field_by_key(&container_table, "replicas");
    *body = *(const struct container *)set->body;
    body->described.present &= ~((uint64_t)1 << (replicas - container_table.rows));
    body->replicas = 0;
    body->set = set->name;
    field_mark(&container_table, body, offsetof(struct container, set));
}

static void expand(struct collection *collection, const struct object *set)
{
    const size_t told = collection->problems->count;
    check_shared(collection, set);
    /* Of a set that cannot be, one stands for all: the others would meet it in what they share. */
    const int64_t count =
        collection->problems->count > told ? 1 : ((const struct container *)set->body)->replicas;
    for (int64_t number = 1; number <= count; number++) {
        const char *name = member_name(collection, set, number);
        if (!name)
            return; /* those that follow would be told of with the same words */
        add_member(collection, set, name);
    }
}

static bool is_set(const struct object *object)
{
    return object->kind == KIND_CONTAINER && ((const struct container *)object->body)->replicas;
}

void replicas_expand(struct collection *collection)
{
    const size_t declared = collection->count;
    size_t kept = 0;
    for (size_t i = 0; i < declared; i++)
        if (is_set(collection->items[i]))
            expand(collection, collection->items[i]);
    for (size_t i = 0; i < collection->count; i++)
        if (!is_set(collection->items[i]))
            collection->items[kept++] = collection->items[i];
    if (kept == collection->count)
        return;
    collection->count = kept;
    map_clear(collection->by_id); /* the sets' own names are nobody's any more */
    for (size_t i = 0; i < kept; i++)
        map_add(collection->by_id, collection->items[i]->id, collection->items[i]);
}

/* ---- the whole set ---- */

struct members { /* of one set */
    struct object **items;
    size_t count;
};

static void add_to_set(struct world *world, struct map *sets, struct object *object)
{
    const char *name = object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->set : NULL;
    if (!name)
        return;
    struct members *members = map_get(sets, name);
    if (!members) {
        members = arena_new_of(world->arena, struct members);
        *members = (struct members){0};
        map_add(sets, name, members);
    }
    *arena_append(world->arena, members->items, members->count) = object;
}

static void collect_sets(struct world *world, struct map *sets)
{
    for (size_t i = 0; i < world->own->count; i++)
        add_to_set(world, sets, world->own->items[i]);
    for (size_t i = 0; i < world->foreign.count; i++)
        add_to_set(world, sets, world->foreign.items[i]);
}

static void add_dependency(struct world *world, struct list *list, const struct dependency *dependency,
                           const char *name)
{
    if (list_find(list, &dependency_table, name))
        return;
    struct dependency *one = arena_new_of(world->arena, struct dependency);
    *one = *dependency;
    one->container = name;
    *arena_append(world->arena, list->items, list->count) = one;
}

void imply_members(struct world *world)
{
    _cleanup_map_ struct map sets = {0};
    collect_sets(world, &sets);
    for (size_t i = 0; i < world->own->count && sets.count; i++) {
        const struct object *object = world->own->items[i];
        struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
        struct list each = {0};
        for (size_t j = 0; body && j < body->depends_on.count; j++) {
            const struct dependency *dependency = body->depends_on.items[j];
            const struct members *members = map_get(&sets, dependency->container);
            for (size_t k = 0; members && k < members->count; k++)
                add_dependency(world, &each, dependency, members->items[k]->name);
            if (!members)
                add_dependency(world, &each, dependency, dependency->container);
        }
        if (body)
            body->depends_on = each;
    }
}

void check_replicas(struct world *world)
{
    _cleanup_map_ struct map sets = {0};
    collect_sets(world, &sets);
    for (size_t i = 0; i < sets.count; i++) {
        const struct object *named = world_find(world, KIND_CONTAINER, sets.entries[i].key);
        const struct members *members = sets.entries[i].value;
        if (!named)
            continue;
        const struct object *told = map_get(world->own->by_id, named->id) ? named : members->items[0];
        const struct object *met = told == named ? members->items[0] : named;
        if (map_get(world->own->by_id, told->id))
            problem_add(world->problems, told->place, "take another name",
                        "a set of replicas and a container cannot both be called %s: %s",
                        name_seen_from(world->arena, sets.entries[i].key, told),
                        world_name(world, met, told));
    }
}
