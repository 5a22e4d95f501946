/* The files that limited layers lie in: looked at for those containers alone whose limits.disk says so, by the record or
 * from now on. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/world.h"

static int64_t disk_of(const struct object *object)
{
    return object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->limits->disk : 0;
}

/* What it holds has to fit: that costs a look at all of it, and is asked where less is allowed than before. */
static void look(const struct paths *paths, const struct object *object, int64_t before, struct arena *arena,
                 struct world *world)
{
    const struct container *body = object->body;
    const char *file = paths_file_name(arena, body->layer ? body->layer : object->name);
    const struct observed_container *seen = world_container(world, object_lxc_name(paths, arena, object));
    struct world_disk *disk = arena_append(arena, world->disks, world->disk_count);
    *disk = (struct world_disk){.container = object->name,
                                .seen.measured = world_is_lowered(before, body->limits->disk) &&
                                                 world_has_layer(world, file)};
    storage_view.look_disk(paths, file, container_is_up(seen) ? seen->init_pid : 0, &disk->seen);
}

static int by_container(const void *left, const void *right)
{
    return strcmp(((const struct world_disk *)left)->container,
                  ((const struct world_disk *)right)->container);
}

static bool grows(const struct actual *actual, const struct object *object)
{
    const struct volume *body = object->kind == KIND_VOLUME ? object->body : NULL;
    const struct entry *entry = body && body->size ? actual_find(actual, KIND_VOLUME, object->name) : NULL;
    return entry && ((const struct volume *)entry->object.body)->size < body->size;
}

void world_look_at_disks(const struct paths *paths, const struct actual *actual,
                         const struct object_set *desired, struct arena *arena, struct world *world)
{
    world->disks = NULL;
    world->disk_count = 0;
    for (size_t i = 0; i < desired->count; i++) {
        const struct object *object = desired->items[i];
        const struct entry *entry =
            disk_of(object) ? actual_find(actual, KIND_CONTAINER, object->name) : NULL;
        if (disk_of(object))
            look(paths, object, entry ? disk_of(&entry->object) : 0, arena, world);
        if (!world->cannot_grow && grows(actual, object))
            world->cannot_grow = !storage_view.grows_mounted(paths);
    }
    for (size_t i = 0; i < actual->count; i++) {
        const struct entry *entry = &actual->items[i];
        const struct object *object =
            disk_of(&entry->object) ? object_find(desired, KIND_CONTAINER, entry->name) : NULL;
        if (object && !disk_of(object))
            look(paths, object, disk_of(&entry->object), arena, world);
    }
    if (world->disk_count)
        qsort(world->disks, world->disk_count, sizeof(*world->disks), by_container);
}

const struct observed_disk *world_disk(const struct world *world, const char *container)
{
    const struct world_disk key = {.container = container}, *found = NULL;
    if (world->disk_count)
        found = bsearch(&key, world->disks, world->disk_count, sizeof(*world->disks), by_container);
    return found ? &found->seen : NULL;
}
