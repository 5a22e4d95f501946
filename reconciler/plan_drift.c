/* Drift that stays while a container runs: what only a new start puts right, and what cannot be seen. */
#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"

#define AT_START "it is put right at the container's next start: fpsync restart"

static void hold_silent(struct planning *planning, const struct object *object, const char *path)
{
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(
                  planning->arena,
                  "what is mounted at %s is not known: a file system in the container does not answer", path),
              "the next run asks again; what does not answer can be unmounted inside, and ends with the "
              "container",
              object->place);
}

static void hold_unknown(struct planning *planning, const struct object *object,
                         const struct observed_container *seen)
{
    const struct texts *volumes = &world_guest(planning->request->world, seen)->mounts.unknown;
    const struct world_loans *loans = world_loans(planning->request->world, object->name);
    for (size_t i = 0; i < volumes->count; i++)
        hold_silent(planning, object, volumes->items[i]);
    for (size_t i = 0; loans && i < loans->bind_count; i++)
        if (loans->binds[i].unknown)
            hold_silent(planning, object, loans->binds[i].path);
    for (size_t i = 0; loans && i < loans->device_count; i++)
        if (loans->devices[i].unknown)
            hold_silent(planning, object, loans->devices[i].path);
}

static void hold_stuck(struct planning *planning, const struct object *object,
                       const struct observed_container *seen)
{
    const struct observed_guest_mounts *mounts = &world_guest(planning->request->world, seen)->mounts;
    for (size_t i = 0; i < mounts->count; i++) {
        const struct mount *wanted = list_find(&((const struct container *)object->body)->volumes,
                                               &mount_table, mounts->items[i].path);
        if (wanted && mounts->items[i].stuck && !wanted->read_only)
            plan_hold(
                planning, KIND_CONTAINER, object->name,
                arena_printf(planning->arena, "drift: the file system of volume %s at %s is read-only",
                             wanted->volume, wanted->path),
                "ext4 does that on errors: fpsync stop whoever uses it, fsck.ext4 its file, fpsync start",
                object->place);
    }
}

void plan_hold_drift(struct planning *planning, const struct object *object,
                     const struct observed_container *seen, const struct changes *causes)
{
    const struct world *world = planning->request->world;
    const char *misfit = repairs_disk_misfit(world, object, planning->arena);
    if (misfit && !plan_field_changed(causes, "limits.disk"))
        plan_hold(planning, KIND_CONTAINER, object->name, misfit, AT_START, object->place);
    if (!container_is_adopted(object->body) && !world_root(world, seen->lxc_name))
        plan_hold(planning, KIND_CONTAINER, object->name,
                  "drift: its root was unmounted on the host while it runs", AT_START, object->place);
    hold_unknown(planning, object, seen);
    hold_stuck(planning, object, seen);
}
