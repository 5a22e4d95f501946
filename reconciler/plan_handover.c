/* Layers that change hands: who takes one over waits for who leaves it. Where that would go round in a circle, those who
 * leave let go of theirs before any of them takes another (SEMANTICS 5). */
#include <string.h>

#include "reconciler/plan_internal.h"

struct handover {
    struct action *takes, *leaves;
    bool circles; /* who leaves waits for who takes */
};

struct handovers {
    struct handover *items;
    size_t count;
};

static const char *layer_before(const struct action *action)
{
    return action->kind == KIND_CONTAINER && action->entry
               ? ((const struct container *)action->entry->object.body)->layer
               : NULL;
}

static const char *layer_after(const struct action *action)
{
    return action->kind == KIND_CONTAINER && action->object
               ? ((const struct container *)action->object->body)->layer
               : NULL;
}

static struct handovers find_handovers(struct planning *planning)
{
    const struct plan *plan = planning->plan;
    struct handovers found = {0};
    _cleanup_map_ struct map leaving = {0};
    for (size_t i = 0; i < plan->count; i++) {
        const char *before = layer_before(plan->actions[i]);
        if (before && plan->actions[i]->object && !text_is_same(before, layer_after(plan->actions[i])))
            map_add(&leaving, before, plan->actions[i]);
    }
    for (size_t i = 0; i < plan->count && leaving.count; i++) {
        const char *after = layer_after(plan->actions[i]);
        struct action *leaves = after ? map_get(&leaving, after) : NULL;
        if (leaves && leaves != plan->actions[i])
            *(struct handover *)arena_append(planning->arena, found.items, found.count) =
                (struct handover){.takes = plan->actions[i], .leaves = leaves};
    }
    return found;
}

/* Whether `action` comes after `other`, by what it needs or by the layer that it takes. `seen` keeps circles from being
 * gone round. */
static bool comes_after(const struct handovers *handovers, struct action *action, const struct action *other,
                        struct map *seen)
{
    if (action == other)
        return true;
    if (!map_add(seen, action->id, action))
        return false;
    for (size_t i = 0; i < action->need_count; i++)
        if (comes_after(handovers, action->needs[i], other, seen))
            return true;
    for (size_t i = 0; i < handovers->count; i++)
        if (handovers->items[i].takes == action &&
            comes_after(handovers, handovers->items[i].leaves, other, seen))
            return true;
    return false;
}

static bool waits_for(const struct handovers *handovers, struct action *action, const struct action *other)
{
    _cleanup_map_ struct map seen = {0};
    return comes_after(handovers, action, other, &seen);
}

/* What must be there before a container is taken from its layer: all that both need and that does not itself wait for
 * the two, so that nobody stands still while an image is made. */
static void add_release_needs(struct planning *planning, const struct handovers *handovers,
                              struct release *release, const struct action *of)
{
    for (size_t i = 0; i < of->need_count; i++)
        if (!waits_for(handovers, of->needs[i], release->takes) &&
            !waits_for(handovers, of->needs[i], release->leaves))
            *arena_append(planning->arena, release->needs, release->need_count) = of->needs[i];
}

static void add_release(struct planning *planning, const struct handovers *handovers,
                        const struct handover *handover)
{
    struct plan *plan = planning->plan;
    struct release *release = arena_append(planning->arena, plan->releases, plan->release_count);
    *release = (struct release){.leaves = handover->leaves, .takes = handover->takes};
    add_release_needs(planning, handovers, release, handover->leaves);
    add_release_needs(planning, handovers, release, handover->takes);
}

void plan_handovers(struct planning *planning)
{
    const struct handovers handovers = find_handovers(planning);
    for (size_t i = 0; i < handovers.count; i++)
        handovers.items[i].circles =
            waits_for(&handovers, handovers.items[i].leaves, handovers.items[i].takes);
    for (size_t i = 0; i < handovers.count; i++)
        if (handovers.items[i].circles)
            add_release(planning, &handovers, &handovers.items[i]);
    for (size_t i = 0; i < handovers.count; i++)
        if (!handovers.items[i].circles)
            plan_need(planning, handovers.items[i].takes, handovers.items[i].leaves);
}
