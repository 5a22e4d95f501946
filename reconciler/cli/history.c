/* history: what was applied when, from the record. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"

#define TIME_SIZE sizeof("2026-01-02T03:04:05Z")

struct outcomes {
    size_t done, other;
};

static void time_print(int64_t seconds, char text[static TIME_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &utc));
}

/* The actions stand in the record as text: "start container shop/web: done". */
static struct outcomes outcomes_of(const struct generation *generation)
{
    struct outcomes outcomes = {0};
    for (size_t i = 0; i < generation->actions.count; i++) {
        const char *colon = strrchr(generation->actions.items[i], ':');
        bool done = colon && strcmp(colon, ": done") == 0;
        outcomes.done += done;
        outcomes.other += !done;
    }
    return outcomes;
}

static void print_generation(const struct options *options, const struct generation *generation)
{
    char when[TIME_SIZE], other[32] = "";
    const struct outcomes outcomes = outcomes_of(generation);
    time_print(generation->applied, when);
    if (outcomes.other)
        snprintf(other, sizeof(other), ", %zu not", outcomes.other);
    printf("%-40s %10" PRId64 "  %s  %zu done%s\n", generation->source, generation->number, when,
           outcomes.done, other);
    for (size_t i = 0; options->verbose && i < generation->actions.count; i++)
        printf("      %s\n", generation->actions.items[i]);
}

/* With -v the set as well: canonical YAML, in which values that may not be shown are names of such. */
static struct json *generation_json(const struct options *options, const struct generation *generation,
                                    struct arena *arena)
{
    char when[TIME_SIZE];
    struct json *object = json_new_object();
    time_print(generation->applied, when);
    json_set(object, "source", json_new_text(generation->source));
    json_set(object, "generation", json_new_number(generation->number));
    json_set(object, "applied", json_new_text(when));
    json_set(object, "digest", json_new_text(generation->digest));
    struct json *actions = json_set(object, "actions", json_new_array());
    for (size_t i = 0; i < generation->actions.count; i++)
        json_append(actions, json_new_text(generation->actions.items[i]));
    if (options->verbose)
        json_set(object, "set",
                 json_new_text(arena_strndup(arena, generation->set.size ? generation->set.data : "",
                                             generation->set.size)));
    return object;
}

/* Of one source, the newest first. */
static int show_source(const struct session *session, const char *source, struct json *list,
                       struct error *error)
{
    struct generation **items;
    size_t count;
    int result = state_read_history(session->state, source, session->arena, &items, &count, error);
    for (size_t i = result < 0 ? 0 : count; i-- > 0;)
        if (list)
            json_append(list, generation_json(session->options, items[i], session->arena));
        else
            print_generation(session->options, items[i]);
    return result;
}

static int check_source(const struct session *session, const char *source, struct error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < session->snapshot.source_count; i++) {
        const char *name = session->snapshot.sources[i]->name;
        if (strcmp(name, source) == 0)
            return 0;
        near = text_is_near(name, source) ? name : near;
    }
    return error_set(error, -ENOENT, "there is no source %s%s%s%s", source, near ? "; did you mean " : "",
                     near ? near : "", near ? "?" : "");
}

int run_history(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    const char *wanted = options->argument_count ? options->arguments[0] : NULL;
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0 && wanted)
        result = check_source(&session, wanted, &error);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    if (result >= 0 && !list && session.snapshot.source_count)
        printf("%-40s %10s  %-20s  %s\n", "SOURCE", "GENERATION", "APPLIED", "ACTIONS");
    for (size_t i = 0; i < session.snapshot.source_count && result >= 0; i++) {
        const char *source = session.snapshot.sources[i]->name;
        if (!wanted || strcmp(source, wanted) == 0)
            result = show_source(&session, source, list, &error);
    }
    if (result < 0) {
        if (list)
            json_free(list);
        return fail(options, &error, EXIT_ERROR);
    }
    if (list)
        print_list(options, "generations", list);
    return EXIT_IN_SYNC;
}
