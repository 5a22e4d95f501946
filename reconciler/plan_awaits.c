/* Who is started only once another container has completed, or is healthy (SEMANTICS 42): `depends_on: { job: completed,
 * cache: healthy }`. */
#include <string.h>

#include "reconciler/ended.h"
#include "reconciler/plan_internal.h"

/* The one node of the run that waits for it. */
static struct await *await_of(struct arena *arena, struct plan *plan, const struct object *object,
                              bool healthy)
{
    for (size_t i = 0; i < plan->await_count; i++)
        if (plan->awaits[i].object == object && plan->awaits[i].healthy == healthy)
            return &plan->awaits[i];
    struct await *await = arena_append(arena, plan->awaits, plan->await_count);
    *await = (struct await){.object = object, .healthy = healthy};
    return await;
}

static bool is_for_health(const struct dependency *dependency)
{
    return strcmp(dependency->condition, "healthy") == 0;
}

static const struct object *awaited(const struct planning *planning, const struct dependency *dependency)
{
    return is_for_health(dependency) || strcmp(dependency->condition, "completed") == 0
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

/* Why nothing will find it healthy; NULL: it may be. What an image says that is not there yet is known later. */
static const char *ailment_of(struct planning *planning, const struct object *object)
{
    const struct action *action = plan_action_of(planning, KIND_CONTAINER, object->name);
    const struct entry *entry = actual_find(planning->request->actual, KIND_CONTAINER, object->name);
    const struct container *body = object->body;
    if (action && action->verb == VERB_EXPAND)
        return NULL;
    if (!health_is_probed(body->health))
        return body->health->none ? "has no health: none is what it says"
                                  : "has no health, and its image no HEALTHCHECK";
    if (body->frozen)
        return "is frozen";
    return is_to_end(planning, object)          ? NULL
           : plan_is_new(entry)                 ? "is not there"
           : entry && entry->record->stopped_by ? "is stopped by hand"
                                                : "does not run";
}

static const char *ailment_hint(struct planning *planning, const struct object *object)
{
    return health_is_probed(((const struct container *)object->body)->health)
               ? arena_printf(planning->arena, "fpsync start %s, or mend what keeps it from running",
                              object->name)
               : "give it health: { tcp: 80 }, or wait for started";
}

static void hold_for_health(struct planning *planning, const struct object *object,
                            const struct dependency *dependency, const struct object *other,
                            const char *ailment)
{
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "it waits until %s is healthy, which %s", dependency->container,
                           ailment),
              ailment_hint(planning, other),
              field_place(&dependency_table, dependency, field_by_key(&dependency_table, "condition")));
}

bool plan_gate_awaited(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct dependency *dependency = body->depends_on.items[i];
        const struct object *other = awaited(planning, dependency);
        const bool healthy = is_for_health(dependency);
        const char *trouble = !other    ? NULL
                              : healthy ? ailment_of(planning, other)
                                        : trouble_of(planning, other);
        if (!trouble)
            continue;
        if (healthy) {
            hold_for_health(planning, object, dependency, other, trouble);
            return false;
        }
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

bool plan_probes(const struct object *container)
{
    const struct container *body = container->body;
    return health_is_probed(body->health) && !body->frozen;
}

void plan_await(struct planning *planning, struct action *action)
{
    const struct container *body = action->object->body;
    if (!begins(action))
        return;
    if (plan_probes(action->object))
        await_of(planning->arena, planning->plan, action->object, true)->after = action;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct dependency *dependency = body->depends_on.items[i];
        const struct object *other = awaited(planning, dependency);
        const bool healthy = is_for_health(dependency);
        if (!other || !(healthy ? plan_probes(other) : is_to_end(planning, other)))
            continue;
        struct await *await = await_of(planning->arena, planning->plan, other, healthy);
        await->after = plan_action_of(planning, KIND_CONTAINER, other->name);
        *arena_append(planning->arena, await->waiting, await->waiting_count) = action;
    }
}

void plan_await_health(struct plan *plan, struct arena *arena, const struct object *container)
{
    await_of(arena, plan, container, true);
}
