#include "reconciler/cli/build_shell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "drivers/steps.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/builders.h"
#include "reconciler/cli/image.h"
#include "reconciler/narrow.h"
#include "reconciler/pool.h"
#include "reconciler/target_internal.h"

static bool has_terminal(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool build_shell_is_meant(const struct options *options)
{
    return options->shell && (options_say(options, "shell") || !options_say(options, "shell-on-failure"));
}

int build_shell_check(const struct options *options, struct error *error)
{
    const bool later = build_shell_is_meant(options);
    if (options->shell_on_failure && !later && !has_terminal())
        return error_set(error, -ENOTTY,
                         "build --shell-on-failure: standard input and output are no terminal; the root of a "
                         "RUN that fails is kept all the same: fpsync build --shell IMAGE opens it later");
    if (later && options->argument_count == 1 && !has_terminal())
        return error_set(error, -ENOTTY,
                         "build --shell: standard input and output are no terminal; say what is to be run: "
                         "fpsync build --shell %s -- COMMAND",
                         options->arguments[0]);
    return 0;
}

/* ---- one shell ---- */

static volatile pid_t worker; /* that has it; 0 */

/* The terminal's size is the worker's affair, who sits in a session of its own; any other signal asks for the end. At once,
 * for between a look at a flag and the wait for the worker a signal would be lost. */
static void pass_on(int signal)
{
    int saved = errno;
    if (worker > 0)
        kill(worker, signal == SIGWINCH ? SIGWINCH : SIGTERM);
    errno = saved;
}

static const int passed[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define PASSED (sizeof(passed) / sizeof(*passed))

static int await_worker(struct pool *pool, struct pool_reply *reply, struct error *error)
{
    struct sigaction before[PASSED], now = {.sa_handler = pass_on};
    int result;
    worker = pool_worker(pool);
    for (size_t i = 0; i < PASSED; i++)
        sigaction(passed[i], &now, &before[i]);
    do {
        result = pool_wait(pool, -1, reply, error);
    } while (result == -EINTR || (result > 0 && !reply->done));
    for (size_t i = 0; i < PASSED; i++)
        sigaction(passed[i], &before[i], NULL);
    worker = 0;
    return result;
}

/* The worker puts the terminal back; but one that was killed did not. */
static int open_shell(struct session *session, struct build_run *run, const struct texts *argv,
                      int64_t *status, struct error *error)
{
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    struct build_shell *request = described_new(session->arena, &build_shell_table);
    struct steps steps = {0};
    struct pool_reply reply = {0};
    struct termios before;
    const bool saved = tcgetattr(STDIN_FILENO, &before) == 0;
    request->run = run;
    request->argv = *argv;
    request->pid = getpid();
    request->term = getenv("TERM");
    steps_add(session->arena, &steps, STEP_BUILD_SHELL, described_whole(&build_shell_table, request));
    fflush(stdout);
    int result = pool_submit(pool, request, &steps, 0, error);
    if (result >= 0)
        result = await_worker(pool, &reply, error);
    if (saved)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    if (result < 0)
        return result;
    if (reply.code < 0)
        return error_set(error, reply.code, "%s", reply.message);
    const struct build_shelled *shelled = reply.result_count ? reply.results[0] : NULL;
    *status = shelled ? shelled->status : EXIT_ERROR;
    return 0;
}

/* "Recipe:4 RUN make", of which the first line. */
static int title_length(const struct build_run *run)
{
    return (int)strcspn(run->what ? run->what : "", "\n");
}

static void tell_beginning(const struct session *session, const struct build_run *run)
{
    if (!session->options->quiet)
        fprintf(stderr, "fpsync: image %s: a shell in the root that %.*s has left; exit ends it\n",
                run->image ? run->image : "-", title_length(run), run->what ? run->what : "");
}

/* What the rules have to have for it, and have not: the run that it was part of has taken it away at its end. NULL: nothing. */
static struct rules *rules_with(const struct session *session, const struct rules *now,
                                const struct build_run *run)
{
    struct list guards = {0};
    for (size_t i = 0; i < now->guards.count; i++)
        *arena_append(session->arena, guards.items, guards.count) = now->guards.items[i];
    for (size_t i = 0; i < run->guards.count; i++)
        if (!list_find(&now->guards, &rule_guard_table, item_key(&rule_guard_table, run->guards.items[i])))
            target_add(session->arena, &guards, run->guards.items[i]);
    if (guards.count == now->guards.count)
        return NULL;
    struct rules *with = arena_copy(session->arena, now, sizeof(*now));
    target_sort(&guards, &rule_guard_table);
    with->guards = guards;
    return with;
}

static int open_with_rules(struct session *session, struct build_run *run, const struct texts *argv,
                           int64_t *status, struct error *error)
{
    const struct call call = {.arena = session->arena, .cancel = -1};
    struct observed_network seen = {0};
    struct error trouble = {0};
    int result = network_view.dump(&session->paths, &call, &seen, error);
    if (result < 0)
        return result;
    struct rules *before = seen.rules, *with = rules_with(session, before, run);
    result = with ? image_step(session, STEP_RULES_SET, with, NULL, error) : 0;
    if (result >= 0)
        result = open_shell(session, run, argv, status, error);
    if (with && image_step(session, STEP_RULES_SET, before, NULL, &trouble) < 0)
        fprintf(stderr, "fpsync: %s\n", trouble.text);
    return result;
}

/* ---- at once ---- */

void build_shell_failed(struct session *session, const struct plan *plan)
{
    const struct texts none = {0};
    for (size_t i = 0; i < plan->count; i++) {
        struct build_run *run = plan->actions[i]->failed_run;
        struct error error = {0};
        int64_t status;
        if (!run || take_interruptions())
            continue;
        tell_beginning(session, run);
        if (open_with_rules(session, run, &none, &status, &error) < 0)
            fprintf(stderr, "fpsync: image %s: %s\n", plan->actions[i]->name, error.text);
    }
}

/* ---- later ---- */

static const char *name_of(const char *argument)
{
    return strncmp(argument, "image/", strlen("image/")) == 0 ? argument + strlen("image/") : argument;
}

/* A bare name is that of an image of any project. */
static bool is_of(const struct observed_failed *failed, const char *name)
{
    const char *slash = failed->of ? strchr(failed->of, '/') : NULL;
    return failed->of &&
           (strcmp(failed->of, name) == 0 || (slash && !strchr(name, '/') && strcmp(slash + 1, name) == 0));
}

static const char *moment(struct arena *arena, int64_t seconds)
{
    char text[64];
    struct tm parts;
    const time_t time = seconds;
    strftime(text, sizeof(text), "%F %H:%M", localtime_r(&time, &parts));
    return arena_strdup(arena, text);
}

/* What a bare name means among the images of -f; recipes are not read, for one of them may be at work. */
static int find_declared(struct session *session, const char **name, struct error *error)
{
    struct object *image;
    int result = session_load_declared(session, error);
    if (result >= 0)
        result = narrow_find(&session->set.objects, arena_printf(session->arena, "image/%s", *name),
                             session->arena, &image, error);
    if (result >= 0)
        *name = image->name;
    return result;
}

static void add_name(struct map *names, const char *name)
{
    map_add(names, name, names);
    map_add(names, name_bare(name), names);
}

/* An image that nobody knows has been mistyped; files that cannot be read declare none. */
static int not_kept(struct session *session, const struct observed_build *seen, const char *name,
                    struct error *error)
{
    _cleanup_map_ struct map names = {0};
    struct error ignored;
    if (!session->options->file_count && session_load_declared(session, &ignored) < 0)
        session->set.objects.count = 0;
    for (size_t i = 0; i < session->set.objects.count; i++)
        if (session->set.objects.items[i]->kind == KIND_IMAGE)
            add_name(&names, session->set.objects.items[i]->name);
    for (size_t i = 0; i < session->actual.count; i++)
        if (session->actual.items[i].kind == KIND_IMAGE)
            add_name(&names, session->actual.items[i].name);
    for (size_t i = 0; i < seen->failed_count; i++)
        if (seen->failed[i].of)
            add_name(&names, seen->failed[i].of);
    const char *near = map_nearest(&names, name);
    return map_get(&names, name)
               ? error_set(
                     error, -ENOENT,
                     "build --shell: no root of image %s is kept: none of its last builds failed in a RUN",
                     name)
               : error_set(error, -ENOENT,
                           "build --shell: no such image: %s is neither on record nor in %s%s%s%s", name,
                           session->paths.specs, near ? "; did you mean " : "", near ? near : "",
                           near ? "?" : "; -f says which file declares it");
}

/* The newest of them. */
static int find_root(struct session *session, const char *name, const struct observed_failed **found,
                     struct error *error)
{
    struct observed_build *seen = arena_new_of(session->arena, struct observed_build);
    const struct observed_failed *newest = NULL;
    int result = build_view.dump(&session->paths, session->arena, seen, error);
    for (size_t i = 0; result == 0 && i < seen->failed_count; i++) {
        const struct observed_failed *failed = &seen->failed[i];
        if (!is_of(failed, name))
            continue;
        if (newest && strcmp(newest->of, failed->of) != 0)
            return error_set(error, -EINVAL, "build --shell: which one, %s or %s?", newest->of, failed->of);
        if (!newest || failed->failed > newest->failed)
            newest = failed;
    }
    if (result < 0)
        return result;
    if (!newest)
        return not_kept(session, seen, name, error);
    if (newest->expires <= time(NULL))
        return error_set(error, -ENOENT,
                         "build --shell: the root that the build of image %s left was kept until %s: build "
                         "it again",
                         newest->of, moment(session->arena, newest->expires));
    *found = newest;
    return 0;
}

/* The range that it ran with may have been given to somebody else. */
static int check_ids(const struct session *session, const struct build_run *run, struct error *error)
{
    const char *builder = run->image ? builder_name(session->arena, run->image) : "";
    for (size_t i = 0; i < session->snapshot.lease_count; i++) {
        const struct lease *lease = session->snapshot.leases[i];
        if (lease->id_base == run->definition->id_base && strcmp(lease->name, builder) != 0)
            return error_set(error, -EBUSY,
                             "build --shell: the ids that image %s was built with are those of %s by now: "
                             "build it again",
                             run->image ? run->image : "-", lease->name);
    }
    return 0;
}

static bool is_foreign(const struct build_run *run, const char *ifname)
{
    const struct port_mark *mark = list_find(&run->ports, &port_mark_table, ifname);
    return mark && mark->foreign;
}

static int check_networks(const struct session *session, const struct build_run *run, struct error *error)
{
    for (size_t i = 0; i < run->definition->nics.count; i++) {
        const struct nic *nic = run->definition->nics.items[i];
        if (!nic->macvlan && !is_foreign(run, nic->ifname) && !world_bridge(&session->world, nic->bridge))
            return error_set(error, -ENOENT,
                             "build --shell: the network that image %s was built in is gone: fpsync apply "
                             "brings it back",
                             run->image ? run->image : "-");
    }
    return 0;
}

/* Secrets that came from the environment are gone; others are where they were. */
static void give_secrets(struct build_run *run, const struct build_flags *flags)
{
    for (size_t i = 0; i < run->mounts.count; i++) {
        struct build_mount *mount = run->mounts.items[i];
        const bool is_secret = mount->type && strcmp(mount->type, "secret") == 0;
        for (size_t j = 0; is_secret && mount->id && j < flags->secrets.count; j++)
            if (strcmp(flags->secrets.items[j].key, mount->id) == 0)
                mount->file = flags->secrets.items[j].value;
        if (is_secret && mount->file && access(mount->file, R_OK) < 0) {
            fprintf(stderr, "fpsync: the secret %s is not there any more; --secret gives it\n",
                    mount->id ? mount->id : mount->file);
            mount->file = NULL;
        }
    }
}

/* In the environment they are there for other builds; but what asks for nothing to be done must not be lost. */
static int check_words(const struct options *options, struct error *error)
{
    static const char *const none[] = {"build-arg", "target", "no-cache", "tag"};
    const char *refused = options->dry_run ? "dry-run" : NULL;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none) && !refused; i++)
        refused = options_say(options, none[i]) ? none[i] : NULL;
    if (options->shell_on_failure &&
        (!options_say(options, "shell") || options_say(options, "shell-on-failure")))
        return error_set(error, -EINVAL, "build: either --shell or --shell-on-failure");
    if (refused)
        return error_set(error, -EINVAL, "build --shell builds nothing, and has no --%s", refused);
    return options->argument_count ? build_shell_check(options, error)
                                   : error_set(error, -EINVAL, "build --shell: in the root of which image?");
}

int build_shell(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct error error = {0};
    struct build_flags flags;
    const struct observed_failed *failed = NULL;
    struct build_run *run = NULL;
    struct texts argv = {0};
    int64_t status = 0;
    const char *name;
    if (check_words(options, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    int result = session_open(options, SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    result = session_look(&session, &error);
    if (result >= 0)
        result = build_flags_read(options, session.arena, &flags, &error);
    name = name_of(options->arguments[0]);
    if (result >= 0 && options->file_count)
        result = find_declared(&session, &name, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    if (result >= 0)
        result = find_root(&session, name, &failed, &error);
    if (result >= 0)
        result = build_view.failed_run(&session.paths, session.arena, failed->key, &run, &error);
    if (result >= 0)
        result = check_ids(&session, run, &error);
    if (result >= 0)
        result = check_networks(&session, run, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    give_secrets(run, &flags);
    for (size_t i = 1; i < options->argument_count; i++)
        *arena_append(session.arena, argv.items, argv.count) = options->arguments[i];
    if (!argv.count)
        tell_beginning(&session, run);
    result = open_with_rules(&session, run, &argv, &status, &error);
    return result < 0 ? fail(options, &error, EXIT_ERROR) : (int)status;
}
