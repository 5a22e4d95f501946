/* Recipes that have to be fetched before it can be said what they ask for (SEMANTICS 26), and what stands on their images. */
#include <string.h>

#include "reconciler/plan_internal.h"

static bool hold(struct planning *planning, const struct object *image, const char *reason, const char *hint)
{
    plan_hold(planning, KIND_IMAGE, image->name, reason, hint, image->place);
    return false;
}

static bool is_at_hand(struct planning *planning, const struct object *image, const char *source)
{
    const struct plan_request *request = planning->request;
    struct arena *arena = planning->arena;
    const char *remote = *source == '/' ? NULL : remote_of_source(source, arena);
    if (request->builds->tried)
        return hold(planning, image, "its recipe was not fetched", NULL);
    if (*source == '/')
        return true;
    if (remote && request->policy && !remote_find(request->policy, remote, arena))
        return hold(planning, image, arena_printf(arena, "no remote is called \"%s\"", remote),
                    remote_hint(request->policy, source, false, request->paths->conf, arena));
    if (strcmp(((const struct image *)image->body)->pull, "never") == 0)
        return hold(planning, image, "its recipe is not here, and is never to be fetched (pull: never)",
                    NULL);
    if (request->offline)
        return hold(planning, image, "its recipe is not here, and nothing is to be fetched (--offline)",
                    NULL);
    return true;
}

static void expand(struct planning *planning, const struct object *image, struct entry *entry,
                   const char *what, const char *expands, struct action *needed)
{
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, VERB_EXPAND, KIND_IMAGE, image->name, image, entry));
    action->class = CLASS_RECORD;
    action->expands = expands;
    plan_add_cause(planning, &action->causes, arena_printf(planning->arena, "known after %s", what), NULL,
                   NULL, image->place);
    plan_need(planning, action, needed);
}

void plan_fetch(struct planning *planning, const struct object *image, struct entry *entry,
                const struct build_fetch *fetch)
{
    struct changes causes = {0};
    if (!is_at_hand(planning, image, fetch->source))
        return;
    if (fetch->digest && entry && entry->facts->context && *fetch->source != '/')
        plan_add_drift(planning, &causes, "its recipe is gone from the store", image->place);
    else
        plan_add_cause(planning, &causes, "recipe", NULL, fetch->source, image->place);
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, VERB_FETCH, KIND_IMAGE, image->name, image, entry));
    action->causes = causes;
    expand(planning, image, entry, "its recipe is fetched", image->name, action);
}

bool plan_awaits_base(struct planning *planning, const struct object *image, struct entry *entry,
                      const struct build *build)
{
    for (size_t i = 0; i < build->base_count; i++) {
        const char *base = build->bases[i].image;
        if (!base || !builds_awaits(planning->request->builds, base))
            continue;
        if (plan_is_held(planning, KIND_IMAGE, base))
            hold(planning, image,
                 arena_printf(planning->arena, "image %s, which it is made from, is held", base), NULL);
        else
            expand(planning, image, entry, arena_printf(planning->arena, "image/%s", base), base,
                   plan_action_of(planning, KIND_IMAGE, base));
        return true;
    }
    return false;
}
