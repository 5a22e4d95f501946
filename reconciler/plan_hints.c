/* What a plan looks as if something else had been meant: one object goes and one of its kind comes, on the same image. */
#include <string.h>

#include "reconciler/plan_internal.h"

struct swap {
    struct action *comes;
    const struct action *goes;
    size_t coming, going;
};

static const char *image_of(const struct object *object)
{
    return object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->image
           : object->kind == KIND_LAYER   ? ((const struct layer *)object->body)->image
           : object->kind == KIND_NETWORK && network_is_attached(object->body)
               ? "attached" /* one of the host's is not one of ours under another name */
               : NULL;
}

static struct swap *pair_of(struct planning *planning, struct map *pairs, const struct object *object)
{
    const char *image = image_of(object);
    const char *key = arena_join(planning->arena, kind_name(object->kind), ' ', image ? image : "");
    struct swap *pair = map_get(pairs, key);
    if (!pair) {
        pair = arena_new_of(planning->arena, struct swap);
        map_add(pairs, key, pair);
    }
    return pair;
}

static void note(struct planning *planning, struct map *pairs, struct action *action)
{
    const bool goes = action->verb == VERB_DELETE || action->verb == VERB_RETAIN;
    const struct object *object = goes ? &action->entry->object : action->object;
    const bool comes = action->verb == VERB_CREATE && !action->was && !action->entry &&
                       !lease_recorded(planning->request->actual->snapshot, action->kind, action->name);
    if ((!goes && !comes) || action->kind == KIND_IMAGE || object->implicit)
        return; /* what is declared again has things of its own */
    struct swap *pair = pair_of(planning, pairs, object);
    if (goes) {
        pair->goes = action;
        pair->going++;
    } else {
        pair->comes = action;
        pair->coming++;
    }
}

void plan_hints(struct planning *planning)
{
    _cleanup_map_ struct map pairs = {0};
    for (size_t i = 0; i < planning->plan->count && planning->gone_count; i++)
        note(planning, &pairs, planning->plan->actions[i]);
    for (size_t i = 0; i < pairs.count; i++) {
        const struct swap *pair = pairs.entries[i].value;
        if (pair->coming != 1 || pair->going != 1)
            continue;
        const size_t project = strcspn(pair->goes->name, "/") + 1;
        const bool same = strncmp(pair->goes->name, pair->comes->name, project) == 0;
        pair->comes->hint = arena_printf(planning->arena, "was: %s in it would carry over what %s %s has",
                                         pair->goes->name + (same ? project : 0), kind_name(pair->goes->kind),
                                         pair->goes->name);
    }
}
