/* What is not done without being asked twice: SEMANTICS 3, 6 and 46. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/session.h"

/* A missing file, an empty folder, and files without a word are hardly ever meant; one that declares nothing any more
 * in so many words is believed of a person, not of an automatic run that may have met it half written. */
static bool is_suspicious(const struct session *session, const struct spec_source *source)
{
    if (!source->prunes || !session_holds(session, source->name))
        return false;
    if (source->is_missing || source->is_empty || !session->options->automatic)
        return source->is_missing || source->is_empty;
    for (size_t i = 0; i < session->set.objects.count; i++)
        if (strcmp(session->set.objects.items[i]->source, source->name) == 0)
            return false;
    return true;
}

int session_guard(const struct session *session, const struct plan *plan, struct error *error)
{
    if (session->settled)
        return 0;
    if (!session->snapshot.record_count && world_has_marked(&session->world))
        return error_set(error, -EPERM,
                         "objects with fpsync's mark exist, but the database %s is empty or missing; fpsync "
                         "doctor --rebuild "
                         "with the same files makes the record again, without touching them",
                         session->paths.state);
    if (plan->moved && !session->options->take_over)
        return error_set(error, -EPERM, "%s; --take-over moves it", plan->moved);
    for (size_t i = 0; i < session->set.source_count; i++)
        if (is_suspicious(session, &session->set.sources[i]) && plan->removals &&
            !session->options->allow_mass_delete)
            return error_set(
                error, -EPERM,
                "source %s is missing or empty, and what it declared would go (%zu of %zu objects); "
                "--allow-mass-delete removes it",
                session->set.sources[i].name, plan->removals, plan->recorded);
    if (plan->removals > 3 && plan->removals * 4 > plan->recorded && !session->options->allow_mass_delete)
        return error_set(
            error, -EPERM,
            "this run would remove %zu of %zu objects; --allow-mass-delete does it, fpsync plan lists them",
            plan->removals, plan->recorded);
    return 0;
}
