/* start, stop and restart: a person's wishes for containers and sets of them (SEMANTICS 18). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "reconciler/cli/cli.h"
#include "reconciler/members.h"

/* Who asks, and when: "stop" is remembered with it. */
static const char *who(struct arena *arena)
{
    const char *name = getenv("SUDO_USER");
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return arena_printf(arena, "stopped by %s at %s", name ? name : "root", when);
}

static const struct observed_container *seen_of(const struct session *session, const struct entry *entry)
{
    return world_container(&session->world, object_lxc_name(&session->paths, session->arena, &entry->object));
}

static struct action *wish(struct session *session, const struct plan *plan, struct entry *entry,
                           enum verb verb)
{
    const struct target target = {.paths = &session->paths,
                                  .arena = session->arena,
                                  .all = &plan->all,
                                  .grants = &plan->grants,
                                  .world = &session->world};
    struct action *action = arena_new_of(session->arena, struct action);
    *action = (struct action){
        .id = arena_printf(session->arena, "%s %s", verb_name(verb), entry->object.id),
        .kind = KIND_CONTAINER,
        .name = entry->name,
        .verb = verb,
        .class = CLASS_RESTART,
        .object = &entry->object,
        .entry = entry,
        .uid = entry->record->uid,
        .config_changed = entry_has_intent(&session->actual, entry) ||
                          plan_config_differs(&target, &entry->object, entry, seen_of(session, entry))};
    action->wakes = verb != VERB_STOP;
    action->unfinished = entry_has_intent(&session->actual, entry);
    if (verb == VERB_UPDATE)
        action->class = CLASS_LIVE;
    else if (verb != VERB_STOP)
        action->follow = follow_of(&target, &session->actual, &session->world, &entry->object, false);
    struct change *cause = arena_append(session->arena, action->causes.items, action->causes.count);
    *cause = (struct change){.field = "asked for", .class = CLASS_RESTART};
    return action;
}

static bool is_running(const struct session *session, const struct entry *entry)
{
    return container_is_up(seen_of(session, entry));
}

/* All that the arguments name, once each. */
static int find_asked(struct session *session, enum verb verb, struct members *asked, struct error *error)
{
    const struct options *options = session->options;
    *asked = (struct members){0};
    for (size_t i = 0; i < options->argument_count; i++) {
        struct members found;
        int result = members_find(session, options->arguments[i], &found, error);
        if (result < 0)
            return result;
        for (size_t j = 0; j < found.count; j++) {
            result = verb == VERB_STOP ? 0 : session_check_start(session, found.items[j], error);
            if (result < 0)
                return result;
            *arena_append(session->arena, asked->items, asked->count) = found.items[j];
        }
    }
    return 0;
}

/* What runs already is not started; but that it was stopped by hand is true no more, and what a start that was cut off
 * has left to do is done. */
static enum verb verb_now(const struct session *session, enum verb verb, const struct entry *entry)
{
    if (verb == VERB_START && is_running(session, entry))
        return VERB_UPDATE;
    return verb == VERB_RESTART && !is_running(session, entry) ? VERB_START : verb;
}

/* The plan of what is recorded gives leases and rules; of its actions none is done. */
static void plan_wishes(struct session *session, enum verb verb, const struct members *asked,
                        struct plan *plan)
{
    struct texts *names = verb == VERB_STOP ? &session->stops : &session->starts;
    for (size_t i = 0; i < asked->count; i++)
        *arena_append(session->arena, names->items, names->count) = asked->items[i]->name;
    session_plan_recorded(session, plan);
    plan->actions = NULL;
    plan->count = plan->resolver_count = 0;
    plan->rules_change_last = false;
    bool shares = verb != VERB_STOP;
    for (size_t i = 0; i < asked->count; i++) {
        struct entry *entry = asked->items[i];
        const enum verb now = verb_now(session, verb, entry);
        if ((now == VERB_UPDATE && !entry->record->stopped_by) || plan_acts_on(plan, entry))
            continue;
        struct action *action = wish(session, plan, entry, now);
        /* Of a set that others of run, no forward leads to who stops. */
        action->shares_rules = now != VERB_STOP || ((const struct container *)entry->object.body)->set;
        shares = shares || action->shares_rules;
        *arena_append(session->arena, plan->actions, plan->count) = action;
    }
    plan->rules_change_first = plan->rules_change_first && plan->count && shares;
}

static int act(const struct options *options, enum verb verb)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct members asked;
    struct plan plan;
    struct error error = {0};
    if (!options->argument_count) {
        error_set(&error, -EINVAL, "%s: which container? fpsync status -o name lists them", options->command);
        return fail(options, &error, EXIT_ERROR);
    }
    int result = session_open(options, SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    if (verb != VERB_STOP && session_load_policy(&session, &error) < 0)
        return fail_invalid(options, &session.problems);
    result = find_asked(&session, verb, &asked, &error);
    if (result < 0)
        return fail(options, &error, result == -EPERM ? EXIT_REFUSED : EXIT_ERROR);
    result = session_look(&session, &error);
    for (size_t i = 0; result >= 0 && verb != VERB_STOP && i < asked.count; i++) {
        result = session_check_layer(&session, asked.items[i], &error);
        if (result >= 0)
            result = session_check_volumes(&session, asked.items[i], &error);
    }
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    plan_wishes(&session, verb, &asked, &plan);
    const struct execution_request request = {.stopped_by = verb == VERB_STOP ? who(session.arena) : NULL,
                                              .stop_timeout = options->timeout};
    if (plan.count)
        return execute_and_report(&session, &plan, &request);
    plan.held_count = 0;
    if (options->output == OUTPUT_DATA)
        print_data(options, plan_to_json(&plan));
    return EXIT_IN_SYNC;
}

void start_again(const struct options *options, const struct texts *containers, struct arena *arena)
{
    struct options start = *options;
    char **names = arena_array_of(arena, char *, containers->count + 1);
    for (size_t i = 0; i < containers->count; i++)
        names[i] = arena_strdup(arena, containers->items[i]);
    start.arguments = names;
    start.argument_count = containers->count;
    start.output = OUTPUT_TABLE; /* standard output has the outcome of the command */
    run_start(&start);
}

int run_start(const struct options *options)
{
    return act(options, VERB_START);
}

int run_stop(const struct options *options)
{
    return act(options, VERB_STOP);
}

int run_restart(const struct options *options)
{
    return act(options, VERB_RESTART);
}
