#include "reconciler/ended.h"

#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"
#include "reconciler/recording.h"

bool container_ended(const struct entry *entry, const struct observed_container *seen, int64_t *status)
{
    if (seen && seen->exited) {
        *status = seen->exit_status;
        return true;
    }
    if ((seen && (seen->defined || seen->running)) || !entry || !entry->facts->ended)
        return false;
    return number_parse(entry->facts->ended, status) == 0;
}

static int begin(struct session *session, struct error *error)
{
    int result = session_write(session, error);
    return result < 0 ? result : state_begin(session->state, error);
}

static int put(struct session *session, struct entry *entry, const char *ended, struct error *error)
{
    entry->facts->ended = ended;
    int result = record_facts(session->state, session->arena, entry->record, entry->facts, error);
    return result < 0
               ? result
               : state_put_record(session->state, described_whole(&record_table, entry->record), error);
}

int ended_record(struct session *session, struct error *error)
{
    int result = 0;
    bool writing = false;
    for (size_t i = 0; i < session->actual.count && result >= 0; i++) {
        struct entry *entry = &session->actual.items[i];
        if (entry->kind != KIND_CONTAINER)
            continue;
        int64_t status;
        const struct observed_container *seen = world_container(
            &session->world, object_lxc_name(&session->paths, session->arena, &entry->object));
        const char *ended =
            container_ended(entry, seen, &status) ? arena_printf(session->arena, "%d", (int)status) : NULL;
        if (text_is_same(ended, entry->facts->ended))
            continue;
        if (!writing)
            result = begin(session, error);
        writing = true;
        if (result >= 0)
            result = put(session, entry, ended, error);
    }
    if (result >= 0 && writing)
        result = state_commit(session->state, error);
    return result;
}
