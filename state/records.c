/* Structs to values and back: one pair of put and delete a kind of value, and the readings of all of them.
 *
 * A key says again what the value says; where the two differ the key was damaged (the checksum does not cover it). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "state/internal.h"

#define KEY_TEXT_BOUND 200 /* LMDB takes keys up to 511 bytes */

static int put(struct state *state, enum database database, const struct buffer *key,
               const struct table *table, const void *object, struct error *error);
static int delete_key(struct state *state, enum database database, const struct buffer *key,
                      struct error *error);
static int object_key(const struct state *state, const char *kind, const char *name, struct buffer *key,
                      struct error *error);
static void source_key(const char *name, struct buffer *key);
static void history_key(const char *source, int64_t number, struct buffer *key);
static int last_sequence(struct state *state, struct error *error);
static int read_snapshot(struct state *state, struct MDB_txn *txn, struct arena *arena, struct snapshot *out,
                         struct error *error);

/* ---- reading ---- */

int state_read(struct state *state, struct arena *arena, struct snapshot *out, struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    struct snapshot read = {.host = arena_strdup(arena, state->host)};
    if (state->env) {
        struct MDB_txn *txn;
        result = read_begin(state, &txn, error);
        if (result < 0)
            return result;
        result = read_snapshot(state, txn, arena, &read, error);
        read_end(txn);
        if (result < 0)
            return error_wrap(error, result, "state in %s", state->folder);
    }
    *out = read;
    return 0;
}

struct reading {
    struct state *state;
    struct arena *arena;
    struct snapshot *out;
    const char *source; /* of a history; NULL: of all sources */
    struct generation **generations;
    size_t generation_count;
};

/* For messages: the database and the key with its NUL and whatever damage made of it as '?'. */
static const char *key_text(struct arena *arena, const char *database, struct span key)
{
    size_t prefix = strlen(database) + 1;
    char *whole = arena_alloc(arena, prefix + key.size + 1);
    memcpy(whole, database, prefix - 1);
    whole[prefix - 1] = '/';
    memcpy(whole + prefix, key.data, key.size);
    for (size_t i = prefix; i < prefix + key.size; i++)
        if ((unsigned char)whole[i] < ' ' || (unsigned char)whole[i] > '~')
            whole[i] = '?';
    return whole;
}

static int check_key(const char *text, struct span key, const struct buffer *expected, struct error *error)
{
    if (key.size == expected->length && memcmp(key.data, expected->bytes, key.size) == 0)
        return 0;
    return error_set(error, -EBADMSG, "%s: damaged: the value belongs to another key", text);
}

static int missing(const char *text, const char *what, struct error *error)
{
    return error_set(error, -EBADMSG, "%s: damaged: it has no %s", text, what);
}

static int read_record(void *context, struct span key, struct span value, struct error *error)
{
    struct reading *reading = context;
    const char *text = key_text(reading->arena, "records", key);
    void *object;
    int result = value_decode(&record_table, text, value, reading->arena, &object, error);
    if (result < 0)
        return result;
    struct record *record = object;
    if (!record->kind || !record->name || !record->uid || !record->phase)
        return missing(text, !record->uid ? "uid" : !record->phase ? "phase" : "name", error);
    _cleanup_buffer_ struct buffer expected = {0};
    result = object_key(reading->state, record->kind, record->name, &expected, error);
    if (result == 0)
        result = check_key(text, key, &expected, error);
    if (result == 0)
        *arena_append(reading->arena, reading->out->records, reading->out->record_count) = record;
    return result;
}

static int read_lease(void *context, struct span key, struct span value, struct error *error)
{
    struct reading *reading = context;
    const char *text = key_text(reading->arena, "leases", key);
    void *object;
    int result = value_decode(&lease_table, text, value, reading->arena, &object, error);
    if (result < 0)
        return result;
    struct lease *lease = object;
    if (!lease->kind || !lease->name)
        return missing(text, "name", error);
    _cleanup_buffer_ struct buffer expected = {0};
    result = object_key(reading->state, lease->kind, lease->name, &expected, error);
    if (result == 0)
        result = check_key(text, key, &expected, error);
    if (result == 0)
        *arena_append(reading->arena, reading->out->leases, reading->out->lease_count) = lease;
    return result;
}

static int read_source(void *context, struct span key, struct span value, struct error *error)
{
    struct reading *reading = context;
    const char *text = key_text(reading->arena, "sources", key);
    void *object;
    int result = value_decode(&source_table, text, value, reading->arena, &object, error);
    if (result < 0)
        return result;
    struct source *source = object;
    if (!source->name)
        return missing(text, "name", error);
    _cleanup_buffer_ struct buffer expected = {0};
    source_key(source->name, &expected);
    result = check_key(text, key, &expected, error);
    if (result == 0)
        *arena_append(reading->arena, reading->out->sources, reading->out->source_count) = source;
    return result;
}

static int read_intent(void *context, struct span key, struct span value, struct error *error)
{
    struct reading *reading = context;
    const char *text = key_text(reading->arena, "journal", key);
    void *object;
    int result = value_decode(&intent_table, text, value, reading->arena, &object, error);
    if (result < 0)
        return result;
    struct intent *intent = object;
    _cleanup_buffer_ struct buffer expected = {0};
    buffer_printf(&expected, "%016" PRIx64, (uint64_t)intent->sequence);
    result = check_key(text, key, &expected, error);
    if (result == 0)
        *arena_append(reading->arena, reading->out->intents, reading->out->intent_count) = intent;
    return result;
}

static int read_snapshot(struct state *state, struct MDB_txn *txn, struct arena *arena, struct snapshot *out,
                         struct error *error)
{
    struct reading reading = {.state = state, .arena = arena, .out = out};
    int result = read_each(state, txn, DB_RECORDS, read_record, &reading, error);
    if (result == 0)
        result = read_each(state, txn, DB_LEASES, read_lease, &reading, error);
    if (result == 0)
        result = read_each(state, txn, DB_SOURCES, read_source, &reading, error);
    if (result == 0)
        result = read_each(state, txn, DB_JOURNAL, read_intent, &reading, error);
    out->leases_by_name = index_make_pointers(arena, (void *const *)out->leases, out->lease_count,
                                              offsetof(struct lease, name));
    return result;
}

int generation_of_value(struct span key, struct span value, struct arena *arena, struct generation **out,
                        struct error *error)
{
    const char *text = key_text(arena, "history", key);
    void *object;
    int result = value_decode(&generation_table, text, value, arena, &object, error);
    if (result < 0)
        return result;
    struct generation *generation = object;
    if (!generation->source)
        return missing(text, "source", error);
    _cleanup_buffer_ struct buffer expected = {0};
    history_key(generation->source, generation->number, &expected);
    result = check_key(text, key, &expected, error);
    if (result == 0)
        *out = generation;
    return result;
}

static int read_generation(void *context, struct span key, struct span value, struct error *error)
{
    struct reading *reading = context;
    if (reading->source) {
        _cleanup_buffer_ struct buffer prefix = {0};
        source_key(reading->source, &prefix);
        buffer_add(&prefix, "", 1);
        if (key.size < prefix.length || memcmp(key.data, prefix.bytes, prefix.length) != 0)
            return 0;
    }
    struct generation *generation;
    int result = generation_of_value(key, value, reading->arena, &generation, error);
    if (result == 0)
        *arena_append(reading->arena, reading->generations, reading->generation_count) = generation;
    return result;
}

static int read_history(struct reading *reading, struct error *error)
{
    int result = state_check_use(reading->state, error);
    if (result < 0 || !reading->state->env)
        return result;
    struct MDB_txn *txn;
    result = read_begin(reading->state, &txn, error);
    if (result < 0)
        return result;
    result = read_each(reading->state, txn, DB_HISTORY, read_generation, reading, error);
    read_end(txn);
    return result < 0 ? error_wrap(error, result, "state in %s", reading->state->folder) : 0;
}

int state_read_history(struct state *state, const char *source, struct arena *arena,
                       struct generation ***items, size_t *count, struct error *error)
{
    struct reading reading = {.state = state, .arena = arena, .source = source};
    int result = read_history(&reading, error);
    if (result < 0)
        return result;
    *items = reading.generations;
    *count = reading.generation_count;
    return 0;
}

static int add_to_digest(void *context, struct span key, struct span value, struct error *error)
{
    const uint64_t sizes[] = {key.size, value.size};
    (void)error;
    digest_add(context, sizes, sizeof(sizes));
    digest_add(context, key.data, key.size);
    digest_add(context, value.data, value.size);
    return 0;
}

int state_digest(struct state *state, char text[static DIGEST_TEXT_SIZE], struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    if (!state->env)
        return error_set(error, -ENOENT, "there is no state in %s", state->folder);
    struct MDB_txn *txn;
    result = read_begin(state, &txn, error);
    if (result < 0)
        return result;
    static const enum database databases[] = {DB_RECORDS, DB_LEASES, DB_SOURCES, DB_JOURNAL};
    _cleanup_digest_ struct digest *digest = digest_new();
    digest_add(digest, state->host, sizeof(state->host));
    for (size_t i = 0; i < sizeof(databases) / sizeof(*databases) && result == 0; i++) {
        digest_add(digest, &databases[i], sizeof(databases[i]));
        result = read_each(state, txn, databases[i], add_to_digest, digest, error);
    }
    read_end(txn);
    if (result == 0)
        digest_finish(digest, text);
    return result;
}

int state_read_everything(struct state *state, struct arena *arena, struct error *error)
{
    struct snapshot snapshot;
    int result = state_read(state, arena, &snapshot, error);
    if (result < 0)
        return result;
    struct reading reading = {.state = state, .arena = arena};
    return read_history(&reading, error);
}

/* ---- writing ---- */

int state_put_record(struct state *state, const struct record *record, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    int result = object_key(state, record->kind, record->name, &key, error);
    if (result < 0)
        return result;
    /* Reading refuses a record without these, so writing must. */
    if (!record->uid || !record->phase)
        return error_set(error, -EINVAL, "record of %s %s has no %s", record->kind, record->name,
                         record->uid ? "phase" : "uid");
    return put(state, DB_RECORDS, &key, &record_table, record, error);
}

int state_delete_record(struct state *state, const char *kind, const char *name, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    int result = object_key(state, kind, name, &key, error);
    return result < 0 ? result : delete_key(state, DB_RECORDS, &key, error);
}

int state_put_lease(struct state *state, const struct lease *lease, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    int result = object_key(state, lease->kind, lease->name, &key, error);
    for (size_t i = 0; result == 0 && i < lease->addresses.count; i++)
        if (!item_key(&lease_address_table, lease->addresses.items[i]))
            result = error_set(error, -EINVAL, "lease of %s %s: address %zu has no network", lease->kind,
                               lease->name, i + 1);
    return result < 0 ? result : put(state, DB_LEASES, &key, &lease_table, lease, error);
}

int state_delete_lease(struct state *state, const char *kind, const char *name, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    int result = object_key(state, kind, name, &key, error);
    return result < 0 ? result : delete_key(state, DB_LEASES, &key, error);
}

int state_put_source(struct state *state, const struct source *source, struct error *error)
{
    if (!source->name || !*source->name)
        return error_set(error, -EINVAL, "a source without a name");
    _cleanup_buffer_ struct buffer key = {0};
    source_key(source->name, &key);
    return put(state, DB_SOURCES, &key, &source_table, source, error);
}

int state_delete_source(struct state *state, const char *name, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    source_key(name, &key);
    return delete_key(state, DB_SOURCES, &key, error);
}

int state_put_intent(struct state *state, struct intent *intent, struct error *error)
{
    struct intent numbered = *intent;
    if (!numbered.sequence) {
        int result = last_sequence(state, error);
        if (result < 0)
            return result;
        numbered.sequence = state->sequence + 1;
    }
    _cleanup_buffer_ struct buffer key = {0};
    buffer_printf(&key, "%016" PRIx64, (uint64_t)numbered.sequence);
    int result = put(state, DB_JOURNAL, &key, &intent_table, &numbered, error);
    if (result < 0)
        return result;
    intent->sequence = numbered.sequence;
    if (numbered.sequence > state->sequence)
        state->sequence = numbered.sequence;
    return 0;
}

int state_delete_intent(struct state *state, int64_t sequence, struct error *error)
{
    _cleanup_buffer_ struct buffer key = {0};
    buffer_printf(&key, "%016" PRIx64, (uint64_t)sequence);
    return delete_key(state, DB_JOURNAL, &key, error);
}

int state_put_generation(struct state *state, const struct generation *generation, struct error *error)
{
    if (!generation->source || !*generation->source)
        return error_set(error, -EINVAL, "a generation without a source");
    _cleanup_buffer_ struct buffer key = {0}, prefix = {0};
    history_key(generation->source, generation->number, &key);
    int result = put(state, DB_HISTORY, &key, &generation_table, generation, error);
    if (result < 0)
        return result;
    source_key(generation->source, &prefix);
    buffer_add(&prefix, "", 1);
    const struct operation trim = {.database = DB_HISTORY,
                                   .verb = OPERATION_TRIM,
                                   .key = {prefix.bytes, prefix.length},
                                   .newest = generation->number,
                                   .now = generation->applied};
    return queue_operation(state, &trim, error);
}

static int put(struct state *state, enum database database, const struct buffer *key,
               const struct table *table, const void *object, struct error *error)
{
    _cleanup_buffer_ struct buffer value = {0};
    value_encode(table, object, &value);
    const struct operation operation = {.database = database,
                                        .verb = OPERATION_PUT,
                                        .key = {key->bytes, key->length},
                                        .value = {value.bytes, value.length}};
    return queue_operation(state, &operation, error);
}

static int delete_key(struct state *state, enum database database, const struct buffer *key,
                      struct error *error)
{
    const struct operation operation = {
        .database = database, .verb = OPERATION_DELETE, .key = {key->bytes, key->length}};
    return queue_operation(state, &operation, error);
}

/* The last intent in the journal, once; from then on the process counts by itself, so that a number is not given
 * out again after its intent is gone. */
static int last_sequence(struct state *state, struct error *error)
{
    if (state->sequence || !state->env)
        return 0;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct snapshot snapshot = {0};
    struct reading reading = {.state = state, .arena = arena, .out = &snapshot};
    struct MDB_txn *txn;
    int result = read_begin(state, &txn, error);
    if (result < 0)
        return result;
    result = read_each(state, txn, DB_JOURNAL, read_intent, &reading, error);
    read_end(txn);
    if (result == 0 && snapshot.intent_count)
        state->sequence = snapshot.intents[snapshot.intent_count - 1]->sequence;
    return result;
}

/* ---- keys ---- */

static int object_key(const struct state *state, const char *kind, const char *name, struct buffer *key,
                      struct error *error)
{
    if (!kind || !name || !*kind || !*name || strchr(kind, '/') ||
        strlen(kind) + strlen(name) > KEY_TEXT_BOUND)
        return error_set(error, -EINVAL, "%s \"%s\" cannot be the name of a record", kind ? kind : "object",
                         name ? name : "");
    buffer_printf(key, "%s/%s/%s", state->host, kind, name);
    return 0;
}

/* Names of sources are paths and may be longer than a key: those go by their digest. */
static void source_key(const char *name, struct buffer *key)
{
    if (strlen(name) <= KEY_TEXT_BOUND && *name != '#') {
        buffer_text(key, name);
        return;
    }
    char digest[DIGEST_TEXT_SIZE];
    digest_of(name, strlen(name), digest);
    buffer_printf(key, "#%s", digest);
}

static void history_key(const char *source, int64_t number, struct buffer *key)
{
    source_key(source, key);
    buffer_add(key, "", 1);
    buffer_printf(key, "%016" PRIx64, (uint64_t)number);
}
