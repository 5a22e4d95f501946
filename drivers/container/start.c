/* Starts containers, and says why when one does not come up. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <lxc/lxccontainer.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/container/internal.h"
#include "drivers/container/start_exec.h"
#include "drivers/container/start_log.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define ABORT_BOUND  2000  /* milliseconds for killed processes to end */
#define CLEAN_BOUND  30000 /* milliseconds to clean up behind a start that was given up */
#define SETTLE_BOUND 3000  /* milliseconds for somebody else's start or stop to come to its end */
#define USUAL_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LOOK_AGAIN   20 /* milliseconds, where no monitor's end can be waited for */

struct start_answer { /* of the child that calls liblxc */
    pid_t init;       /* 0: it could not */
    bool has_command;
    struct start_log log;
    char trouble[ERROR_TEXT_SIZE]; /* from before liblxc was called; "": none */
};
_Static_assert(sizeof(struct start_answer) <= PIPE_BUF, "written in one piece");

static int settle(const struct paths *paths, const char *name, const struct call *call,
                  struct observed_container *present, struct error *error);
static int prepare(const struct paths *paths, const struct container_start *request,
                   const struct observed_container *present, struct error *error);
static int start_it(const struct paths *paths, const struct container_start *request, const struct call *call,
                    struct start_answer *answer, struct error *error);
static void abort_start(pid_t child);
static int give_up(const struct paths *paths, const char *name, int reason, struct error *error);
static int refuse(const struct paths *paths, const char *name, const char *reason, const struct call *call,
                  struct error *error);
static int fail(const struct paths *paths, const struct container_start *request, const char *what,
                const struct start_answer *answer, const struct call *call, struct error *error);

int container_start(const struct paths *paths, const struct container_start *request, const struct call *call,
                    struct container_started *result, struct error *error)
{
    const char *name = request->lxc_name;
    struct observed_container present;
    int failed = settle(paths, name, call, &present, error);
    if (failed < 0)
        return failed;
    if (!present.ours)
        return error_set(error, present.defined ? -EPERM : -ENOENT, "container %s is %s", name,
                         present.defined ? "not fpsync's" : "not defined");
    if (present.running) {
        *result = (struct container_started){.init_pid = present.init_pid, .init_start = present.init_start};
        return 0;
    }
    struct start_answer answer = {0};
    failed = prepare(paths, request, &present, error);
    if (failed == 0)
        failed = start_it(paths, request, call, &answer, error);
    if (failed < 0)
        return failed;
    int64_t started = process_start(answer.init);
    failed = start_await_exec(answer.init, answer.has_command, call);
    struct exit_note note = {0};
    const bool on_file = failed < 0 && exit_read(paths, name, &note);
    if (*note.reason)
        return refuse(paths, name, note.reason, call, error);
    /* A command may be done before anybody could look: that is no failure, and its status is on file. */
    if (failed < 0 && !on_file)
        return fail(paths, request, "its init ended at once", &answer, call, error);
    *result = (struct container_started){.init_pid = failed < 0 ? 0 : answer.init,
                                         .init_start = failed < 0 ? 0 : started,
                                         .boot = boot_id(call->arena)};
    return 0;
}

/* Looks until the container runs with an init or is stopped: a monitor lives some 50 ms longer than its init, and
 * a start in that time would fail. */
static int settle(const struct paths *paths, const char *name, const struct call *call,
                  struct observed_container *present, struct error *error)
{
    for (int64_t until = now_milliseconds() + SETTLE_BOUND;;) {
        int result = container_look(paths, name, call->arena, present, error);
        if (result < 0 || !present->running || present->init_pid)
            return result;
        result = call_check(call);
        if (result < 0)
            return error_errno(error, result, "container %s", name);
        if (now_milliseconds() > until) {
            const struct container_stop kill = {.lxc_name = name};
            result = container_stop_it(paths, &kill, call, error);
            if (result < 0)
                return result;
        }
        _cleanup_close_ int monitor =
            present->monitor_pid ? (int)syscall(SYS_pidfd_open, (pid_t)present->monitor_pid, 0) : -1;
        struct pollfd end = {.fd = monitor, .events = POLLIN};
        poll(&end, 1, LOOK_AGAIN);
    }
}

/* Old reasons and an old exit must not be taken for this run's. */
static int empty_file(const struct paths *paths, const char *name, const char *file, struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, name, file, path);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if ((fd < 0 && errno != ENOENT) || (fd >= 0 && ftruncate(fd, 0) < 0))
        return error_errno(error, -errno, "cannot empty %s", path);
    return 0;
}

/* What the last run had comes with its network namespace, also what liblxc does not know of; and that the kernel takes down
 * some time after the last process in it ended. A name that stays is somebody else's, and liblxc says so. */
static void await_free_names(const struct texts *ports)
{
    const struct sockaddr_nl changes = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    const int64_t until = now_milliseconds() + SETTLE_BOUND;
    _cleanup_close_ int socket_fd = -1;
    for (size_t i = 0; i < ports->count; i++) {
        while (if_nametoindex(ports->items[i])) {
            const int64_t left = until - now_milliseconds();
            char message[4096]; /* is not read: that something changed is enough */
            if (left <= 0)
                return;
            if (socket_fd < 0) { /* it may have gone before: asked again */
                socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
                if (socket_fd < 0 || bind(socket_fd, (const struct sockaddr *)&changes, sizeof(changes)) < 0)
                    return;
                continue;
            }
            if (poll(&(struct pollfd){.fd = socket_fd, .events = POLLIN}, 1, (int)left) > 0)
                recv(socket_fd, message, sizeof(message), 0);
        }
    }
}

static int prepare(const struct paths *paths, const struct container_start *request,
                   const struct observed_container *present, struct error *error)
{
    const char *name = request->lxc_name;
    int result = empty_file(paths, name, "log", error);
    if (result == 0)
        result = empty_file(paths, name, CONTAINER_HOST_DIR "/exit", error);
    if (result == 0 && present->leftover_cgroups)
        result = cgroups_remove(paths, name, error);
    if (result == 0)
        result = container_forget_stop(paths, name, error);
    if (result == 0)
        result = devices_prepare(paths, request, error);
    if (result == 0)
        await_free_names(&request->ports);
    return result < 0 ? error_wrap(error, result, "container %s", name) : 0;
}

/* ---- the call ---- */

/* Roots were mounted on their places themselves before, and configs written then say so. */
static void find_root(struct config *config, const struct paths *paths)
{
    char said[CONTAINER_PATH_SIZE], before[CONTAINER_PATH_SIZE];
    snprintf(before, sizeof(before), "%s/%s", paths->mounts, config->name);
    int length = config->lxc->get_config_item(config->lxc, "lxc.rootfs.path", said, sizeof(said));
    if (length > 0 && (size_t)length < sizeof(said) &&
        strcmp(said, before) == 0) /* liblxc takes "dir:" off */
        config_setf(config, "lxc.rootfs.path", "dir:%s/" PATHS_ROOT, before);
}

/* A host may be booted without IPv6 after the config was written; nothing can be set of that then. Lines of the guest's
 * owner are his own, and fail. */
static void leave_ipv6_out(struct config *config)
{
    struct lxc_container *lxc = config->lxc;
    const int length =
        access("/proc/sys/net/ipv6", F_OK) == 0 ? 0 : lxc->get_config_item(lxc, "lxc.sysctl", NULL, 0);
    _cleanup_free_ char *lines = length > 0 ? malloc((size_t)length + 1) : NULL;
    if (!lines || lxc->get_config_item(lxc, "lxc.sysctl", lines, length + 1) <= 0)
        return;
    for (char *at = lines, *line; (line = strsep(&at, "\n"));) {
        char *equals = strstr(line, " = ");
        int index, end = 0;
        if (equals)
            *equals = '\0';
        sscanf(line, CONTAINER_DEAF "%n", &index, &end);
        if (end && (strcmp(line + end, "accept_ra") == 0 || strcmp(line + end, "autoconf") == 0))
            config_clear(config, line);
    }
}

/* A parent that reads nothing of this finds that nobody answered. */
static noreturn void answer_with(int fd, const struct start_answer *answer)
{
    bool whole = write(fd, answer, sizeof(*answer)) == sizeof(*answer);
    _exit(whole && answer->init ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Where liblxc finds newuidmap it maps ids by that, and newuidmap allows root only what /etc/subuid lists; ranges of
 * ours are taken outside of it on purpose. It takes the first of the path, and leaves one alone that has no privileges,
 * as `false` has none: then root writes the map itself. Hooks of adopted containers need the rest of the path. */
static void hide_newuidmap(const struct paths *paths)
{
    static const char *const names[] = {"newuidmap", "newgidmap"};
    char folder[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + sizeof(USUAL_PATH)];
    snprintf(folder, sizeof(folder), "%s/path", paths->run);
    mkdir(folder, 0755);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (symlink("/bin/false", path) < 0 && errno != EEXIST)
            break; /* then the start says what newuidmap does not allow */
    }
    snprintf(path, sizeof(path), "%s:%s", folder, USUAL_PATH);
    setenv("PATH", path, 1);
}

static noreturn void start_in_child(const struct paths *paths, const struct container_start *request,
                                    pid_t parent, int fd)
{
    struct error error = {0};
    struct start_answer answer = {0};
    struct config config;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    hide_newuidmap(paths);
    if (config_open(&config, paths, request->lxc_name, true, &error) == 0) {
        start_log_open(&config, paths, &answer.log);
        find_root(&config, paths);
        leave_ipv6_out(&config);
        config_set_devices(&config, paths, request);
        answer.has_command = start_has_command(&config, paths);
    }
    if (error.code < 0) {
        snprintf(answer.trouble, sizeof(answer.trouble), "%s", error.text);
        answer_with(fd, &answer);
    }
    config.lxc->want_daemonize(config.lxc, true);
    if (config.lxc->start(config.lxc, 0, NULL)) {
        pid_t init = config.lxc->init_pid(config.lxc);
        answer.init = init > 0 ? init : -1;
    }
    answer_with(fd, &answer);
}

/* 0 when the child answered or ended; -ECANCELED, -ETIMEDOUT. */
static int await_answer(int answer, const struct call *call)
{
    struct pollfd sources[] = {{.fd = answer, .events = POLLIN}, {.fd = call->cancel, .events = POLLIN}};
    while (poll(sources, 2, call_time_left(call)) < 0)
        if (errno != EINTR)
            return -errno;
    return sources[0].revents ? 0 : call_check(call);
}

/* In a process of its own, because liblxc moves whoever calls start() into the monitor's control group, which then
 * cannot be removed while that process lives. It also makes a start that hangs one that can be ended. */
static int start_it(const struct paths *paths, const struct container_start *request, const struct call *call,
                    struct start_answer *answer, struct error *error)
{
    const char *name = request->lxc_name;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "container %s: cannot make a pipe", name);
    _cleanup_close_ int answers = ends[0];
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        start_in_child(paths, request, parent, ends[1]);
    close(ends[1]);
    if (child < 0)
        return error_errno(error, -errno, "container %s: cannot fork", name);
    int result = await_answer(answers, call);
    if (result < 0)
        abort_start(child);
    bool answered = result == 0 && read(answers, answer, sizeof(*answer)) == sizeof(*answer);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return give_up(paths, name, result, error);
    struct exit_note note;
    if ((answered && answer->init) || exit_read(paths, name, &note))
        return 0;
    if (answered && *answer->trouble)
        return error_set(error, -EIO, "%s", answer->trouble);
    return fail(paths, request, "cannot start", answer, call, error);
}

/* Ends a start in progress. Killing its caller alone is not enough: a monitor that was just being forked may go on to
 * run, or wait for ever. As long as the caller lives, all of them are below it, for it is their subreaper; stopped, it
 * forks no more. */
static void abort_start(pid_t child)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)child, (int)child);
    kill(child, SIGSTOP);
    for (int64_t until = now_milliseconds() + ABORT_BOUND; now_milliseconds() < until; poll(NULL, 0, 1)) {
        bool living = false;
        if (read_line(AT_FDCWD, path, line, sizeof(line)) < 0)
            break;
        char *at = line;
        for (pid_t one = (pid_t)strtol(at, &at, 10); one > 0; one = (pid_t)strtol(at, &at, 10)) {
            living = living || process_start(one);
            kill(one, SIGKILL);
        }
        if (!living)
            break;
    }
    kill(child, SIGKILL);
}

/* The call's own time is up, so the cleaning gets some of its own. */
static int give_up(const struct paths *paths, const char *name, int reason, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct call call = {.arena = arena, .cancel = -1, .deadline = now_milliseconds() + CLEAN_BOUND};
    const struct container_stop kill = {.lxc_name = name};
    container_stop_it(paths, &kill, &call, NULL);
    cgroups_remove(paths, name, NULL);
    return error_errno(error, reason, "container %s: starting", name);
}

/* ---- why not? ---- */

static int fail_without_init(const char *name, const char *init, const struct start_answer *answer,
                             struct error *error)
{
    return strcmp(init, "/sbin/init") == 0
               ? error_set(error, -EIO,
                           "container %s: cannot start: its image has no /sbin/init that could run, and no "
                           "command to run "
                           "instead: say one by command: or by CMD in the recipe, or put an init into the "
                           "image, as "
                           "packages: [ systemd-sysv, dbus ] of a bootstrap: does (%s)",
                           name, answer->log.path)
               : error_set(error, -EIO, "container %s: cannot start: its root has no %s that could run (%s)",
                           name, init, answer->log.path);
}

static int refuse(const struct paths *paths, const char *name, const char *reason, const struct call *call,
                  struct error *error)
{
    const struct container_stop kill = {.lxc_name = name};
    container_stop_it(paths, &kill, call, NULL);
    cgroups_remove(paths, name, NULL);
    return error_set(error, -EIO, "container %s: its command does not start: %s", name, reason);
}

/* A monitor may still be cleaning up; what it leaves is for us. */
static int fail(const struct paths *paths, const struct container_start *request, const char *what,
                const struct start_answer *answer, const struct call *call, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *name = request->lxc_name;
    const struct container_stop kill = {.lxc_name = name};
    const char *closed = container_closed_folder(paths, request->id_base, call->arena);
    const char *missing = start_log_missing(&answer->log, call->arena);
    start_log_explain(&answer->log, &text);
    container_stop_it(paths, &kill, call, NULL);
    cgroups_remove(paths, name, NULL);
    if (closed)
        return error_set(error, -EACCES,
                         "container %s: %s: its ids cannot enter the folder %s; chmod o+x %s lets them pass, "
                         "without letting them list it (%s)",
                         name, what, closed, closed, answer->log.path);
    if (missing)
        return fail_without_init(name, missing, answer, error);
    return error_set(error, -EIO, "container %s: %s%s", name, what, text.length ? text.bytes : "");
}
