/* What a run found out about the health of containers. */
#include "reconciler/outcome_internal.h"

int recorder_probed(struct recorder *recorder, const struct await *await, const char *ailment,
                    struct error *error)
{
    const struct action *action = await->after;
    const struct entry *entry =
        action ? NULL : actual_find(recorder->execution->actual, KIND_CONTAINER, await->object->name);
    struct record *record = action ? action->record : entry ? entry->record : NULL;
    struct facts *facts = action ? action->facts : entry ? entry->facts : NULL;
    const bool is_news = facts && (!facts->probed || !facts->ailment != !ailment);
    if (!record || !(is_news || recorder->execution->plan->count))
        return 0;
    facts->probed = record_now();
    facts->ailment = arena_strdup(recorder->arena, ailment);
    int result = record_facts(recorder->execution->state, recorder->arena, record, facts, error);
    return result < 0 ? result : recorder_put_record(recorder, record, error);
}
