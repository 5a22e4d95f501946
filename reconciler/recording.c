#include "reconciler/recording.h"

#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "specs/image_config.h"

int64_t record_now(void)
{
    return (int64_t)time(NULL);
}

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

int record_seal(struct state *state, struct arena *arena, const struct object *object, void **body,
                struct error *error)
{
    const struct table *table = kind_table(object->kind);
    struct sealing sealing = {.state = state, .arena = arena};
    *body = described_copy(arena, table, object->body);
    int result = fields_replace_hidden(table, *body, seal, &sealing, error);
    return result < 0 ? error_wrap(error, result, "%s %s", kind_name(object->kind), object->name) : 0;
}

int record_facts(struct state *state, struct arena *arena, struct record *record, const struct facts *facts,
                 struct error *error)
{
    struct sealing sealing = {.state = state, .arena = arena};
    struct facts *sealed = arena_copy(arena, facts, sizeof(*facts));
    int result = image_config_replace_hidden(arena, &sealed->config, seal, &sealing, error);
    if (result < 0)
        return error_wrap(error, result, "%s %s", record->kind, record->name);
    record->facts = record_encode(arena, &facts_table, described_whole(&facts_table, sealed));
    return 0;
}

static int note(void *context, const char **value, struct error *error)
{
    bool *found = context;
    (void)error;
    *found = *found || (**value && !state_is_sealed(*value));
    return 0;
}

bool record_is_open(const struct entry *entry)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct bytes *bytes = &entry->record->facts;
    bool found = false;
    void *facts;
    if (!entry->facts->config ||
        fields_decode_in_place(&facts_table,
                               arena_strndup(arena, bytes->data ? bytes->data : "", bytes->size), bytes->size,
                               arena, &facts, NULL) < 0)
        return false;
    image_config_replace_hidden(arena, &((struct facts *)facts)->config, note, &found, NULL);
    return found;
}

int record_describe(struct state *state, struct arena *arena, struct record *record,
                    const struct object *object, struct error *error)
{
    void *body;
    int result = record_seal(state, arena, object, &body, error);
    if (result < 0)
        return result;
    record->source = object->source;
    record->implicit = object->implicit;
    record->body = record_encode(arena, kind_table(object->kind), body);
    record->spec_file = object->place.file;
    record->spec_line = object->place.line;
    return 0;
}

void record_set_phase(struct record *record, const char *phase, const char *reason)
{
    if (!record->phase || strcmp(record->phase, phase) != 0)
        record->since = record_now();
    record->phase = phase;
    record->reason = reason;
}
