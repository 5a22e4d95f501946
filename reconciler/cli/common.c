/* What the commands share: errors, output, and running a plan. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/report.h"

#define TASK_TIMEOUT 300000 /* milliseconds: DESIGN's 5m */

bool use_color(const struct options *options)
{
    if (strcmp(options->color, "always") == 0)
        return true;
    return strcmp(options->color, "auto") == 0 && !getenv("NO_COLOR") && isatty(STDOUT_FILENO);
}

void print_out(const struct buffer *text)
{
    if (text->length)
        fwrite(text->bytes, 1, text->length, stdout);
}

void print_err(const struct buffer *text)
{
    if (text->length)
        fwrite(text->bytes, 1, text->length, stderr);
}

int fail(const struct options *options, const struct error *error, enum exit_code code)
{
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "error", json_new_text(error->text));
        json_set(object, "code", json_new_number(code));
        print_data(options, object);
    } else {
        fprintf(stderr, "fpsync: %s\n", error->text);
    }
    return code;
}

int needs_root(const struct options *options, const char *command)
{
    struct error error;
    error_set(&error, -EPERM, "%s needs root", command);
    return fail(options, &error, EXIT_ERROR);
}

int fail_invalid(const struct options *options, const struct problems *problems)
{
    if (options->output == OUTPUT_DATA) {
        print_data(options, problems_to_json(problems));
        return EXIT_INVALID;
    }
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < problems->count; i++)
        problem_print(&problems->items[i], &text);
    print_err(&text);
    return EXIT_INVALID;
}

/* ---- running a plan ---- */

static volatile int interrupted;

/* Ending takes as long as what has begun: who asks for it learns that he was heard. */
static void interrupt(int signal)
{
    static const char text[] =
        "\nfpsync: interrupted: what has begun is finished first; once more, and that ends at once as well\n";
    (void)signal;
    const int saved = errno;
    if (!interrupted++ && write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        errno = 0; /* nobody listens */
    errno = saved;
}

static void tell_interrupted(const struct plan *plan, const struct execution_result *result)
{
    size_t left = 0;
    for (size_t i = 0; i < plan->count; i++)
        left += result->items[i].outcome == OUTCOME_CANCELED;
    if (!left) {
        fputs("fpsync: interrupted, with nothing left to do\n", stderr);
        return;
    }
    fprintf(stderr,
            "fpsync: interrupted: %zu of %zu actions were not done; the next run goes on from there\n", left,
            plan->count);
}

int take_interruptions(void)
{
    int count = interrupted;
    interrupted = 0;
    return count;
}

/* The one that is bound by most. */
static int64_t gate_timeout(const struct options *options)
{
    const int64_t bound = options->timeout >= 0 ? options->timeout : TASK_TIMEOUT;
    return options->wait < 0 ? bound : options->wait < bound || options->timeout < 0 ? options->wait : bound;
}

static void remember_failed(struct session *session, const struct plan *plan,
                            const struct execution_result *result)
{
    char id[OBJECT_ID_SIZE];
    for (size_t i = 0; i < plan->count; i++)
        if (result->items[i].outcome == OUTCOME_FAILED || result->items[i].outcome == OUTCOME_SKIPPED)
            *arena_append(session->arena, session->failed.items, session->failed.count) =
                arena_strdup(session->arena, object_id(plan->actions[i]->kind, plan->actions[i]->name, id));
}

int execute_and_report(struct session *session, const struct plan *plan,
                       const struct execution_request *request)
{
    const struct options *options = session->options;
    struct sigaction action = {.sa_handler = interrupt}, ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Whoever reads what is said may be gone, by the same Ctrl-C: what has begun is finished all the same. */
    sigaction(SIGPIPE, &ignored, NULL);
    struct error error = {0};
    struct json *own = NULL, **report = request->report ? request->report : &own;
    if (session_write(session, &error) < 0)
        return report_fail(options, report, &error, EXIT_ERROR);
    struct execution execution = {.paths = &session->paths,
                                  .plan = plan,
                                  .actual = &session->actual,
                                  .world = &session->world,
                                  .policy = session->policy,
                                  .state = session->state,
                                  .builds = &session->builds,
                                  .builds_request = &session->builds_request,
                                  .sources = request->sources,
                                  .source_count = request->source_count,
                                  .desired = &session->set.objects,
                                  .digest = request->digest,
                                  .down = request->down,
                                  .stopped_by = request->stopped_by,
                                  .parallel = options->parallel,
                                  .timeout = TASK_TIMEOUT,
                                  .stop_timeout = request->stop_timeout,
                                  .gate_timeout = gate_timeout(options),
                                  .interrupted = &interrupted};
    struct progress *progress = progress_new(options, plan->count, session->arena);
    progress_watch(progress, &execution);
    struct execution_result result;
    int executed = execute_plan(&execution, session->arena, &result, &error);
    progress_end(progress);
    if (executed < 0)
        return report_fail(options, report, &error, EXIT_ERROR);
    remember_failed(session, plan, &result);
    report_add(options, report, plan, &result);
    report_end(options, &own);
    for (size_t i = 0; i < result.gate_count; i++)
        fprintf(stderr, "fpsync: %s\n", result.gates[i]);
    if (result.canceled) {
        tell_interrupted(plan, &result);
        return EXIT_ERROR;
    }
    if (result.gates_late && !result.failed)
        return EXIT_NOT_HEALTHY;
    return result.failed || result.skipped || result.gate_count ? EXIT_SOME_FAILED : EXIT_IN_SYNC;
}
