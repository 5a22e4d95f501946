/* Containers whose image changed: the cause of their restart, what holds it back, and how many go at a time. */
#include <string.h>

#include "reconciler/plan_internal.h"

#define WAVE_LIMIT 64 /* containers: a quarter of very many is too many to be without at once */

bool plan_image_changes(struct planning *planning, const char *image)
{
    const struct action *action = image ? plan_action_of(planning, KIND_IMAGE, image) : NULL;
    return action &&
           (action->verb == VERB_RECREATE || action->verb == VERB_CREATE || action->verb == VERB_BUILD);
}

bool plan_stands_on(struct planning *planning, const struct entry *layer, const char *image)
{
    const struct entry *entry = image ? actual_find(planning->request->actual, KIND_IMAGE, image) : NULL;
    return layer && entry && layer->facts->digest &&
           text_is_same(layer->facts->digest, entry->facts->digest) && !plan_image_changes(planning, image);
}

void plan_same_image(struct planning *planning, const struct entry *layer, const char *image,
                     struct changes *causes)
{
    for (size_t i = 0; i < causes->count; i++)
        if (strcmp(causes->items[i].field, "image") == 0 && plan_stands_on(planning, layer, image))
            causes->items[i].class = CLASS_RECORD;
}

struct follow plan_follow(struct planning *planning, const struct object *object)
{
    const bool changing = plan_image_changes(planning, target_image(&planning->target, object));
    struct follow follow =
        follow_of(&planning->target, planning->request->actual, planning->request->world, object, changing);
    if (follow.how == FOLLOW_HELD)
        plan_hold(
            planning, KIND_CONTAINER, object->name,
            arena_printf(planning->arena, "image %s changed, but its layer stays on the old one: %s",
                         follow.image, follow.reason),
            "on_image_change: restack puts it on the new one all the same, reset begins anew, keep stays",
            object->place);
    return follow;
}

void plan_follow_cause(struct planning *planning, const struct object *object, const struct follow *follow,
                       struct changes *causes)
{
    const struct entry *image = actual_find(planning->request->actual, KIND_IMAGE, follow->image);
    const char *changed = image && image->facts->digest ? "changed" : "made anew";
    const char *how = follow->how != FOLLOW_RESET     ? changed
                      : image && image->facts->digest ? "changed: begins anew"
                                                      : "made anew: begins anew if it differs";
    plan_add_cause(planning, causes,
                   arena_printf(planning->arena, "dependency: image %s %s", follow->image, how),
                   follow->to ? digest_brief(planning->arena, follow->from) : NULL,
                   digest_brief(planning->arena, follow->to), object->place);
    causes->items[causes->count - 1].class = CLASS_RESTART;
}

static bool is_wave(const struct action *action, const char *image)
{
    return action->kind == KIND_CONTAINER && action->verb == VERB_RESTART && follow_moves(&action->follow) &&
           (!image || strcmp(action->follow.image, image) == 0);
}

/* SEMANTICS 41: a quarter at a time, and none of the next if one does not come back. The order of the plan is that of
 * dependencies, so no two wait for each other. */
static void order_wave(struct planning *planning, size_t first)
{
    struct plan *plan = planning->plan;
    const char *image = plan->actions[first]->follow.image;
    struct action **all = arena_array_of(planning->arena, struct action *, plan->count);
    size_t count = 0;
    for (size_t i = first; i < plan->count; i++)
        if (is_wave(plan->actions[i], image))
            all[count++] = plan->actions[i];
    size_t width = count / 4 > WAVE_LIMIT ? WAVE_LIMIT : count / 4 ? count / 4 : 1;
    for (size_t i = width; i < count; i++)
        for (size_t j = (i / width - 1) * width; j < i / width * width; j++)
            plan_need(planning, all[i], all[j]);
}

void plan_waves(struct planning *planning)
{
    struct plan *plan = planning->plan;
    _cleanup_map_ struct map done = {0};
    for (size_t i = 0; i < plan->count; i++)
        if (is_wave(plan->actions[i], NULL) && map_add(&done, plan->actions[i]->follow.image, plan))
            order_wave(planning, i);
}
