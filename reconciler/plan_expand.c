/* What hangs on an image that this run makes is planned again once it is there (SEMANTICS 26), and what an image says is
 * told as the cause of what comes of it. */
#include <string.h>

#include "reconciler/image_metadata.h"
#include "reconciler/plan_internal.h"

bool plan_awaits_image(const struct planning *planning, const struct object *object)
{
    const struct metadata *metadata = planning->request->metadata;
    return metadata && map_get(&metadata->awaited, object->name);
}

static const char *awaited_image(struct planning *planning, const struct object *object)
{
    const struct metadata *metadata = planning->request->metadata;
    const struct container *body = object->body;
    const char *image = metadata ? map_get(&metadata->awaited, object->name) : NULL;
    if (plan_stands(planning, object->name))
        return NULL;
    for (size_t i = 0; i < body->depends_on.count && !image; i++) {
        const struct action *needed = plan_action_of(
            planning, KIND_CONTAINER, ((const struct dependency *)body->depends_on.items[i])->container);
        image = needed && needed->verb == VERB_EXPAND ? needed->expands : NULL;
    }
    return image;
}

bool plan_expand(struct planning *planning, struct action *action)
{
    const char *image = awaited_image(planning, action->object);
    if (!image)
        return false;
    char id[OBJECT_ID_SIZE];
    action->verb = VERB_EXPAND;
    action->class = CLASS_RECORD;
    action->id =
        arena_join(planning->arena, verb_name(VERB_EXPAND), ' ', object_id(action->kind, action->name, id));
    action->causes = (struct changes){0};
    action->config_changed = action->only_follows = action->unfinished = false;
    action->follow = (struct follow){0};
    action->expands = image;
    plan_add_cause(planning, &action->causes, arena_printf(planning->arena, "known after image/%s", image),
                   NULL, NULL, action->object->place);
    plan_need(planning, action, plan_action_of(planning, KIND_IMAGE, image));
    return true;
}

void plan_add_inherited(struct planning *planning, struct action *action)
{
    const struct metadata *metadata = planning->request->metadata;
    const struct inheritance *has = metadata ? map_get(&metadata->inherited, action->name) : NULL;
    for (size_t i = 0; has && i < has->count; i++)
        plan_add_cause(planning, &action->causes, has->items[i].field, NULL, has->items[i].value,
                       (struct place){.file = has->items[i].from});
}

bool plan_gate_inherited(struct planning *planning, const struct object *object)
{
    const struct metadata *metadata = planning->request->metadata;
    const char *reason = metadata ? map_get(&metadata->refused, object->name) : NULL;
    if (reason)
        plan_hold(planning, KIND_CONTAINER, object->name, reason,
                  "say ports: in the spec, [] for none of them", object->place);
    return !reason;
}

bool plan_has_expansions(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->verb == VERB_EXPAND)
            return true;
    return false;
}
