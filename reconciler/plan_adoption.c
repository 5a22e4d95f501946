/* Plans what LXC had before fpsync: it is taken over only when a person asks for it (SEMANTICS 15), and is never made,
 * moved or thrown away. */
#include <string.h>

#include "reconciler/plan_internal.h"

static bool is_asked_for(const struct plan_request *request, const char *name)
{
    for (size_t i = 0; i < request->adopted.count; i++)
        if (strcmp(request->adopted.items[i], name) == 0)
            return true;
    return false;
}

struct action *plan_adoption(struct planning *planning, const struct object *object, struct entry *entry,
                             const struct observed_container *seen, const char *lxc_name)
{
    const struct container *body = object->body;
    if (!seen || !seen->defined) {
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "there is no LXC container %s below %s to adopt", lxc_name,
                               planning->request->paths->lxc),
                  "create it with LXC's tools, or give it an image instead of a root", object->place);
        return NULL;
    }
    if (!is_asked_for(planning->request, object->name)) {
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "LXC container %s was not taken over yet", lxc_name),
                  arena_printf(planning->arena, "fpsync adopt -f %s",
                               object->place.file ? object->place.file : "FILE"),
                  object->place);
        return NULL;
    }
    if (!plan_gates_open(planning, object, entry))
        return NULL;
    struct action *action =
        plan_make_action(planning, VERB_ADOPT, KIND_CONTAINER, object->name, object, entry);
    plan_add_cause(planning, &action->causes, "adopted", NULL, body->root, object->place);
    if (!entry && seen->ours) { /* by a run that was cut off */
        action->uid = seen->uid;
        action->generation = seen->generation;
    }
    return action;
}

bool plan_gate_adopted(struct planning *planning, const struct object *object, const struct entry *entry)
{
    static const char *const fixed[] = {"root", "lxc_name"};
    const struct container *now = object->body, *before = entry ? entry->object.body : now;
    if (!container_is_adopted(now) && !container_is_adopted(before))
        return true;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        const struct field *row = field_by_key(&container_table, fixed[i]);
        const char *old = *(const char *const *)field_at(before, row);
        const char *new = *(const char *const *)field_at(now, row);
        if (text_is_same(old, new))
            continue;
        plan_hold(
            planning, KIND_CONTAINER, object->name,
            arena_printf(planning->arena, "%s cannot become %s: an adopted container stays where it is",
                         fixed[i], new ? new : "another"),
            arena_printf(planning->arena, "fpsync forget container/%s lets go of it first", object->name),
            field_place(&container_table, now, row));
        return false;
    }
    return true;
}
