/* What a container is lent of its host, as requests. */
#include "reconciler/target.h"

/* An optional one is left out while there is nothing to bind. */
static bool is_left_out(const struct target *target, const struct object *container, const struct bind *bind)
{
    const struct observed_bind *seen =
        bind->optional ? world_bind(target->world, container->name, bind) : NULL;
    return bind->optional && (!seen || seen->trouble);
}

void target_add_binds(const struct target *target, const struct object *container, struct root_mount *root)
{
    const struct list *binds = &((const struct container *)container->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (is_left_out(target, container, bind))
            continue;
        struct root_bind *made = described_new(target->arena, &root_bind_table);
        made->path = bind->path;
        made->source = bind->source;
        made->read_only = bind->read_only;
        *arena_append(target->arena, root->binds.items, root->binds.count) =
            described_whole(&root_bind_table, made);
    }
}

/* LXC leaves out an optional one by itself. */
void target_define_binds(const struct target *target, const struct object *container,
                         struct container_definition *definition)
{
    const struct list *binds = &((const struct container *)container->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        struct container_bind *made = described_new(target->arena, &container_bind_table);
        made->path = bind->path;
        made->source = bind->source;
        made->read_only = bind->read_only;
        made->optional = bind->optional;
        *arena_append(target->arena, definition->binds.items, definition->binds.count) =
            described_whole(&container_bind_table, made);
    }
}

void target_add_devices(const struct target *target, const struct object *container,
                        struct container_start *start)
{
    const struct list *devices = &((const struct container *)container->body)->devices;
    const struct world_loans *loans = world_loans(target->world, container->name);
    for (size_t i = 0; loans && i < devices->count; i++)
        for (size_t j = 0; j < loans->device_count; j++)
            if (device_is_as(&loans->devices[j], devices->items[i]) && !loans->devices[j].trouble)
                *arena_append(target->arena, start->devices.items, start->devices.count) =
                    target_device(target->arena, &loans->devices[j]);
}

struct container_device *target_device(struct arena *arena, const struct observed_device *seen)
{
    struct container_device *device = described_new(arena, &container_device_table);
    device->path = seen->path;
    device->is_block = seen->is_block;
    device->major = seen->major;
    device->minor = seen->minor;
    device->mode = seen->mode;
    return described_whole(&container_device_table, device);
}
