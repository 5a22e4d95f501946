#include "reconciler/wish.h"

#include <string.h>

#include "reconciler/plan_internal.h"

const struct intent *wish_find(const struct actual *actual, const struct entry *entry, const char *wish)
{
    const struct intent *found = NULL;
    for (size_t i = 0; i < actual->snapshot->intent_count; i++) {
        const struct intent *intent = actual->snapshot->intents[i];
        if (intent->token && text_is_same(intent->wish, wish) && intent_is_of(intent, entry))
            found = intent;
    }
    return found;
}

/* Something else was begun with the object since: a start, say, that was cut off as well. */
static bool is_overtaken(const struct intent *intent, const struct actual *actual, const struct entry *entry)
{
    for (size_t i = 0; i < actual->snapshot->intent_count; i++) {
        const struct intent *later = actual->snapshot->intents[i];
        if (later->sequence > intent->sequence && intent_is_of(later, entry) &&
            !text_is_same(later->token, intent->token))
            return true;
    }
    return false;
}

static bool is_up(const struct entry *container, const struct paths *paths, const struct world *world,
                  struct arena *arena)
{
    return container_is_up(world_container(world, object_lxc_name(paths, arena, &container->object)));
}

bool wish_is_spent(const struct intent *intent, const struct actual *actual, const struct entry *entry,
                   const struct paths *paths, const struct world *world, struct arena *arena)
{
    if (is_overtaken(intent, actual, entry))
        return true;
    if (entry->kind == KIND_CONTAINER)
        return is_up(entry, paths, world, arena); /* for the change it was stopped */
    /* A way back is not written to before its users start on it; a snapshot is of what they go on writing to. */
    for (size_t i = 0; i < actual->count && text_is_same(intent->verb, verb_name(VERB_SNAPSHOT)); i++) {
        const struct entry *user = &actual->items[i];
        if (plan_uses(&user->object, entry->kind, entry->name) &&
            (!user->record->stopped_by || is_up(user, paths, world, arena)))
            return true;
    }
    return false;
}

bool wish_is_for_data_of(const struct intent *intent, const struct object *container)
{
    enum kind kind;
    return intent->token && intent->kind && kind_parse(intent->kind, &kind) == 0 &&
           (kind == KIND_LAYER || kind == KIND_VOLUME) && plan_uses(container, kind, intent->name);
}
