/* Brings what earlier versions recorded into today's form, in the transaction of the first run that has something to write:
 * a new version alone changes nothing. */
#include <string.h>

#include "reconciler/keyed.h"
#include "reconciler/outcome_internal.h"

static bool is_plain(const char *digest)
{
    return digest && *digest && !keyed_is_one(digest);
}

static const char *keyed(struct recorder *recorder, const char *digest)
{
    return is_plain(digest) ? keyed_digest(recorder->arena, &recorder->key, digest) : digest;
}

/* Under the name that it has. */
static int put_facts(struct recorder *recorder, const struct entry *entry, struct error *error)
{
    struct record *record = entry->record;
    const char *name = record->name;
    int result = record_facts(recorder->execution->state, recorder->arena, record, entry->facts, error);
    if (result < 0)
        return result;
    record->name = entry->recorded ? entry->recorded : name;
    result = recorder_put_record(recorder, record, error);
    record->name = name;
    return result;
}

static int migrate_record(struct recorder *recorder, const struct entry *entry, struct error *error)
{
    struct facts *facts = entry->facts;
    if (entry->kind != KIND_CONTAINER || !keyed_is_needed(entry->object.body) ||
        (!is_plain(facts->config_digest) && !is_plain(facts->definition_digest)))
        return record_is_open(entry) ? put_facts(recorder, entry, error) : 0;
    int result = recorder_key(recorder, error);
    if (result < 0)
        return result;
    facts->config_digest = keyed(recorder, facts->config_digest);
    facts->definition_digest = keyed(recorder, facts->definition_digest);
    *entry->key = recorder->key;
    return put_facts(recorder, entry, error);
}

static int migrate_history(struct recorder *recorder, const char *source, struct error *error)
{
    struct state *state = recorder->execution->state;
    struct generation **items;
    size_t count;
    int result = state_read_history(state, source, recorder->arena, &items, &count, error);
    for (size_t i = 0; i < count && result >= 0; i++) {
        if (!is_plain(items[i]->digest))
            continue;
        items[i]->digest = keyed(recorder, items[i]->digest);
        result = state_put_generation(state, items[i], error);
    }
    return result;
}

static int migrate_source(struct recorder *recorder, struct source *source, struct error *error)
{
    if (!is_plain(source->digest))
        return 0;
    int result = recorder_key(recorder, error);
    if (result >= 0)
        result = recorder_writing(recorder, error);
    if (result < 0)
        return result;
    source->digest = keyed(recorder, source->digest);
    result = state_put_source(recorder->execution->state, source, error);
    return result < 0 ? result : migrate_history(recorder, source->name, error);
}

int recorder_migrate(struct recorder *recorder, struct error *error)
{
    const struct actual *actual = recorder->execution->actual;
    int result = 0;
    for (size_t i = 0; i < actual->count && result >= 0; i++)
        result = migrate_record(recorder, &actual->items[i], error);
    for (size_t i = 0; i < actual->snapshot->source_count && result >= 0; i++)
        result = migrate_source(recorder, actual->snapshot->sources[i], error);
    return result;
}
