/* The file that the layer of a running container lies in: made larger where it is too small. */
#include "reconciler/repairs_internal.h"

void repairs_find_disk(const struct repairing *repairing)
{
    const int64_t wanted = ((const struct container *)repairing->object->body)->limits->disk;
    const struct observed_disk *disk = wanted ? world_disk(repairing->world, repairing->object->name) : NULL;
    if (!disk || !disk->grows || !disk->size || disk->size >= wanted)
        return;
    struct volume_source *request = described_new(repairing->target->arena, &volume_source_table);
    request->file = target_layer_file(repairing->target, repairing->object);
    request->size = wanted;
    repairs_add(repairing, STEP_LAYER_GROW, described_whole(&volume_source_table, request), "limits.disk",
                arena_printf(repairing->target->arena, "the file of its layer has %lld bytes",
                             (long long)disk->size));
}

const char *repairs_disk_misfit(const struct world *world, const struct object *object, struct arena *arena)
{
    const int64_t wanted = ((const struct container *)object->body)->limits->disk;
    const struct observed_disk *disk = wanted ? world_disk(world, object->name) : NULL;
    if (!disk || (disk->size == wanted) || (disk->size && disk->size < wanted && disk->grows))
        return NULL;
    return disk->size ? arena_printf(arena, "drift: the file of its layer has %lld bytes, not %lld",
                                     (long long)disk->size, (long long)wanted)
                      : "drift: its layer is not limited, and limits.disk says so";
}
