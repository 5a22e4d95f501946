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

static bool asks_host(const struct limits *before, const struct limits *after)
{
    return (after->cpuset && (!before || !text_is_same(before->cpuset, after->cpuset))) ||
           (after->swap && !after->memory && (!before || before->swap != after->swap || before->memory)) ||
           (before && world_is_lowered(before->memory, after->memory));
}

void world_look_at_use(const struct paths *paths, const struct actual *actual,
                       const struct object_set *desired, struct arena *arena, struct world *world)
{
    bool asks = false, weighs_anew = false;
    for (size_t i = 0; i < desired->count; i++) {
        const struct object *object = desired->items[i];
        if (object->kind != KIND_CONTAINER)
            continue;
        const struct entry *entry = actual_find(actual, KIND_CONTAINER, object->name);
        const struct limits *before = entry ? ((const struct container *)entry->object.body)->limits : NULL;
        const struct limits *after = ((const struct container *)object->body)->limits;
        world->weighs_io = world->weighs_io || after->io_weight;
        weighs_anew = weighs_anew || (after->io_weight && (!before || before->io_weight != after->io_weight));
        asks = asks || asks_host(before, after);
        if (!entry)
            continue;
        if (!world_is_lowered(before->memory, after->memory) && !world_is_lowered(before->pids, after->pids))
            continue;
        const struct observed_container *seen = world_container(world, object_lxc_name(paths, arena, object));
        if (container_is_up(seen))
            container_view.look_at_use(paths, seen->init_pid,
                                       &world->guests[seen - world->containers.items].use);
    }
    if (asks)
        container_view.look_at_host(paths, arena, &world->host);
    if (weighs_anew)
        world->weight_is_idle = !container_view.io_is_weighed(paths);
    world->io_weight_trouble = world->weighs_io ? container_view.io_weight_trouble() : NULL;
}
