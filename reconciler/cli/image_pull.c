/* image pull: what a source has today. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/cli/image.h"
#include "reconciler/looks.h"

/* SEMANTICS 12: the name is bound to what its source has today. What stands on it follows at the next apply. */
static struct action *pull_action(struct session *session, struct entry *entry)
{
    const bool is_built = image_is_built(entry->object.body); /* then it is its recipe */
    const enum verb verb = is_built ? VERB_FETCH : VERB_RECREATE;
    struct action *action = arena_new_of(session->arena, struct action);
    *action = (struct action){.id = arena_printf(session->arena, "%s %s", verb_name(verb), entry->object.id),
                              .kind = KIND_IMAGE,
                              .name = entry->name,
                              .verb = verb,
                              .class = is_built ? CLASS_LIVE : CLASS_RECREATE,
                              .object = &entry->object,
                              .entry = entry,
                              .uid = entry->record->uid};
    struct change *cause = arena_append(session->arena, action->causes.items, action->causes.count);
    *cause = (struct change){.field = "asked for", .class = CLASS_RECREATE};
    return action;
}

void image_plan_nothing(struct session *session, struct plan *plan)
{
    session_plan_recorded(session, plan);
    plan->actions = NULL;
    plan->count = plan->held_count = plan->resolver_count = plan->release_count = plan->await_count = 0;
    plan->rules_change_first = plan->rules_change_last = false;
}

/* Takes out what would be made of the same bytes again. Where a server does not say what it has, or the source is no
 * server, the pull itself finds out. */
static void leave_out_same(struct session *session, struct plan *plan)
{
    struct object_set set = {0};
    struct looks looks = {0};
    for (size_t i = 0; i < plan->count; i++)
        *arena_append(session->arena, set.items, set.count) = (struct object *)plan->actions[i]->object;
    const struct looks_request request = {.paths = &session->paths,
                                          .desired = &set,
                                          .actual = &session->actual,
                                          .policy = session->policy,
                                          .writes = true,
                                          .by_hand = true};
    looks_ask(&request, session->arena, &looks);
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct action *action = plan->actions[i];
        const struct world_look *look = NULL;
        for (size_t j = 0; j < looks.count && !look; j++)
            look = strcmp(looks.items[j].image, action->name) == 0 ? &looks.items[j] : NULL;
        if (!look || !look->answer || look->changed ||
            !world_has_image(&session->world, action->entry->facts->digest))
            plan->actions[kept++] = action;
        else if (!session->options->quiet)
            fprintf(stderr, "image %s is what its source has today\n", action->name);
    }
    plan->count = kept;
}

int image_pull(struct session *session)
{
    const struct options *options = session->options;
    struct error error = {0};
    struct plan plan;
    if (session_load_policy(session, &error) < 0)
        return fail_invalid(options, &session->problems);
    image_plan_nothing(session, &plan);
    for (size_t i = 1; i < options->argument_count; i++) {
        struct image_row row = {0};
        if (image_find(session, options->arguments[i], &row, &error) < 0)
            return fail(options, &error, EXIT_ERROR);
        struct entry *entry = row.entry ? actual_find(&session->actual, KIND_IMAGE, row.entry->name) : NULL;
        if (!entry) {
            error_set(&error, -EINVAL, "image %s has no name, and so no source", options->arguments[i]);
            return fail(options, &error, EXIT_ERROR);
        }
        const struct image *body = entry->object.body;
        if (image_is_built(body) && (!body->build->context || *body->build->context == '/')) {
            error_set(&error, -EINVAL,
                      "image %s is built from what this host has; fpsync build looks at that",
                      options->arguments[i]);
            return fail(options, &error, EXIT_ERROR);
        }
        if (!plan_acts_on(&plan, entry))
            *arena_append(session->arena, plan.actions, plan.count) = pull_action(session, entry);
    }
    leave_out_same(session, &plan);
    const struct execution_request request = {.stop_timeout = -1};
    return execute_and_report(session, &plan, &request);
}
