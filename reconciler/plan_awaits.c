/* Who is started only once another container has completed (SEMANTICS 42): `depends_on: { job: completed }`. */
#include <string.h>

#include "reconciler/ended.h"
#include "reconciler/plan_internal.h"

/* The one node of the run that waits for it. */
static struct await *await_of(struct planning *planning, const struct object *object)
{
    struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->await_count; i++)
        if (plan->awaits[i].object == object)
            return &plan->awaits[i];
    struct await *await = arena_append(planning->arena, plan->awaits, plan->await_count);
    *await = (struct await){.object = object};
    return await;
}

static const struct object *awaited(const struct planning *planning, const struct dependency *dependency)
{
    return strcmp(dependency->condition, "completed") == 0
               ? object_find(&planning->plan->all, KIND_CONTAINER, dependency->container)
               : NULL;
}

/* Under the name that it still has. */
static const struct observed_container *seen_of(const struct planning *planning, const struct object *object)
{
    const char *was = plan_was(planning, KIND_CONTAINER, object->name);
    return world_container(planning->request->world,
                           was ? paths_lxc_name(planning->request->paths, planning->arena, was)
                               : object_lxc_name(planning->request->paths, planning->arena, object));
}

/* Whether a container begins by it. */
static bool begins(const struct action *action)
{
    return action->verb == VERB_CREATE || action->verb == VERB_START || action->verb == VERB_RESTART ||
           ((action->verb == VERB_RECREATE || action->verb == VERB_RENAME) && !action->rests);
}

/* Whether it runs after its part of this run, and so is still to end. */
static bool is_to_end(struct planning *planning, const struct object *object)
{
    const struct action *action = plan_action_of(planning, KIND_CONTAINER, object->name);
    return container_is_up(seen_of(planning, object)) || (action && begins(action));
}

/* Why it will not complete without somebody's doing; NULL: it may, or has. */
static const char *trouble_of(struct planning *planning, const struct object *object)
{
    const struct entry *entry = actual_find(planning->request->actual, KIND_CONTAINER, object->name);
    const struct observed_container *seen = seen_of(planning, object);
    if (is_to_end(planning, object))
        return NULL;
    if (plan_is_new(entry))
        return "is not there";
    if (entry->record->stopped_by)
        return "is stopped by hand";
    int64_t status = 0;
    if (!container_ended(entry, seen, &status) && ((const struct container *)object->body)->command.count)
        return seen && seen->defined ? "was ended before its command did"
                                     : "LXC has no more, nor how its command ended";
    return status ? arena_printf(planning->arena, "failed: it ended with status %d", (int)status) : NULL;
}

bool plan_gate_completed(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct dependency *dependency = body->depends_on.items[i];
        const struct object *other = awaited(planning, dependency);
        const char *trouble = other ? trouble_of(planning, other) : NULL;
        if (!trouble)
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "it waits until %s has completed, which %s",
                               dependency->container, trouble),
                  arena_printf(planning->arena, "fpsync logs %s says more; fpsync start runs it again",
                               dependency->container),
                  field_place(&container_table, body, field_by_key(&container_table, "depends_on")));
        return false;
    }
    return true;
}

void plan_await(struct planning *planning, struct action *action)
{
    const struct container *body = action->object->body;
    if (!begins(action))
        return;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct object *other = awaited(planning, body->depends_on.items[i]);
        if (!other || !is_to_end(planning, other))
            continue;
        struct await *await = await_of(planning, other);
        await->after = plan_action_of(planning, KIND_CONTAINER, other->name);
        *arena_append(planning->arena, await->waiting, await->waiting_count) = action;
    }
}
