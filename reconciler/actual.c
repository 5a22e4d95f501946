#include "reconciler/actual.h"

#include <errno.h>
#include <string.h>

#include "drivers/paths.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/contest.h"
#include "reconciler/keyed.h"
#include "specs/image_config.h"

static const struct field facts_rows[] = {
    {.id = 1, .key = "digest", .type = FIELD_TEXT, .offset = offsetof(struct facts, digest)},
    {.id = 2, .key = "bytes", .type = FIELD_NUMBER, .offset = offsetof(struct facts, bytes)},
    {.id = 3, .key = "config_digest", .type = FIELD_TEXT, .offset = offsetof(struct facts, config_digest)},
    {.id = 4,
     .key = "definition_digest",
     .type = FIELD_TEXT,
     .offset = offsetof(struct facts, definition_digest)},
    {.id = 5, .key = "init_pid", .type = FIELD_NUMBER, .offset = offsetof(struct facts, init_pid)},
    {.id = 6, .key = "init_start", .type = FIELD_NUMBER, .offset = offsetof(struct facts, init_start)},
    {.id = 7, .key = "boot", .type = FIELD_TEXT, .offset = offsetof(struct facts, boot)},
    {.id = 8,
     .key = "repairs",
     .type = FIELD_LIST,
     .offset = offsetof(struct facts, repairs),
     .nested = &repaired_table},
    {.id = 9, .key = "ended", .type = FIELD_TEXT, .offset = offsetof(struct facts, ended)},
    {.id = 10, .key = "config", .type = FIELD_TEXT, .offset = offsetof(struct facts, config)},
    {.id = 11, .key = "origin", .type = FIELD_TEXT, .offset = offsetof(struct facts, origin)},
    {.id = 18, .key = "probed", .type = FIELD_NUMBER, .offset = offsetof(struct facts, probed)},
    {.id = 19, .key = "ailment", .type = FIELD_TEXT, .offset = offsetof(struct facts, ailment)},
    {.id = 16, .key = "fetched", .type = FIELD_TEXT, .offset = offsetof(struct facts, fetched)},
    {.id = 12, .key = "made_of", .type = FIELD_TEXT, .offset = offsetof(struct facts, made_of)},
    {.id = 15, .key = "flagged", .type = FIELD_TEXT, .offset = offsetof(struct facts, flagged)},
    {.id = 17, .key = "context", .type = FIELD_TEXT, .offset = offsetof(struct facts, context)},
};
const struct table facts_table = {.name = "facts", .size = sizeof(struct facts), TABLE_ROWS(facts_rows)};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

struct unsealing {
    struct state *state;
    struct arena *arena;
};

static int unseal(void *context, const char **value, struct error *error)
{
    const struct unsealing *unsealing = context;
    return state_unseal(unsealing->state, *value, unsealing->arena, value, error);
}

/* The record's own bytes stay as they are: it may be written again. */
static int decode_copy(const struct table *table, struct bytes bytes, struct arena *arena, void **object,
                       struct error *error)
{
    return fields_decode_in_place(table, arena_strndup(arena, bytes.data ? bytes.data : "", bytes.size),
                                  bytes.size, arena, object, error);
}

static int decode_entry(struct state *state, struct record *record, struct arena *arena, struct entry *entry,
                        struct error *error)
{
    struct unsealing unsealing = {.state = state, .arena = arena};
    enum kind kind;
    void *body, *facts;
    if (kind_parse(record->kind, &kind) < 0)
        return error_set(error, -EBADMSG, "record of unknown kind \"%s\": written by a newer fpsync?",
                         record->kind);
    int result = decode_copy(kind_table(kind), record->body, arena, &body, error);
    if (result >= 0)
        result = decode_copy(&facts_table, record->facts, arena, &facts, error);
    if (result >= 0)
        result = fields_replace_hidden(kind_table(kind), body, unseal, &unsealing, error);
    const char **config = result >= 0 ? &((struct facts *)facts)->config : NULL;
    if (config && *config && strstr(*config, "sealed:")) /* reading one costs, and few have any */
        result = image_config_replace_hidden(arena, config, unseal, &unsealing, error);
    if (result < 0)
        return error_wrap(error, result, "record of %s %s", record->kind, record->name);
    struct described *head = body;
    head->place = (struct place){.file = record->spec_file, .line = (uint32_t)record->spec_line};
    *entry = (struct entry){
        .kind = kind,
        .name = record->name,
        .record = record,
        .facts = facts,
        .object = {.kind = kind,
                   .name = record->name,
                   .id = arena_join(arena, record->kind, '/', record->name),
                   .implicit = record->implicit,
                   .place = head->place,
                   .source = record->source,
                   .body = body},
    };
    return 0;
}

int actual_decode(struct state *state, const struct snapshot *snapshot, struct arena *arena,
                  struct actual *actual, struct error *error)
{
    *actual = (struct actual){.snapshot = snapshot,
                              .items = arena_array_of(arena, struct entry, snapshot->record_count + 1)};
    struct bytes *key = arena_new_of(arena, struct bytes);
    for (size_t i = 0; i < snapshot->record_count; i++) {
        struct entry *entry = &actual->items[i];
        int result = decode_entry(state, snapshot->records[i], arena, entry, error);
        entry->key = key;
        if (result >= 0 && !key->size && keyed_is_one(entry->facts->config_digest))
            result = state_key(state, false, arena, key, error);
        if (result < 0)
            return result;
        actual->count++;
    }
    qsort(actual->items, actual->count, sizeof(*actual->items), compare_entries);
    actual->by_id = index_make(arena, actual->items, actual->count, sizeof(*actual->items),
                               offsetof(struct entry, object.id));
    return 0;
}

struct entry *actual_find(const struct actual *actual, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    return index_find(&actual->by_id, object_id(kind, name, id));
}

const char *object_lxc_name(const struct paths *paths, struct arena *arena, const struct object *container)
{
    const struct container *body = container->body;
    return body->lxc_name ? body->lxc_name : paths_lxc_name(paths, arena, container->name);
}

const char *object_lost_value(const struct object *object, struct arena *arena)
{
    const struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
    for (size_t i = 0; body && i < body->env.count; i++)
        if (state_is_sealed(body->env.items[i].value))
            return arena_printf(arena, "env.%s", body->env.items[i].key);
    return NULL;
}

bool entry_is_retained(const struct entry *entry)
{
    return entry->record->phase && strcmp(entry->record->phase, "retained") == 0;
}

bool entry_is_unfinished(const struct entry *entry)
{
    return entry->record->generation == 0;
}

bool intent_is_of(const struct intent *intent, const struct entry *entry)
{
    return intent->kind && strcmp(intent->kind, entry->record->kind) == 0 &&
           strcmp(intent->name, entry->name) == 0;
}

bool entry_has_intent(const struct actual *actual, const struct entry *entry)
{
    for (size_t i = 0; i < actual->snapshot->intent_count; i++)
        if (intent_is_of(actual->snapshot->intents[i], entry))
            return true;
    return false;
}

bool entry_intends(const struct actual *actual, const struct entry *entry, const char *verb)
{
    for (size_t i = 0; i < actual->snapshot->intent_count; i++)
        if (intent_is_of(actual->snapshot->intents[i], entry) &&
            text_is_same(actual->snapshot->intents[i]->verb, verb))
            return true;
    return false;
}

bool entry_is_thrown_away(const struct entry *entry)
{
    const char *retain = entry->kind == KIND_VOLUME  ? ((const struct volume *)entry->object.body)->retain
                         : entry->kind == KIND_LAYER ? ((const struct layer *)entry->object.body)->retain
                                                     : "gc";
    return text_is_same(retain, "none");
}
