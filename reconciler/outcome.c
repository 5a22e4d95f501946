/* What is written down before a step, and the transaction that all of it gathers in. */
#include <string.h>

#include "lib/error.h"
#include "reconciler/outcome_internal.h"
#include "reconciler/wish.h"

int recorder_writing(struct recorder *recorder, struct error *error)
{
    if (recorder->open)
        return 0;
    int result = state_begin(recorder->execution->state, error);
    recorder->open = result >= 0;
    return result;
}

int recorder_flush(struct recorder *recorder, struct error *error)
{
    if (!recorder->open)
        return 0;
    recorder->open = false;
    return state_commit(recorder->execution->state, error);
}

int recorder_key(struct recorder *recorder, struct error *error)
{
    return recorder->key.size
               ? 0
               : state_key(recorder->execution->state, true, recorder->arena, &recorder->key, error);
}

void recorder_set_digest(struct recorder *recorder, const char *image, const char *digest)
{
    const char **place = map_get(&recorder->digests, image);
    if (!place) {
        place = arena_new_of(recorder->arena, const char *);
        map_add(&recorder->digests, image, place);
    }
    *place = digest;
}

void recorder_set_config(struct recorder *recorder, const char *digest, const char *config)
{
    if (digest && config)
        map_add(&recorder->configs, digest, (void *)config);
}

void recorder_set_base(struct recorder *recorder, struct facts *facts, const char *digest)
{
    facts->digest = digest;
    facts->config = digest ? map_get(&recorder->configs, digest) : NULL;
}

static const char *get_digest(const struct recorder *recorder, const char *image)
{
    const char *const *place = image ? map_get(&recorder->digests, image) : NULL;
    return place ? *place : NULL;
}

const char *recorder_image_digest(const void *recorder, const char *image)
{
    return get_digest(recorder, image);
}

const char *recorder_image_config(const void *recorder, const char *digest)
{
    const struct recorder *own = recorder;
    return digest ? map_get(&own->configs, digest) : NULL;
}

struct recorder *recorder_new(const struct execution *execution, struct arena *arena)
{
    struct recorder *recorder = arena_new_of(arena, struct recorder);
    *recorder = (struct recorder){.execution = execution, .arena = arena};
    for (size_t i = 0; i < execution->actual->count; i++) {
        const struct entry *entry = &execution->actual->items[i];
        recorder_set_config(recorder, entry->facts->digest, entry->facts->config);
        if (entry->kind == KIND_IMAGE && entry->facts->digest)
            recorder_set_digest(recorder, entry->name, entry->facts->digest);
    }
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    if (recorder->open)
        state_abort(recorder->execution->state);
    map_clear(&recorder->digests);
    map_clear(&recorder->configs);
}

int recorder_put_record(struct recorder *recorder, struct record *record, struct error *error)
{
    int result = recorder_writing(recorder, error);
    return result < 0
               ? result
               : state_put_record(recorder->execution->state, described_whole(&record_table, record), error);
}

int recorder_delete_record(struct recorder *recorder, enum kind kind, const char *name, struct error *error)
{
    int result = recorder_writing(recorder, error);
    return result < 0 ? result
                      : state_delete_record(recorder->execution->state, kind_name(kind), name, error);
}

int recorder_put_lease(struct recorder *recorder, const struct lease *lease, struct error *error)
{
    int result = recorder_writing(recorder, error);
    return result < 0 ? result : state_put_lease(recorder->execution->state, lease, error);
}

static int put_leases(struct recorder *recorder, struct error *error)
{
    const struct grants *grants = &recorder->execution->plan->grants;
    int result = 0;
    for (size_t i = 0; i < grants->reclaimed_count && result >= 0; i++)
        result = recorder_put_lease(recorder, grants->reclaimed[i], error);
    for (size_t i = 0; i < grants->count && result >= 0; i++)
        if (grants->fresh[i])
            result = recorder_put_lease(recorder, grants->items[i], error);
    /* Of absent names, too: their places in a network that goes on under another name. */
    const struct renames *renames = recorder->execution->plan->renames;
    for (size_t i = 0; renames && i < renames->lease_count && result >= 0; i++) {
        enum kind kind;
        if (kind_parse(renames->leases[i]->kind, &kind) == 0 &&
            !grants_find(grants, kind, renames->leases[i]->name))
            result = recorder_put_lease(recorder, renames->leases[i], error);
    }
    return result;
}

int recorder_drop_intent(struct recorder *recorder, const struct intent *intent, struct error *error)
{
    if (!intent || !intent->sequence)
        return 0;
    int result = recorder_writing(recorder, error);
    return result < 0 ? result : state_delete_intent(recorder->execution->state, intent->sequence, error);
}

/* What a rename moved is back once an apply has seen to the old name, or is gone with it. Commands that act on that, and
 * retaining it, leave it where it is. */
static bool ends_rename(const struct recorder *recorder, const struct intent *intent,
                        const struct action *action)
{
    const bool sees_to_it =
        action->verb == VERB_DELETE || (action->verb != VERB_RETAIN && recorder->execution->plan->renames);
    return sees_to_it && text_is_same(intent->was, action->name);
}

static bool has_ended(const struct recorder *recorder, const struct intent *intent,
                      const struct action *action)
{
    return action ? intent->kind && strcmp(intent->kind, kind_name(action->kind)) == 0 &&
                        (strcmp(intent->name, action->name) == 0 || text_is_same(intent->name, action->was) ||
                         ends_rename(recorder, intent, action))
                  : !intent->kind;
}

int recorder_drop_old_intents(struct recorder *recorder, const struct action *action, struct error *error)
{
    const struct snapshot *snapshot = recorder->execution->actual->snapshot;
    int result = 0;
    for (size_t i = 0; i < snapshot->intent_count && result >= 0; i++)
        if (has_ended(recorder, snapshot->intents[i], action))
            result = recorder_drop_intent(recorder, snapshot->intents[i], error);
    for (size_t i = 0; i < recorder->moved.count && result >= 0; i++)
        if (has_ended(recorder, recorder->moved.items[i], action))
            result = recorder_drop_intent(recorder, recorder->moved.items[i], error);
    return result;
}

int recorder_begin(struct recorder *recorder, struct error *error)
{
    const struct plan *plan = recorder->execution->plan;
    if (!plan->count)
        return 0;
    int result = put_leases(recorder, error);
    if (result >= 0)
        result = recorder_migrate(recorder, error);
    if (result >= 0)
        result = recorder_drop_old_intents(recorder, NULL, error);
    for (size_t i = 0; i < plan->count && result >= 0; i++) {
        struct action *action = plan->actions[i];
        if ((action->verb != VERB_CREATE && action->verb != VERB_ADOPT && action->verb != VERB_BUILD &&
             action->verb != VERB_FETCH) ||
            action->entry)
            continue;
        struct record *record = record_new(recorder->arena, action->object, action->uid);
        action->uid = record->uid;
        record_set_phase(record, "pending", NULL);
        result = record_describe(recorder->execution->state, recorder->arena, record, action->object, error);
        if (result >= 0)
            result = recorder_put_record(recorder, record, error);
    }
    return result;
}

void recorder_identify(struct recorder *recorder, struct action *action)
{
    (void)recorder;
    if (action->entry)
        action->generation = action->entry->record->generation;
    if (action->object)
        action->generation++;
}

const struct entry *recorder_layer(const struct recorder *recorder, const struct object *container)
{
    const struct container *body = container->body;
    return actual_find(recorder->execution->actual, KIND_LAYER, body->layer ? body->layer : container->name);
}

const char *recorder_digest(struct recorder *recorder, const struct target *target,
                            const struct action *action)
{
    if (action->kind != KIND_CONTAINER || !action->object || container_is_adopted(action->object->body))
        return NULL;
    if (action->digest)
        return action->digest;
    if (follow_moves(&action->follow))
        return get_digest(recorder, action->follow.image);
    const struct entry *layer = recorder_layer(recorder, action->object);
    const struct world *world = recorder->execution->world;
    bool there =
        world_has_layer(world, target_layer_file(target, action->object)) ||
        (layer && layer->was && world_has_layer(world, paths_file_name(recorder->arena, layer->was)));
    if (there && layer && layer->facts->digest && !target_has_fresh_layer(target, action->object))
        return layer->facts->digest;
    return get_digest(recorder, target_image(target, action->object));
}

/* What comes into a running container bears no mark of ours, and no record names it before the outcome does: should the run
 * die in between, the next one has only this to find it by. */
static int describe_loans(struct recorder *recorder, const struct action *action, struct intent *intent,
                          struct error *error)
{
    const struct container *body =
        action && action->kind == KIND_CONTAINER && action->object ? action->object->body : NULL;
    void *sealed;
    if (!body || !(body->binds.count || body->devices.count || body->volumes.count))
        return 0;
    int result = record_seal(recorder->execution->state, recorder->arena, action->object, &sealed, error);
    if (result >= 0)
        intent->body = record_encode(recorder->arena, &container_table, sealed);
    return result;
}

/* Who acts on a container lets it write to its data, now or before: what was asked of that is not asked any more. */
static int spend_wishes(struct recorder *recorder, const struct action *action, struct error *error)
{
    const struct snapshot *snapshot = recorder->execution->actual->snapshot;
    const bool acts = action && action->kind == KIND_CONTAINER;
    int result = 0;
    for (size_t i = 0; i < snapshot->intent_count && acts && result >= 0; i++)
        if ((action->object && wish_is_for_data_of(snapshot->intents[i], action->object)) ||
            (action->entry && wish_is_for_data_of(snapshot->intents[i], &action->entry->object)))
            result = recorder_drop_intent(recorder, snapshot->intents[i], error);
    return result;
}

/* The layer that a container is made with is on record from before its first byte, unfinished, and on which image: whatever
 * becomes of the container, its removal retains the layer, and gc frees it. */
static int describe_layer(struct recorder *recorder, struct action *action, const struct target *target,
                          struct error *error)
{
    const struct container *body =
        action && action->kind == KIND_CONTAINER && action->verb == VERB_CREATE ? action->object->body : NULL;
    const char *name = body && body->layer ? body->layer : NULL;
    const struct object *layer = name ? object_find(&recorder->execution->plan->all, KIND_LAYER, name) : NULL;
    if (!layer || !layer->implicit || actual_find(recorder->execution->actual, KIND_LAYER, name))
        return 0;
    struct facts *facts = described_new(recorder->arena, &facts_table);
    action->layer = record_new(recorder->arena, layer, NULL);
    recorder_set_base(recorder, facts, recorder_digest(recorder, target, action));
    int result = record_describe(recorder->execution->state, recorder->arena, action->layer, layer, error);
    if (result < 0)
        return result;
    result = record_facts(recorder->execution->state, recorder->arena, action->layer, facts, error);
    if (result < 0)
        return result;
    record_set_phase(action->layer, "pending", NULL);
    return recorder_put_record(recorder, action->layer, error);
}

/* A declared layer is renamed while its container is down, by that one's action: whoever looks for its data finds both
 * names. */
static int describe_renamed_layer(struct recorder *recorder, const struct action *action,
                                  const struct steps *steps, struct error *error)
{
    const struct container *body =
        action && action->kind == KIND_CONTAINER && action->object ? action->object->body : NULL;
    const struct rename *rename =
        body ? renames_to(recorder->execution->plan->renames, KIND_LAYER, body->layer) : NULL;
    bool moves = false;
    for (size_t i = 0; i < steps->count; i++)
        moves = moves || steps->items[i].kind == STEP_LAYER_RENAME;
    if (!rename || !moves || text_is_same(rename->to, action->name))
        return 0;
    struct intent *intent = described_new(recorder->arena, &intent_table);
    intent->kind = kind_name(KIND_LAYER);
    intent->name = rename->to;
    intent->was = rename->from;
    intent->verb = verb_name(VERB_RENAME);
    intent->action = arena_printf(recorder->arena, "%s %s %s", intent->verb, intent->kind, intent->name);
    intent->begun = record_now();
    *arena_append(recorder->arena, recorder->moved.items, recorder->moved.count) = intent;
    int result = recorder_writing(recorder, error);
    return result < 0
               ? result
               : state_put_intent(recorder->execution->state, described_whole(&intent_table, intent), error);
}

int recorder_intend(struct recorder *recorder, const char *text, struct action *action,
                    const struct target *target, const struct steps *steps, struct intent **intent,
                    struct error *error)
{
    struct intent *fresh = described_new(recorder->arena, &intent_table);
    *intent = fresh;
    if (!steps->count || steps->items[0].kind == STEP_CONTAINER_PROBE)
        return 0; /* nothing outside the record is going to happen */
    fresh->action = text;
    if (action) {
        fresh->kind = kind_name(action->kind);
        fresh->name = action->name;
        fresh->verb = verb_name(action->verb);
        fresh->wish = action->wish;
        fresh->token = action->token;
        fresh->snapshot = action->wish ? action->snapshot : NULL;
        fresh->was = action->verb == VERB_RENAME ? action->was : NULL;
    }
    fresh->steps.items = arena_array_of(recorder->arena, const char *, steps->count);
    for (size_t i = 0; i < steps->count; i++)
        fresh->steps.items[fresh->steps.count++] = step_type(steps->items[i].kind)->name;
    fresh->begun = record_now();
    int result = describe_loans(recorder, action, fresh, error);
    if (result >= 0)
        result = spend_wishes(recorder, action, error);
    if (result >= 0)
        result = describe_layer(recorder, action, target, error);
    if (result >= 0)
        result = describe_renamed_layer(recorder, action, steps, error);
    if (result >= 0)
        result = recorder_writing(recorder, error);
    return result < 0
               ? result
               : state_put_intent(recorder->execution->state, described_whole(&intent_table, fresh), error);
}
