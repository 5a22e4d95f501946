#include "reconciler/outcome.h"

#include <string.h>
#include <time.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/contest.h"
#include "reconciler/plan_internal.h"

struct recorder {
    const struct execution *execution;
    struct arena *arena;
    struct map digests; /* image name -> place of its content digest, as of now */
    bool open;          /* a transaction is under way */
};

static int64_t now_seconds(void)
{
    return (int64_t)time(NULL);
}

static int writing(struct recorder *recorder, struct error *error)
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

static void set_digest(struct recorder *recorder, const char *image, const char *digest)
{
    const char **place = map_get(&recorder->digests, image);
    if (!place) {
        place = arena_new_of(recorder->arena, const char *);
        map_add(&recorder->digests, image, place);
    }
    *place = digest;
}

static const char *get_digest(const struct recorder *recorder, const char *image)
{
    const char *const *place = image ? map_get(&recorder->digests, image) : NULL;
    return place ? *place : NULL;
}

struct recorder *recorder_new(const struct execution *execution, struct arena *arena)
{
    struct recorder *recorder = arena_new_of(arena, struct recorder);
    *recorder = (struct recorder){.execution = execution, .arena = arena};
    for (size_t i = 0; i < execution->actual->count; i++) {
        const struct entry *entry = &execution->actual->items[i];
        if (entry->kind == KIND_IMAGE && entry->facts->digest)
            set_digest(recorder, entry->name, entry->facts->digest);
    }
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    if (recorder->open)
        state_abort(recorder->execution->state);
    map_clear(&recorder->digests);
}

/* ---- records ---- */

struct bytes record_encode(struct arena *arena, const struct table *table, const void *object)
{
    _cleanup_buffer_ struct buffer text = {0};
    fields_encode(table, object, &text);
    return (struct bytes){.data = arena_copy(arena, text.bytes, text.length), .size = text.length};
}

struct record *record_new(struct arena *arena, const struct object *object, const char *uid)
{
    struct record *record = described_new(arena, &record_table);
    char fresh[17];
    state_new_uid(fresh);
    record->kind = kind_name(object->kind);
    record->name = object->name;
    record->uid = uid ? uid : arena_strdup(arena, fresh);
    return record;
}

struct sealing {
    struct state *state;
    struct arena *arena;
};

static int seal(void *context, const char **value, struct error *error)
{
    const struct sealing *sealing = context;
    return state_seal(sealing->state, *value, sealing->arena, value, error);
}

/* The object's body as the record and the history may hold it. */
static int sealed_body(struct state *state, struct arena *arena, const struct object *object, void **body,
                       struct error *error)
{
    const struct table *table = kind_table(object->kind);
    struct sealing sealing = {.state = state, .arena = arena};
    *body = described_copy(arena, table, object->body);
    int result = fields_replace_hidden(table, *body, seal, &sealing, error);
    return result < 0 ? error_wrap(error, result, "%s %s", kind_name(object->kind), object->name) : 0;
}

int record_describe(struct state *state, struct arena *arena, struct record *record,
                    const struct object *object, struct error *error)
{
    void *body;
    int result = sealed_body(state, arena, object, &body, error);
    if (result < 0)
        return result;
    record->source = object->source;
    record->implicit = object->implicit;
    record->body = record_encode(arena, kind_table(object->kind), body);
    record->spec_file = object->place.file;
    record->spec_line = object->place.line;
    return 0;
}

static void set_phase(struct record *record, const char *phase, const char *reason)
{
    if (!record->phase || strcmp(record->phase, phase) != 0)
        record->since = now_seconds();
    record->phase = phase;
    record->reason = reason;
}

static int put_record(struct recorder *recorder, struct record *record, struct error *error)
{
    int result = writing(recorder, error);
    return result < 0
               ? result
               : state_put_record(recorder->execution->state, described_whole(&record_table, record), error);
}

static int delete_record(struct recorder *recorder, enum kind kind, const char *name, struct error *error)
{
    int result = writing(recorder, error);
    return result < 0 ? result
                      : state_delete_record(recorder->execution->state, kind_name(kind), name, error);
}

static bool has_action(const struct plan *plan, const struct entry *entry)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->entry == entry)
            return true;
    return false;
}

/* Who uses it and has no action of its own calls it by the new name from now on, as the view of the record does. */
static int follow_users(struct recorder *recorder, enum kind kind, const char *name, struct error *error)
{
    const struct execution *execution = recorder->execution;
    for (size_t i = 0; i < execution->actual->count; i++) {
        const struct entry *entry = &execution->actual->items[i];
        if (entry_is_retained(entry) || !plan_uses(&entry->object, kind, name) ||
            has_action(execution->plan, entry))
            continue;
        int result = record_describe(execution->state, recorder->arena, entry->record, &entry->object, error);
        if (result >= 0)
            result = put_record(recorder, entry->record, error);
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
    int result = writing(recorder, error);
    if (result >= 0)
        result = state_delete_record(recorder->execution->state, kind_name(kind), was, error);
    if (result >= 0)
        result = state_delete_lease(recorder->execution->state, kind_name(kind), was, error);
    return result < 0 ? result : follow_users(recorder, kind, name, error);
}

/* ---- before ---- */

static int put_lease(struct recorder *recorder, const struct lease *lease, struct error *error)
{
    int result = writing(recorder, error);
    return result < 0 ? result : state_put_lease(recorder->execution->state, lease, error);
}

static int put_leases(struct recorder *recorder, struct error *error)
{
    const struct grants *grants = &recorder->execution->plan->grants;
    int result = 0;
    for (size_t i = 0; i < grants->reclaimed_count && result >= 0; i++)
        result = put_lease(recorder, grants->reclaimed[i], error);
    for (size_t i = 0; i < grants->count && result >= 0; i++)
        if (grants->fresh[i])
            result = put_lease(recorder, grants->items[i], error);
    /* Of absent names, too: their places in a network that goes on under another name. */
    const struct renames *renames = recorder->execution->plan->renames;
    for (size_t i = 0; renames && i < renames->lease_count && result >= 0; i++) {
        enum kind kind;
        if (kind_parse(renames->leases[i]->kind, &kind) == 0 &&
            !grants_find(grants, kind, renames->leases[i]->name))
            result = put_lease(recorder, renames->leases[i], error);
    }
    return result;
}

static int drop_intent(struct recorder *recorder, const struct intent *intent, struct error *error)
{
    if (!intent || !intent->sequence)
        return 0;
    int result = writing(recorder, error);
    return result < 0 ? result : state_delete_intent(recorder->execution->state, intent->sequence, error);
}

/* What earlier runs left: of one object, or (NULL) of what is shared, which every plan looks at afresh. */
static int drop_old_intents(struct recorder *recorder, const struct action *action, struct error *error)
{
    const struct snapshot *snapshot = recorder->execution->actual->snapshot;
    int result = 0;
    for (size_t i = 0; i < snapshot->intent_count && result >= 0; i++) {
        const struct intent *intent = snapshot->intents[i];
        bool same =
            action ? intent->kind && strcmp(intent->kind, kind_name(action->kind)) == 0 &&
                         (strcmp(intent->name, action->name) == 0 || text_is_same(intent->name, action->was))
                   : !intent->kind;
        if (same)
            result = drop_intent(recorder, intent, error);
    }
    return result;
}

int recorder_begin(struct recorder *recorder, struct error *error)
{
    const struct plan *plan = recorder->execution->plan;
    if (!plan->count)
        return 0;
    int result = put_leases(recorder, error);
    if (result >= 0)
        result = drop_old_intents(recorder, NULL, error);
    for (size_t i = 0; i < plan->count && result >= 0; i++) {
        struct action *action = plan->actions[i];
        if ((action->verb != VERB_CREATE && action->verb != VERB_ADOPT) || action->entry)
            continue;
        struct record *record = record_new(recorder->arena, action->object, action->uid);
        action->uid = record->uid;
        set_phase(record, "pending", NULL);
        result = record_describe(recorder->execution->state, recorder->arena, record, action->object, error);
        if (result >= 0)
            result = put_record(recorder, record, error);
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

static const struct entry *layer_entry(const struct recorder *recorder, const struct object *container)
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
    const struct entry *layer = layer_entry(recorder, action->object);
    const struct world *world = recorder->execution->world;
    bool there =
        world_has_layer(world, target_layer_file(target, action->object)) ||
        (layer && layer->was && world_has_layer(world, paths_file_name(recorder->arena, layer->was)));
    if (there && layer && layer->facts->digest && !target_has_fresh_layer(target, action->object))
        return layer->facts->digest;
    return get_digest(recorder, target_image(target, action->object));
}

int recorder_intend(struct recorder *recorder, const char *text, const struct action *action,
                    const struct steps *steps, struct intent **intent, struct error *error)
{
    struct intent *fresh = described_new(recorder->arena, &intent_table);
    *intent = fresh;
    if (!steps->count)
        return 0; /* nothing outside the record is going to happen */
    fresh->action = text;
    if (action) {
        fresh->kind = kind_name(action->kind);
        fresh->name = action->name;
        fresh->verb = verb_name(action->verb);
    }
    fresh->steps.items = arena_array_of(recorder->arena, const char *, steps->count);
    for (size_t i = 0; i < steps->count; i++)
        fresh->steps.items[fresh->steps.count++] = step_type(steps->items[i].kind)->name;
    fresh->begun = now_seconds();
    int result = writing(recorder, error);
    return result < 0
               ? result
               : state_put_intent(recorder->execution->state, described_whole(&intent_table, fresh), error);
}

/* ---- after ---- */

static void take_facts(struct recorder *recorder, const struct action *action, const struct steps *steps,
                       void *const *results, size_t count, struct facts *facts)
{
    for (size_t i = 0; i < count && i < steps->count; i++) {
        if (!results[i])
            continue;
        if (steps->items[i].kind == STEP_IMAGE_MAKE) {
            const struct image_made *made = results[i];
            facts->digest = made->digest;
            facts->bytes = made->bytes;
            set_digest(recorder, action->name, arena_strdup(recorder->arena, made->digest));
        } else if (steps->items[i].kind == STEP_CONTAINER_START) {
            const struct container_started *started = results[i];
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
}

static bool has_step(const struct steps *steps, enum step_kind kind)
{
    for (size_t i = 0; i < steps->count; i++)
        if (steps->items[i].kind == kind)
            return true;
    return false;
}

/* An implicit layer has no action of its own; it is made with its container. */
static int put_implicit_layer(struct recorder *recorder, const struct action *action, const char *digest,
                              struct error *error)
{
    const struct container *body = action->object->body;
    const char *name = body->layer ? body->layer : action->name;
    const struct object *layer = object_find(&recorder->execution->plan->all, KIND_LAYER, name);
    if (!layer)
        return 0;
    const struct entry *entry = actual_find(recorder->execution->actual, KIND_LAYER, name);
    struct record *record = entry ? entry->record : record_new(recorder->arena, layer, NULL);
    struct facts *facts = entry ? entry->facts : described_new(recorder->arena, &facts_table);
    int result = record_describe(recorder->execution->state, recorder->arena, record, layer, error);
    if (result < 0)
        return result;
    record->generation = record->generation ? record->generation : 1;
    facts->digest = digest;
    record->facts = record_encode(recorder->arena, &facts_table, described_whole(&facts_table, facts));
    set_phase(record, "running", NULL);
    result = put_record(recorder, record, error);
    return result < 0 || !entry ? result : forget_old_name(recorder, KIND_LAYER, name, entry->was, error);
}

static int retain(struct recorder *recorder, struct record *record, struct error *error)
{
    record->source = NULL;
    set_phase(record, "retained", NULL);
    return put_record(recorder, record, error);
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
    if (!has_step(steps, STEP_ROOT_MOUNT) && !verb_is_of_data(action->verb) && action->verb != VERB_RENAME)
        return plan_field_changed(&action->causes, "retain")
                   ? put_implicit_layer(recorder, action, facts->digest, error)
                   : 0;
    facts->digest = recorder_digest(recorder, target, action);
    int result = put_implicit_layer(recorder, action, facts->digest, error);
    return result < 0 ? result : retain_left_layer(recorder, action, error);
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
        facts->digest = action->digest;
    contest_note(recorder->arena, &facts->repairs, &action->causes, contest_now());
    if (action->kind == KIND_CONTAINER)
        result = record_container(recorder, action, target, steps, facts, error);
    if (result >= 0)
        result = record_describe(recorder->execution->state, recorder->arena, record, action->object, error);
    if (result < 0)
        return result;
    record->generation = action->generation;
    /* Whoever adopts what does not run does not ask for it to be started. */
    if (action->verb == VERB_ADOPT && !facts->init_pid)
        record->stopped_by = "stopped when it was adopted";
    record->facts = record_encode(recorder->arena, &facts_table, described_whole(&facts_table, facts));
    if (action->verb == VERB_STOP || (action->verb == VERB_ADOPT && record->stopped_by)) {
        if (action->verb == VERB_STOP)
            record->stopped_by = recorder->execution->stopped_by;
        set_phase(record, "stopped", record->stopped_by);
    } else if (!verb_is_of_data(action->verb)) {
        if (action->verb != VERB_UPDATE && action->verb != VERB_REPAIR && !action->rests)
            record->stopped_by = NULL;
        if (!record->stopped_by && !action->rests)
            set_phase(record, "running", NULL);
    }
    result = put_record(recorder, record, error);
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
    return put_lease(recorder, lease, error);
}

static int record_gone(struct recorder *recorder, const struct action *action, struct error *error)
{
    if (action->verb == VERB_RETAIN)
        return retain(recorder, action->entry->record, error);
    int result = delete_record(recorder, action->kind, action->name, error);
    if (result >= 0)
        result = note_leaving(recorder, action, error);
    const struct entry *layer =
        action->kind == KIND_CONTAINER && !container_is_adopted(action->entry->object.body)
            ? layer_entry(recorder, &action->entry->object)
            : NULL;
    if (result >= 0 && layer && layer->object.implicit)
        result = entry_is_thrown_away(layer) ? delete_record(recorder, KIND_LAYER, layer->name, error)
                                             : retain(recorder, layer->record, error);
    return result;
}

int recorder_done(struct recorder *recorder, struct action *action, const struct target *target,
                  const struct steps *steps, void *const *results, size_t result_count, struct intent *intent,
                  struct error *error)
{
    int result = drop_intent(recorder, intent, error);
    if (result < 0 || !action)
        return result;
    result = drop_old_intents(recorder, action, error);
    if (result < 0)
        return result;
    return action->object ? record_made(recorder, action, target, steps, results, result_count, error)
                          : record_gone(recorder, action, error);
}

/* The body stays what was last applied, so that the next plan finds the same difference again; and the intent stays,
 * since nobody knows how far the steps came. */
int recorder_failed(struct recorder *recorder, struct action *action, const char *message,
                    struct intent *intent, struct error *error)
{
    (void)intent;
    if (!action || !action->entry)
        return 0;
    struct record *record = action->entry->record;
    record->reason = arena_strdup(recorder->arena, message);
    record->name = action->entry->was ? action->entry->was : record->name; /* as which it is still recorded */
    int result = put_record(recorder, record, error);
    record->name = action->entry->name;
    return result;
}

/* ---- the end ---- */

static size_t count_declared(const struct plan *plan, const char *source)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->all.count; i++) {
        const struct object *object = plan->all.items[i];
        count += !object->implicit && object->kind != KIND_IMAGE && object->source &&
                 strcmp(object->source, source) == 0;
    }
    return count;
}

static struct source *recorded_source(const struct recorder *recorder, const char *name)
{
    const struct snapshot *snapshot = recorder->execution->actual->snapshot;
    for (size_t i = 0; i < snapshot->source_count; i++)
        if (strcmp(snapshot->sources[i]->name, name) == 0)
            return snapshot->sources[i];
    return NULL;
}

static int print_set(struct recorder *recorder, const struct object_set *set, struct buffer *text,
                     struct error *error)
{
    struct object_set sealed = {.items = arena_array_of(recorder->arena, struct object *, set->count)};
    for (; sealed.count < set->count; sealed.count++) {
        struct object *copy = arena_copy(recorder->arena, set->items[sealed.count], sizeof(*copy));
        int result = sealed_body(recorder->execution->state, recorder->arena, copy, &copy->body, error);
        if (result < 0)
            return result;
        sealed.items[sealed.count] = copy;
    }
    specs_print(&sealed, text);
    return 0;
}

static int put_generation(struct recorder *recorder, const struct source *source,
                          const struct execution_result *done, struct error *error)
{
    const struct plan *plan = recorder->execution->plan;
    struct generation *generation = described_new(recorder->arena, &generation_table);
    generation->source = source->name;
    generation->number = source->generation;
    generation->applied = source->applied;
    generation->digest = source->digest;
    for (size_t i = 0; i < plan->count; i++)
        *arena_append(recorder->arena, generation->actions.items, generation->actions.count) =
            arena_printf(recorder->arena, "%s: %s", action_text(recorder->arena, plan->actions[i]),
                         outcome_name(done->items[i].outcome));
    _cleanup_buffer_ struct buffer text = {0};
    int result = print_set(recorder, &plan->all, &text, error);
    if (result < 0)
        return result;
    generation->set =
        (struct bytes){.data = arena_copy(recorder->arena, text.bytes, text.length), .size = text.length};
    return state_put_generation(recorder->execution->state, described_whole(&generation_table, generation),
                                error);
}

int recorder_end(struct recorder *recorder, const struct execution_result *done, struct error *error)
{
    const struct execution *execution = recorder->execution;
    int result = 0;
    for (size_t i = 0; i < execution->source_count && execution->plan->count && result >= 0; i++) {
        const struct spec_source *given = &execution->sources[i];
        struct source *source = recorded_source(recorder, given->name);
        if (!source)
            source = described_new(recorder->arena, &source_table);
        source->name = given->name;
        source->path = given->argument;
        source->down = execution->down;
        source->generation++;
        source->digest = execution->digest;
        source->applied = now_seconds();
        source->objects = (int64_t)count_declared(execution->plan, given->name);
        result = writing(recorder, error);
        if (result >= 0)
            result = state_put_source(execution->state, described_whole(&source_table, source), error);
        if (result >= 0)
            result = put_generation(recorder, source, done, error);
    }
    if (result >= 0)
        result = recorder_flush(recorder, error);
    return result < 0 || !execution->plan->count ? result : state_trim_secrets(execution->state, error);
}
