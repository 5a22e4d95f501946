/* SEMANTICS 31: how much a container uses is looked at when a limit of it is going to be lowered. */
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/world.h"

bool world_is_lowered(int64_t before, int64_t after)
{
    return after && (!before || after < before);
}

static bool gets_subnet6(const struct actual *actual, const struct object *object)
{
    const struct network *network = object->kind == KIND_NETWORK ? object->body : NULL;
    if (!network || network_is_attached(network) || !network->subnet6)
        return false;
    const struct entry *entry = actual_find(actual, KIND_NETWORK, object->name);
    return !entry || !text_is_same(((const struct network *)entry->object.body)->subnet6, network->subnet6);
}

void world_look_at_routes6(const struct actual *actual, const struct object_set *desired, struct arena *arena,
                           struct world *world)
{
    struct error ignored; /* then nothing is held that would be */
    for (size_t i = 0; i < desired->count; i++)
        if (gets_subnet6(actual, desired->items[i])) {
            if (network_view.list_routes6)
                network_view.list_routes6(&world->network, arena, &ignored);
            return;
        }
}

void world_look_at_use(const struct paths *paths, const struct actual *actual,
                       const struct object_set *desired, struct arena *arena, struct world *world)
{
    for (size_t i = 0; i < desired->count; i++) {
        const struct object *object = desired->items[i];
        if (object->kind == KIND_CONTAINER && ((const struct container *)object->body)->limits->io_weight)
            world->weighs_io = true;
        const struct entry *entry =
            object->kind == KIND_CONTAINER ? actual_find(actual, KIND_CONTAINER, object->name) : NULL;
        if (!entry)
            continue;
        const struct limits *before = ((const struct container *)entry->object.body)->limits;
        const struct limits *after = ((const struct container *)object->body)->limits;
        if (!world_is_lowered(before->memory, after->memory) && !world_is_lowered(before->pids, after->pids))
            continue;
        const struct observed_container *seen = world_container(world, object_lxc_name(paths, arena, object));
        if (container_is_up(seen))
            container_view.look_at_use(paths, seen->init_pid,
                                       &world->guests[seen - world->containers.items].use);
    }
    world->io_weight_trouble = world->weighs_io ? container_view.io_weight_trouble() : NULL;
}
