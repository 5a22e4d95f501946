/* Which devices of the host should be in a running container and are not, or are there and should not be. */
#include <string.h>

#include "reconciler/repairs_internal.h"

static void add_step(const struct repairing *repairing, const struct observed_device *seen,
                     enum step_kind step, const char *drift)
{
    struct device_attach *request = described_new(repairing->target->arena, &device_attach_table);
    request->lxc_name = repairing->observed->lxc_name;
    request->init_pid = repairing->observed->init_pid;
    request->init_start = repairing->observed->init_start;
    request->device = target_device(repairing->target->arena, seen);
    repairs_add(repairing, step, described_whole(&device_attach_table, request), "devices", drift);
}

/* What shall be at that place inside; NULL: nothing. */
static const struct observed_device *wanted_at(const struct repairing *repairing, const char *path)
{
    const struct list *devices = &((const struct container *)repairing->object->body)->devices;
    const struct world_loans *loans = world_loans(repairing->world, repairing->object->name);
    for (size_t i = 0; i < devices->count; i++)
        for (size_t j = 0; j < loans->device_count; j++) {
            const struct observed_device *seen = &loans->devices[j];
            if (!seen->trouble && strcmp(seen->path, path) == 0 && device_is_as(seen, devices->items[i]))
                return seen;
        }
    return NULL;
}

/* A place may be asked about more than once, with what was there and what shall be. */
static bool is_first_of_place(const struct world_loans *loans, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(loans->devices[i].path, loans->devices[index].path) == 0)
            return false;
    return true;
}

void repairs_find_left_devices(const struct repairing *repairing)
{
    const struct world_loans *loans = world_loans(repairing->world, repairing->object->name);
    for (size_t i = 0; loans && i < loans->device_count; i++) {
        const struct observed_device *seen = &loans->devices[i];
        if (seen->lent && is_first_of_place(loans, i) && !wanted_at(repairing, seen->path))
            add_step(
                repairing, seen, STEP_DEVICE_DETACH,
                seen->trouble && *seen->source
                    ? arena_printf(repairing->target->arena, "device %s is gone from the host", seen->source)
                    : arena_printf(repairing->target->arena, "device at %s is not declared there",
                                   seen->path));
    }
}

void repairs_find_devices(const struct repairing *repairing)
{
    const struct world_loans *loans = world_loans(repairing->world, repairing->object->name);
    for (size_t i = 0; loans && i < loans->device_count; i++) {
        const struct observed_device *seen = &loans->devices[i];
        if (wanted_at(repairing, seen->path) == seen && !seen->as_asked && !seen->unknown)
            add_step(repairing, seen, STEP_DEVICE_ATTACH,
                     arena_printf(repairing->target->arena, "device at %s %s", seen->path,
                                  seen->lent ? "is not as declared" : "is not there"));
    }
}
