/* What is written down after a step: what became so, or why not. */
#include <string.h>
#include <time.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "reconciler/contest.h"
#include "reconciler/contexts.h"
#include "reconciler/keyed.h"
#include "reconciler/outcome_internal.h"
#include "reconciler/plan_internal.h"

/* Who uses it and has no action of its own calls it by the new name from now on, as the view of the record does. */
static int follow_users(struct recorder *recorder, enum kind kind, const char *name, struct error *error)
{
    const struct execution *execution = recorder->execution;
    for (size_t i = 0; i < execution->actual->count; i++) {
        const struct entry *entry = &execution->actual->items[i];
        if (entry_is_retained(entry) || !plan_uses(&entry->object, kind, name) ||
            plan_acts_on(execution->plan, entry))
            continue;
        int result = record_describe(execution->state, recorder->arena, entry->record, &entry->object, error);
        if (result >= 0)
            result = recorder_put_record(recorder, entry->record, error);
        if (result < 0)
            return result;
    }
    return 0;
}

/* What goes on under another name is recorded under that, and by the same commit no more under the old one. */
static int forget_old_name(struct recorder *recorder, enum kind kind, const char *name, const char *was,
                           struct error *error)
{
    if (!was)
        return 0;
    int result = recorder_writing(recorder, error);
    if (result >= 0)
        result = state_delete_record(recorder->execution->state, kind_name(kind), was, error);
    if (result >= 0)
        result = state_delete_lease(recorder->execution->state, kind_name(kind), was, error);
    return result < 0 ? result : follow_users(recorder, kind, name, error);
}

static void take_facts(struct recorder *recorder, const struct action *action, const struct steps *steps,
                       void *const *results, size_t count, struct facts *facts)
{
    for (size_t i = 0; i < count && i < steps->count; i++) {
        if (!results[i])
            continue;
        if (steps->items[i].kind == STEP_IMAGE_MAKE || steps->items[i].kind == STEP_BUILD_COMMIT) {
            const struct image_made *made = results[i];
            facts->digest = made->digest;
            facts->bytes = made->bytes;
            facts->config = arena_strdup(recorder->arena, made->config);
            facts->origin = arena_strdup(recorder->arena, made->origin);
            facts->made_of = action->made_of;
            facts->flagged = action->flagged;
            facts->fetched = action->fetched;
            recorder_set_digest(recorder, action->name, arena_strdup(recorder->arena, made->digest));
            recorder_set_config(recorder, made->digest, facts->config);
        } else if (steps->items[i].kind == STEP_CONTAINER_START) {
            const struct container_started *started = results[i];
            facts->ended = facts->ailment = NULL;
            facts->probed = 0;
            facts->init_pid = started->init_pid;
            facts->init_start = started->init_start;
            facts->boot = started->boot;
        } else if (steps->items[i].kind == STEP_CONTAINER_ADOPT) {
            const struct container_adopted *adopted = results[i];
            facts->config_digest = adopted->config_digest;
            facts->init_pid = adopted->init_pid;
            facts->init_start = adopted->init_start;
            facts->boot = adopted->boot;
        } else if (steps->items[i].kind == STEP_CONTAINER_DEFINE ||
                   steps->items[i].kind == STEP_CONTAINER_SET_LIMITS) {
            facts->config_digest = ((const struct container_defined *)results[i])->config_digest;
        }
    }
}

/* What the record is to hold of a digest over the container's definition. */
static int keep_digest(struct recorder *recorder, const struct container *body, const char **digest,
                       struct error *error)
{
    if (!*digest || keyed_is_one(*digest) || !keyed_is_needed(body))
        return 0;
    int result = recorder_key(recorder, error);
    if (result >= 0)
        *digest = keyed_digest(recorder->arena, &recorder->key, *digest);
    return result;
}

static void note_snapshot(struct recorder *recorder, struct action *action, const struct steps *steps,
                          void *const *results, size_t count)
{
    for (size_t i = 0; i < count && i < steps->count; i++) {
        bool changes =
            steps->items[i].kind == STEP_LAYER_CHANGE || steps->items[i].kind == STEP_VOLUME_CHANGE;
        const struct data_changed *changed = changes ? results[i] : NULL;
        if (changed && changed->name)
            action->kept_as = arena_strdup(recorder->arena, changed->name);
    }
    if (!action->kept_as &&
        action->verb == VERB_SNAPSHOT) /* by a command that was interrupted: its name is this */
        action->kept_as = action->snapshot;
}

static bool has_step(const struct steps *steps, enum step_kind kind)
{
    for (size_t i = 0; i < steps->count; i++)
        if (steps->items[i].kind == kind)
            return true;
    return false;
}

/* An implicit layer has no action of its own; it is made with its container, and moves to another source with it. */
static int put_implicit_layer(struct recorder *recorder, const struct action *action, const char *digest,
                              struct error *error)
{
    const struct container *body = action->object->body;
    const char *name = body->layer ? body->layer : action->name;
    const struct object *layer = object_find(&recorder->execution->plan->all, KIND_LAYER, name);
    if (!layer)
        return 0;
    const struct entry *entry = actual_find(recorder->execution->actual, KIND_LAYER, name);
    struct record *record = entry           ? entry->record
                            : action->layer ? action->layer
                                            : record_new(recorder->arena, layer, NULL);
    struct facts *facts = entry ? entry->facts : described_new(recorder->arena, &facts_table);
    int result = record_describe(recorder->execution->state, recorder->arena, record, layer, error);
    if (result < 0)
        return result;
    record->generation = record->generation ? record->generation : 1;
    recorder_set_base(recorder, facts, digest);
    record_set_phase(record, "running", NULL);
    result = record_facts(recorder->execution->state, recorder->arena, record, facts, error);
    if (result >= 0)
        result = recorder_put_record(recorder, record, error);
    return result < 0 || !entry ? result : forget_old_name(recorder, KIND_LAYER, name, entry->was, error);
}

static int retain(struct recorder *recorder, struct record *record, struct error *error)
{
    record->source = NULL;
    record_set_phase(record, "retained", NULL);
    return recorder_put_record(recorder, record, error);
}

/* A container that took a declared layer, or a copy of its image, leaves its own one behind. */
static int retain_left_layer(struct recorder *recorder, const struct action *action, struct error *error)
{
    const struct entry *layer = actual_find(recorder->execution->actual, KIND_LAYER, action->name);
    if (!layer || !layer->object.implicit || entry_is_retained(layer) ||
        object_find(&recorder->execution->plan->all, KIND_LAYER, action->name))
        return 0;
    return retain(recorder, layer->record, error);
}

static int keep_digests(struct recorder *recorder, const struct container *body, struct facts *facts,
                        struct error *error)
{
    int result = keep_digest(recorder, body, &facts->config_digest, error);
    return result < 0 ? result : keep_digest(recorder, body, &facts->definition_digest, error);
}

static int record_container(struct recorder *recorder, struct action *action, const struct target *target,
                            const struct steps *steps, struct facts *facts, struct error *error)
{
    if (has_step(steps, STEP_CONTAINER_DEFINE) || has_step(steps, STEP_CONTAINER_ADOPT)) {
        const struct bytes definition =
            record_encode(recorder->arena, &container_definition_table,
                          target_definition(target, action->object, action->uid, action->generation));
        char digest[DIGEST_TEXT_SIZE];
        digest_of(definition.data, definition.size, digest);
        facts->definition_digest = arena_strdup(recorder->arena, digest);
    } else if (action->entry && action->entry->record->generation) {
        action->generation = action->entry->record->generation; /* the mark outside still bears it */
    }
    int result = keep_digests(recorder, action->object->body, facts, error);
    if (result < 0)
        return result;
    if (!has_step(steps, STEP_ROOT_MOUNT) && !verb_is_of_data(action->verb) && action->verb != VERB_RENAME)
        return plan_field_changed(&action->causes, "retain") ||
                       plan_field_changed(&action->causes, "source") ||
                       plan_field_changed(&action->causes, "image")
                   ? put_implicit_layer(recorder, action, facts->digest, error)
                   : 0;
    recorder_set_base(recorder, facts, recorder_digest(recorder, target, action));
    result = put_implicit_layer(recorder, action, facts->digest, error);
    return result < 0 ? result : retain_left_layer(recorder, action, error);
}

/* Of an image that is there the body stays what it was made by: what the recipe changes the next plan finds. */
static int record_fetched(struct recorder *recorder, struct action *action, void *const *results,
                          size_t count, struct error *error)
{
    const struct image_build *build = ((const struct image *)action->object->body)->build;
    const struct image_made *fetched = count ? results[0] : NULL;
    struct record *record =
        action->entry ? action->entry->record : record_new(recorder->arena, action->object, action->uid);
    struct facts *facts = action->entry ? action->entry->facts : described_new(recorder->arena, &facts_table);
    int result = 0;
    if (!fetched)
        return 0;
    facts->context = context_note(recorder->arena, fetched->origin, build->context);
    if (!action->entry) {
        record_set_phase(record, "pending", NULL);
        result = record_describe(recorder->execution->state, recorder->arena, record, action->object, error);
    }
    if (result < 0)
        return result;
    record->facts = record_encode(recorder->arena, &facts_table, described_whole(&facts_table, facts));
    return recorder_put_record(recorder, record, error);
}

static int record_made(struct recorder *recorder, struct action *action, const struct target *target,
                       const struct steps *steps, void *const *results, size_t count, struct error *error)
{
    struct record *record =
        action->entry ? action->entry->record : record_new(recorder->arena, action->object, action->uid);
    struct facts *facts = action->entry ? action->entry->facts : described_new(recorder->arena, &facts_table);
    int result = 0;
    take_facts(recorder, action, steps, results, count, facts);
    note_snapshot(recorder, action, steps, results, count);
    if (action->kind == KIND_LAYER && action->digest)
        recorder_set_base(recorder, facts, action->digest);
    contest_note(recorder->arena, &facts->repairs, &action->causes, contest_now());
    if (action->kind == KIND_CONTAINER)
        result = record_container(recorder, action, target, steps, facts, error);
    if (result >= 0)
        result = record_describe(recorder->execution->state, recorder->arena, record, action->object, error);
    if (result >= 0)
        result = record_facts(recorder->execution->state, recorder->arena, record, facts, error);
    if (result < 0)
        return result;
    record->generation = action->generation;
    action->record = record;
    action->facts = facts;
    /* Whoever adopts what does not run does not ask for it to be started. */
    if (action->verb == VERB_ADOPT && !facts->init_pid)
        record->stopped_by = "stopped when it was adopted";
    if (action->verb == VERB_STOP || (action->verb == VERB_ADOPT && record->stopped_by)) {
        if (recorder->execution->stopped_by) /* else it was, and ran all the same */
            record->stopped_by = recorder->execution->stopped_by;
        record_set_phase(record, "stopped", record->stopped_by);
    } else if (!verb_is_of_data(action->verb)) {
        if (action->wakes || (action->verb != VERB_UPDATE && action->verb != VERB_REPAIR && !action->rests))
            record->stopped_by = NULL;
        if (!record->stopped_by && !action->rests)
            record_set_phase(record, "running", NULL);
    }
    result = recorder_put_record(recorder, record, error);
    return result < 0 ? result : forget_old_name(recorder, action->kind, action->name, action->was, error);
}

/* The name keeps what is leased to it; whoever left first gives it up first, should a pool run dry. */
static int note_leaving(struct recorder *recorder, const struct action *action, struct error *error)
{
    const struct lease *recorded =
        lease_recorded(recorder->execution->actual->snapshot, action->kind, action->name);
    if (!recorded)
        return 0;
    struct lease *lease = described_copy(recorder->arena, &lease_table, recorded);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    lease->left = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    field_mark(&lease_table, lease, offsetof(struct lease, left));
    return recorder_put_lease(recorder, lease, error);
}

static int record_gone(struct recorder *recorder, const struct action *action, struct error *error)
{
    if (action->verb == VERB_RETAIN)
        return retain(recorder, action->entry->record, error);
    int result = recorder_delete_record(recorder, action->kind, action->name, error);
    if (result >= 0)
        result = note_leaving(recorder, action, error);
    const struct entry *layer =
        action->kind == KIND_CONTAINER && !container_is_adopted(action->entry->object.body)
            ? recorder_layer(recorder, &action->entry->object)
            : NULL;
    if (result >= 0 && layer && layer->object.implicit)
        result = entry_is_thrown_away(layer)
                     ? recorder_delete_record(recorder, KIND_LAYER, layer->name, error)
                     : retain(recorder, layer->record, error);
    return result;
}

int recorder_done(struct recorder *recorder, struct action *action, const struct target *target,
                  const struct steps *steps, void *const *results, size_t result_count, struct intent *intent,
                  struct error *error)
{
    int result = recorder_drop_intent(recorder, intent, error);
    if (result < 0 || !action || action->verb == VERB_EXPAND)
        return result;
    result = recorder_drop_old_intents(recorder, action, error);
    if (result < 0)
        return result;
    if (action->verb == VERB_FETCH)
        return record_fetched(recorder, action, results, result_count, error);
    return action->object ? record_made(recorder, action, target, steps, results, result_count, error)
                          : record_gone(recorder, action, error);
}

/* What a command put the layer on before it failed: whatever starts it next does so on that image. */
static int keep_image(struct recorder *recorder, const struct action *action, const struct steps *steps,
                      void *const *results, size_t count, struct error *error)
{
    const struct entry *layer =
        action->kind == KIND_CONTAINER && verb_is_of_data(action->verb) && action->digest
            ? recorder_layer(recorder, &action->entry->object)
            : NULL;
    for (size_t i = 0; layer && i < count && i < steps->count; i++) {
        if (steps->items[i].kind != STEP_LAYER_CHANGE || !results[i])
            continue;
        recorder_set_base(recorder, layer->facts, action->digest);
        recorder_set_base(recorder, action->entry->facts, action->digest);
        int result =
            record_facts(recorder->execution->state, recorder->arena, layer->record, layer->facts, error);
        return result < 0 ? result : recorder_put_record(recorder, layer->record, error);
    }
    return 0;
}

/* The body stays what was last applied, so that the next plan finds the same difference again; and the intent stays,
 * since nobody knows how far the steps came. */
int recorder_failed(struct recorder *recorder, struct action *action, const struct steps *steps,
                    void *const *results, size_t result_count, const char *message, struct error *error)
{
    if (!action || !action->entry)
        return 0;
    struct record *record = action->entry->record;
    int result = keep_image(recorder, action, steps, results, result_count, error);
    if (result < 0)
        return result;
    /* A repair that fails is one that did not last: it counts for contested drift, too. */
    contest_note(recorder->arena, &action->entry->facts->repairs, &action->causes, contest_now());
    result = record_facts(recorder->execution->state, recorder->arena, record, action->entry->facts, error);
    if (result < 0)
        return result;
    record->reason = arena_strdup(recorder->arena, message);
    if (action->entry->recorded)
        record->name = action->entry->recorded;
    result = recorder_put_record(recorder, record, error);
    record->name = action->entry->name;
    return result;
}
