/* validate, plan, apply and down: from a set of specs to a plan, and from there to the host. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/build_address.h"
#include "reconciler/cli/build_cache.h"
#include "reconciler/cli/build_shell.h"
#include "reconciler/cli/confirm.h"
#include "reconciler/cli/report.h"
#include "reconciler/plan_file.h"
#include "reconciler/settled.h"

#define TOLD_LIMIT (1024 * 1024) /* bytes of what an automatic run said last of held changes */

static void tell_held_back(const struct session *session)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < session->problems.count; i++)
        problem_print(&session->problems.items[i], &text);
    for (size_t i = 0; i < session->held_back.count; i++)
        buffer_printf(&text, "fpsync: %s is held back; what it declared before stays in force\n",
                      session->held_back.items[i]);
    print_err(&text);
}

/* Nobody need answer for what is there to serve on. */
static void tell_silent(const struct session *session)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < session->looks.count; i++)
        if (session->looks.items[i].trouble)
            buffer_printf(&text, "fpsync: image %s stays what it is: %s\n", session->looks.items[i].image,
                          session->looks.items[i].trouble);
    print_err(&text);
}

/* Record, specs, world, plan. Returns -1, or the exit code to end with. */
static int decide(struct session *session, struct plan *plan)
{
    const struct options *options = session->options;
    struct error error = {0};
    int result = session_read(session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    result = session_load(session, &error);
    if (session->problems.count && !session->held_back.count)
        return fail_invalid(options, &session->problems);
    if (session->held_back.count)
        tell_held_back(session);
    if (result >= 0)
        result = session_look(session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    session_plan(session, plan);
    tell_silent(session);
    return -1;
}

/* Whether there is anything to decide comes first. Returns -1, or the exit code to end with. */
static int prepare(struct session *session, enum session_mode mode, struct plan *plan)
{
    const struct options *options = session->options;
    struct error error = {0};
    *plan = (struct plan){0};
    int result = session_enter(options, mode, session, &error);
    if (result == -EWOULDBLOCK && options->automatic) {
        fprintf(stderr, "fpsync: %s; this automatic run ends\n", error.text);
        return EXIT_IN_SYNC;
    }
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    const bool settled = settled_holds(session),
               doubted = settled && settled_is_doubted && settled_is_doubted();
    session->settled = settled && !doubted;
    if (session->settled)
        return -1;
    const int code = decide(session, plan);
    if (doubted && (code >= 0 || plan->count || plan->held_count || plan->moved)) {
        fputs("fpsync: this run was taken for settled, and is not\n", stderr);
        abort();
    }
    return code;
}

/* 0, or the exit code of a refusal: the plan is not the one that was shown. */
static int compare_plans(const struct session *session, const struct json *shown, const struct plan *plan,
                         const char *which)
{
    _cleanup_json_ struct json *now = plan_document(plan, &session->set);
    const char *difference = plan_difference(shown, now, session->arena);
    struct error error;
    if (!difference)
        return 0;
    error_set(&error, -EPERM, "the plan is not the one %s any more: %s", which, difference);
    return fail(session->options, &error, EXIT_REFUSED);
}

static int check_plan_file(const struct session *session, const struct plan *plan)
{
    _cleanup_json_ struct json *file = NULL;
    struct error error = {0};
    if (!session->options->plan)
        return 0;
    if (plan_file_read(session->options->plan, &file, &error) < 0)
        return fail(session->options, &error, EXIT_ERROR);
    return compare_plans(session, file, plan, arena_printf(session->arena, "in %s", session->options->plan));
}

static int look_and_plan(struct session *session, struct plan *plan)
{
    struct error error = {0};
    session->actual = session->record;
    if (session_look(session, &error) < 0)
        return fail(session->options, &error, EXIT_ERROR);
    session_plan(session, plan);
    return 0;
}

/* What came from standard input was there once. */
static int load_again(struct session *session)
{
    struct error error = {0};
    if (options_read_stdin(session->options))
        return 0;
    session->actual = session->record;
    session->set = (struct spec_set){0};
    int result = session_load(session, &error);
    if (session->problems.count)
        return fail_invalid(session->options, &session->problems);
    return result < 0 ? fail(session->options, &error, EXIT_ERROR) : 0;
}

static int load_and_plan(struct session *session, struct plan *plan)
{
    struct error error = {0};
    int code = load_again(session);
    if (code == 0)
        code = look_and_plan(session, plan);
    if (code == 0 && session_guard(session, plan, &error) < 0)
        code = fail(session->options, &error, EXIT_REFUSED);
    return code;
}

/* What the command line says of an image that is as it is to be has no plan to be told in. */
static void tell_flags_in_vain(const struct session *session, const struct plan *plan)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (session->options->output == OUTPUT_DATA || session->options->quiet)
        return;
    for (size_t i = 0; i < session->builds.count; i++) {
        const struct build_wish *wish = &session->builds.items[i];
        bool acts = !wish->has_flags;
        for (size_t j = 0; j < plan->count && !acts; j++)
            acts = plan->actions[j]->kind == KIND_IMAGE &&
                   strcmp(plan->actions[j]->name, wish->image->name) == 0;
        for (size_t j = 0; j < wish->build->warnings.count && !acts; j++) {
            buffer_text(&text, "warning: ");
            problem_print(&wish->build->warnings.items[j], &text);
        }
    }
    print_err(&text);
}

/* Of recipes: they are no reason not to build. */
static void tell_warnings(const struct builds *builds)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < builds->count; i++) {
        const struct problems *const all[] = {&builds->items[i].recipe->warnings,
                                              &builds->items[i].build->warnings};
        for (size_t j = 0; j < 2; j++)
            for (size_t k = 0; k < all[j]->count; k++) {
                buffer_text(&text, "warning: ");
                problem_print(&all[j]->items[k], &text);
            }
    }
    print_err(&text);
}

int run_validate(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result == -EACCES) { /* without root the record is closed to us: check the files alone */
        session_close(&session);
        session = (struct session){.options = options, .arena = arena_new(), .lock = -1};
        result = paths_make(options->root, session.arena, &session.paths, &error);
    }
    if (result >= 0)
        result = session_load(&session, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    if (options->output == OUTPUT_DATA)
        print_data(options, problems_to_json(&session.problems));
    else if (!options->quiet)
        tell_warnings(&session.builds);
    for (size_t i = 0; options->output == OUTPUT_NAME && i < session.set.objects.count; i++)
        printf("%s\n", session.set.objects.items[i]->id);
    if (options->output == OUTPUT_TABLE && !options->quiet)
        printf("%zu object%s, no errors\n", session.set.objects.count,
               session.set.objects.count == 1 ? "" : "s");
    return EXIT_IN_SYNC;
}

void show_plan(const struct options *options, const struct plan *plan)
{
    if (options->output == OUTPUT_DATA) {
        print_data(options, plan_to_json(plan));
        return;
    }
    _cleanup_buffer_ struct buffer text = {0};
    if (options->output == OUTPUT_NAME)
        for (size_t i = 0; i < plan->count; i++)
            buffer_printf(&text, "%s/%s\n", kind_name(plan->actions[i]->kind), plan->actions[i]->name);
    else
        plan_print(plan, use_color(options), options->verbose, &text);
    print_out(&text);
}

int run_plan(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct plan plan;
    struct error error = {0};
    int code = prepare(&session, SESSION_READ, &plan);
    if (code >= 0)
        return code;
    bool pending = plan.count || plan.held_count;
    if (pending || !options->quiet || options->output == OUTPUT_DATA)
        show_plan(options, &plan);
    tell_flags_in_vain(&session, &plan);
    if (options->out) {
        _cleanup_json_ struct json *document = plan_document(&plan, &session.set);
        if (plan_file_write(options->out, document, &error) < 0)
            return fail(options, &error, EXIT_ERROR);
    }
    if (session_guard(&session, &plan, &error) < 0) {
        fprintf(stderr, "fpsync: apply would refuse: %s\n", error.text);
        return EXIT_REFUSED;
    }
    return pending ? EXIT_PENDING : EXIT_IN_SYNC;
}

/* --wait: of this run's sources, what runs or is about to. */
static void await_all(struct session *session, struct plan *plan)
{
    for (size_t i = 0; i < session->set.objects.count; i++) {
        const struct object *object = session->set.objects.items[i],
                            *final = object_find(&plan->all, object->kind, object->name);
        const struct entry *entry = actual_find(&session->actual, object->kind, object->name);
        if (object->kind == KIND_CONTAINER && final && plan_probes(final) && entry &&
            !entry->record->stopped_by &&
            container_is_up(
                world_container(&session->world, object_lxc_name(&session->paths, session->arena, final))))
            plan_await_health(plan, session->arena, final);
    }
}

static int execute_set(struct session *session, struct plan *plan, bool down, struct json **report)
{
    const struct options *options = session->options;
    if (options->wait >= 0 && !down)
        await_all(session, plan);
    const struct execution_request request = {.sources = session->set.sources,
                                              .source_count = session->set.source_count,
                                              .digest = session->set.digest,
                                              .down = down,
                                              .stop_timeout = options->timeout,
                                              .report = report};
    build_fetch_addresses(session, plan);
    int code = plan->count || plan->await_count ? execute_and_report(session, plan, &request) : EXIT_IN_SYNC;
    if (options->build && options->shell_on_failure)
        build_shell_failed(session, plan);
    build_cache_tidy(session, plan);
    if (code == EXIT_IN_SYNC && plan->count && !plan->held_count && !down && !plan_has_expansions(plan)) {
        state_close(TAKE_PTR(session->state)); /* one process may have it open once */
        fflush(stdout);
        settled_note(session);
    }
    return code == EXIT_IN_SYNC && plan->held_count && !options->automatic ? EXIT_SOME_FAILED : code;
}

/* Whether an image that this run made says something about being run that nobody expected of it: then what runs it does
 * so the wrong way. */
static bool made_with_config(const struct session *session, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = plan->actions[i];
        const struct entry *entry = action->kind == KIND_IMAGE && action->object
                                        ? actual_find(&session->actual, KIND_IMAGE, action->name)
                                        : NULL;
        if (entry && entry->facts->config)
            return true;
    }
    return false;
}

/* Who stands on them goes on as it is. */
static bool has_failed_images(const struct session *session)
{
    for (size_t i = 0; i < session->failed.count; i++)
        if (strncmp(session->failed.items[i], "image/", strlen("image/")) == 0)
            return true;
    return false;
}

static bool has_fetches(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->verb == VERB_FETCH)
            return true;
    return false;
}

static bool makes_any(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->verb != VERB_EXPAND)
            return true;
    return false;
}

/* SEMANTICS 29: of what came of two plans, what weighs more. */
static int of_both(int code, int then)
{
    static const int order[] = {EXIT_ERROR,       EXIT_LOCKED,      EXIT_INVALID, EXIT_REFUSED,
                                EXIT_SOME_FAILED, EXIT_NOT_HEALTHY, EXIT_PENDING};
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        if (code == order[i] || then == order[i])
            return order[i];
    return EXIT_IN_SYNC;
}

/* Of --plan and --exact, when images are made: what that made known nobody has agreed to. */
static void tell_stopped(const struct session *session)
{
    const struct options *options = session->options;
    if (options->plan)
        fprintf(stderr,
                "fpsync: the plan above, known only since images were made, is not in %s and not begun: "
                "plan --out and apply --plan do it\n",
                options->plan);
    else
        fprintf(stderr, "fpsync: the plan above, known only since images were made, is not begun under "
                        "--exact: apply does it\n");
}

/* SEMANTICS 26: what hung on images is planned, shown and run once those are there. `code`: of what was run before. */
static int expand(struct session *session, const struct plan *before, int code, struct json **report)
{
    const struct options *options = session->options;
    struct plan plan;
    struct error error = {0};
    if (code != EXIT_IN_SYNC && code != EXIT_SOME_FAILED && code != EXIT_NOT_HEALTHY)
        return code;
    if (!session->state && state_open(session->paths.state, STATE_READ, &session->state, &error) < 0)
        return report_fail(options, report, &error, EXIT_ERROR);
    if (session_read(session, &error) < 0)
        return report_fail(options, report, &error, EXIT_ERROR);
    if (!plan_has_expansions(before) && !made_with_config(session, before) && !has_failed_images(session))
        return code;
    session->record = (struct actual){0};
    session->has_looked = false;
    session->has_built = true;
    session->has_fetched = has_fetches(before);
    const int loaded = session_load_builds(session, &error);
    if (session->problems.count && !session->held_back.count)
        return report_invalid(options, report, &session->problems);
    if (loaded < 0 || session_look(session, &error) < 0)
        return report_fail(options, report, &error, EXIT_ERROR);
    session_plan(session, &plan);
    if (plan.count && !makes_any(&plan)) /* what is waited for does not come in this run */
        return code;
    const bool stops = options->exact || options->plan;
    if ((plan.count || plan.held_count > before->held_count) && options->output != OUTPUT_DATA)
        show_plan(options, &plan);
    if (stops || !plan.count)
        report_add(options, report, &plan, NULL);
    fflush(stdout);
    if (!plan.count)
        return code == EXIT_IN_SYNC && plan.held_count && !options->automatic ? EXIT_SOME_FAILED : code;
    if (stops && options->output != OUTPUT_DATA)
        tell_stopped(session);
    if (stops)
        return of_both(code, EXIT_PENDING);
    const int asked = confirm_plan(session, &plan, look_and_plan);
    if (asked)
        return of_both(code, asked);
    int then = execute_set(session, &plan, false, report);
    if (plan_has_expansions(&plan)) /* what hangs on images that are built of what was fetched */
        then = expand(session, &plan, then, report);
    return of_both(code, then);
}

/* SEMANTICS 16: an automatic run repairs what was last in force, and says with its exit code why not more. */
static int repair_last_good(struct session *session, int code)
{
    struct plan plan;
    struct error error = {0};
    if (session_look(session, &error) < 0)
        return fail(session->options, &error, EXIT_ERROR);
    session_plan_recorded(session, &plan);
    const struct execution_request request = {.stop_timeout = session->options->timeout};
    if (plan.count)
        execute_and_report(session, &plan, &request);
    return code;
}

/* SEMANTICS 29: an automatic run tells of held changes once, not again while they are the same. What was told last lies
 * in /run: a run without an action writes nothing to the record. */
static bool is_news(const struct session *session, const struct plan *plan)
{
    const char *path = arena_printf(session->arena, "%s/held", session->paths.run);
    _cleanup_buffer_ struct buffer held = {0}, told = {0};
    for (size_t i = 0; i < plan->held_count; i++)
        buffer_printf(&held, "%s/%s: %s\n", kind_name(plan->held[i].kind), plan->held[i].name,
                      plan->held[i].reason);
    buffer_read_file(&told, AT_FDCWD, path, TOLD_LIMIT, NULL);
    if (told.length == held.length && (!held.length || memcmp(told.bytes, held.bytes, held.length) == 0))
        return false;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, held.bytes, held.length) != (ssize_t)held.length)
        unlink(path); /* then it is told once more */
    return held.length > 0;
}

int run_apply(const struct options *options)
{
    if (options->dry_run)
        return run_plan(options);
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct plan plan;
    struct error error = {0};
    int code = prepare(&session, SESSION_WRITE, &plan);
    if (code == EXIT_INVALID && options->automatic)
        return repair_last_good(&session, code);
    if (code >= 0)
        return code;
    if (session_guard(&session, &plan, &error) < 0) {
        code = fail(options, &error, EXIT_REFUSED);
        return options->automatic && session.snapshot.record_count ? repair_last_good(&session, code) : code;
    }
    code = check_plan_file(&session, &plan);
    if (code)
        return code;
    build_cache_end_left(&session);
    bool tell = options->automatic ? is_news(&session, &plan) : plan.held_count > 0;
    if (!plan.count) {
        struct json *waited = NULL;
        if (options->output != OUTPUT_DATA && (!options->quiet || tell))
            show_plan(options, &plan);
        tell_flags_in_vain(&session, &plan);
        code = plan.held_count && !options->automatic ? EXIT_SOME_FAILED : EXIT_IN_SYNC;
        if (options->wait >= 0)
            code = execute_set(&session, &plan, false, &waited);
        if (options->output == OUTPUT_DATA && !waited)
            show_plan(options, &plan);
        report_end(options, &waited);
        return session.held_back.count ? EXIT_INVALID : code;
    }
    if (options->output != OUTPUT_DATA)
        show_plan(options, &plan);
    tell_flags_in_vain(&session, &plan);
    fflush(stdout);
    code = confirm_plan(&session, &plan, load_and_plan);
    if (code)
        return code;
    struct json *report = NULL;
    code = expand(&session, &plan, execute_set(&session, &plan, false, &report), &report);
    report_end(options, &report);
    if (session.held_back.count && code != EXIT_ERROR)
        return EXIT_INVALID;
    return code == EXIT_IN_SYNC && options->detailed ? EXIT_PENDING : code;
}

/* A set with the same sources and nothing in it: what a source holds goes, by the same planner. */
int run_down(const struct options *options)
{
    if (options->target_count) {
        struct error refusal;
        error_set(&refusal, -EINVAL, "down takes whole sources down; fpsync stop NAME stops one container");
        return fail(options, &refusal, EXIT_ERROR);
    }
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct plan plan;
    struct error error = {0};
    int result = session_open(options, options->dry_run ? SESSION_READ : SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    result = session_load(&session, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    session.set.objects = (struct object_set){0};
    for (size_t i = 0; i < session.set.source_count; i++)
        session.set.sources[i].prunes = true;
    if (result >= 0)
        result = session_look(&session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    session_plan(&session, &plan);
    if (options->output != OUTPUT_DATA || options->dry_run)
        show_plan(options, &plan);
    fflush(stdout);
    if (options->dry_run || !plan.count)
        return options->dry_run && plan.count ? EXIT_PENDING : EXIT_IN_SYNC;
    int code = confirm_plan(&session, &plan, look_and_plan);
    return code ? code : execute_set(&session, &plan, true, NULL);
}
