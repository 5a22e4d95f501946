/* What of the host should be in a running container and is not, or is there and should not be. */
#include <string.h>

#include "reconciler/repairs_internal.h"

static void add_step(const struct repairing *repairing, const struct observed_bind *bind, enum step_kind step,
                     const char *drift)
{
    struct bind_attach *request = described_new(repairing->target->arena, &bind_attach_table);
    request->lxc_name = repairing->observed->lxc_name;
    request->init_pid = repairing->observed->init_pid;
    request->init_start = repairing->observed->init_start;
    request->path = bind->path;
    request->source = step == STEP_BIND_ATTACH ? bind->source : NULL;
    request->read_only = step == STEP_BIND_ATTACH && bind->read_only;
    request->plain = container_is_adopted(repairing->object->body);
    repairs_add(repairing, step, described_whole(&bind_attach_table, request), "binds", drift);
}

static bool is_wanted(const struct container *body, const struct observed_bind *seen)
{
    const struct bind *wanted = list_find(&body->binds, &bind_table, seen->path);
    return wanted && strcmp(wanted->source, seen->source) == 0 && wanted->read_only == seen->read_only;
}

/* Where the source is another one by now, what is mounted can only be what it was, unless a volume took the place. */
static bool is_left(const struct container *body, const struct observed_bind *seen)
{
    bool stale = seen->mounted && seen->trouble && !list_find(&body->volumes, &mount_table, seen->path);
    return !is_wanted(body, seen) && (seen->is_source || stale || seen->unknown);
}

void repairs_find_left_binds(const struct repairing *repairing)
{
    const struct world_loans *loans = world_loans(repairing->world, repairing->object->name);
    for (size_t i = 0; loans && i < loans->bind_count; i++)
        if (is_left(repairing->object->body, &loans->binds[i]))
            add_step(repairing, &loans->binds[i], STEP_BIND_DETACH,
                     arena_printf(repairing->target->arena, "bind at %s is not declared there",
                                  loans->binds[i].path));
}

static const char *trouble_of(const struct repairing *repairing, const struct observed_bind *seen)
{
    return arena_printf(repairing->target->arena, "bind at %s %s", seen->path,
                        !seen->mounted     ? "unmounted"
                        : !seen->is_source ? "is of something else"
                        : seen->read_only  ? "can be written to"
                                           : "cannot be written to");
}

void repairs_find_binds(const struct repairing *repairing)
{
    const struct world_loans *loans = world_loans(repairing->world, repairing->object->name);
    for (size_t i = 0; loans && i < loans->bind_count; i++) {
        const struct observed_bind *seen = &loans->binds[i];
        if (!is_wanted(repairing->object->body, seen) || seen->as_asked || seen->unknown || seen->trouble)
            continue;
        if (seen->mounted)
            add_step(repairing, seen, STEP_BIND_DETACH, NULL);
        add_step(repairing, seen, STEP_BIND_ATTACH, trouble_of(repairing, seen));
    }
}

void repairs_find_frozen(const struct repairing *repairing, bool frozen)
{
    const struct container *body = repairing->object->body;
    if (body->frozen != frozen || repairing->observed->frozen == frozen)
        return;
    struct container_freeze *request = described_new(repairing->target->arena, &container_freeze_table);
    request->lxc_name = repairing->observed->lxc_name;
    request->frozen = frozen;
    repairs_add(repairing, STEP_CONTAINER_FREEZE, described_whole(&container_freeze_table, request), "frozen",
                frozen ? "its processes were woken" : "its processes stand still");
}
