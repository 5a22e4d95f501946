/* SEMANTICS 11: whose ids are whose is looked at when a container is going to get a range of them. */
#include "reconciler/leases.h"
#include "reconciler/world.h"

static bool gets_ids(const struct actual *actual, const struct object *object)
{
    if (object->kind != KIND_CONTAINER || ((const struct container *)object->body)->privileged)
        return false;
    const struct lease *lease = lease_recorded(actual->snapshot, KIND_CONTAINER, object->name);
    return !lease || !lease->id_base;
}

void world_look_at_ids(const struct paths *paths, const struct actual *actual,
                       const struct object_set *desired, struct arena *arena, struct world *world)
{
    world->ids = (struct id_ranges){0};
    for (size_t i = 0; i < desired->count; i++)
        if (gets_ids(actual, desired->items[i])) {
            container_view.find_ids(paths, arena, &world->ids);
            return;
        }
}
