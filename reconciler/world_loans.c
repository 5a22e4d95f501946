/* What containers are lent of the host: asked only for those that have any, by the record or from now on. The recorded
 * ones are asked for, too, so that what is wanted no more is found and taken back. */
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "reconciler/world.h"

struct collecting {
    struct arena *arena;
    struct world *world;
    struct map known; /* full name to index, one up */
};

static struct world_loans *loans_of(struct collecting *collecting, const char *container)
{
    struct world *world = collecting->world;
    size_t index = (size_t)map_get(&collecting->known, container);
    if (!index) {
        *(struct world_loans *)arena_append(collecting->arena, world->loans, world->loan_count) =
            (struct world_loans){.container = container};
        index = world->loan_count;
        map_add(&collecting->known, container, (void *)index);
    }
    return &world->loans[index - 1];
}

static const struct observed_bind *find_bind(const struct world_loans *loans, const struct bind *bind)
{
    for (size_t i = 0; loans && i < loans->bind_count; i++) {
        const struct observed_bind *seen = &loans->binds[i];
        if (strcmp(seen->path, bind->path) == 0 && strcmp(seen->source, bind->source) == 0 &&
            seen->read_only == bind->read_only)
            return seen;
    }
    return NULL;
}

static void collect(struct collecting *collecting, const struct object *object)
{
    const struct container *body = object->body;
    if (object->kind != KIND_CONTAINER || !body->binds.count)
        return;
    struct world_loans *loans = loans_of(collecting, object->name);
    for (size_t i = 0; i < body->binds.count; i++) {
        const struct bind *bind = body->binds.items[i];
        if (!find_bind(loans, bind))
            *(struct observed_bind *)arena_append(collecting->arena, loans->binds, loans->bind_count) =
                (struct observed_bind){
                    .path = bind->path, .source = bind->source, .read_only = bind->read_only};
    }
}

static int by_container(const void *left, const void *right)
{
    return strcmp(((const struct world_loans *)left)->container,
                  ((const struct world_loans *)right)->container);
}

void world_look_at_loans(const struct paths *paths, const struct actual *actual,
                         const struct object_set *desired, struct arena *arena, struct world *world)
{
    struct collecting collecting = {.arena = arena, .world = world};
    world->loans = NULL;
    world->loan_count = 0;
    for (size_t i = 0; i < desired->count; i++)
        collect(&collecting, desired->items[i]);
    for (size_t i = 0; i < actual->count; i++)
        collect(&collecting, &actual->items[i].object);
    map_clear(&collecting.known);
    if (world->loan_count)
        qsort(world->loans, world->loan_count, sizeof(*world->loans), by_container);
    for (size_t i = 0; i < world->loan_count; i++) {
        struct world_loans *loans = &world->loans[i];
        const struct observed_container *container =
            world_container(world, paths_lxc_name(paths, arena, loans->container));
        storage_view.look_binds(paths, container_is_up(container) ? container->init_pid : 0, loans->binds,
                                loans->bind_count);
    }
}

const struct world_loans *world_loans(const struct world *world, const char *container)
{
    const struct world_loans key = {.container = container};
    return world->loan_count
               ? bsearch(&key, world->loans, world->loan_count, sizeof(*world->loans), by_container)
               : NULL;
}

const struct observed_bind *world_bind(const struct world *world, const char *container,
                                       const struct bind *bind)
{
    return find_bind(world_loans(world, container), bind);
}
