#include "reconciler/cli/build_address.h"

#include <string.h>

#include "lib/error.h"
#include "reconciler/cli/image.h"

static bool is_fetched(const struct pairs *fetched, const char *url)
{
    for (size_t i = 0; i < fetched->count; i++)
        if (strcmp(fetched->items[i].key, url) == 0)
            return true;
    return false;
}

static void fetch_one(struct session *session, const char *url, struct pairs *fetched)
{
    struct error error = {0};
    void *done = NULL;
    if (is_fetched(fetched, url))
        return;
    struct build_address *request = builds_address(&session->builds_request, url, NULL, session->arena);
    int result = image_step(session, STEP_BUILD_ADDRESS, request, &done, &error);
    *arena_append(session->arena, fetched->items, fetched->count) =
        (struct pair){.key = url,
                      .value = result < 0 || !done ? arena_printf(session->arena, "!%s", error.text)
                                                   : ((const struct build_fetched *)done)->digest};
}

void build_fetch_addresses(struct session *session, const struct plan *plan)
{
    struct pairs *fetched = arena_new_of(session->arena, struct pairs);
    for (size_t i = 0; i < plan->count; i++) {
        const struct build_wish *wish = plan->actions[i]->verb == VERB_BUILD
                                            ? builds_find(&session->builds, plan->actions[i]->name)
                                            : NULL;
        for (size_t j = 0; wish && j < wish->build->addresses.count; j++)
            fetch_one(session, wish->build->addresses.items[j], fetched);
    }
    session->builds_request.held = fetched;
}
