/* A dnsmasq as a process: found by its pid file, kept with the arguments it should have, ended.
 *
 * It outlives the run: own session (dnsmasq makes one as it goes into the background) and own cgroup, else it would
 * die with the unit that ran fpsync. Its arguments say all that it does; a running one whose arguments differ from what
 * they should be is replaced. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/network/resolver.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define STRAY_ROUNDS   16
#define SAID_LIMIT     4096
#define START_PATIENCE 10000 /* ms that dnsmasq may take to go into the background */
#define STOP_PATIENCE  5000  /* ms between SIGTERM and SIGKILL */

static bool arguments_match(int64_t pid, const char *const *arguments, struct arena *arena);
static int start(const struct resolver_process *process, const struct call *call, struct error *error);
static int stop(int pidfd, const char *name, struct error *error);
static void enter_cgroups(const char *group);
static void remove_cgroups(const char *group);
static const char *group_of(const char *name, struct arena *arena);
static void end_strays(const char *group);

int resolver_process_ensure(const struct resolver_process *process, const struct call *call,
                            struct error *error)
{
    _cleanup_close_ int pidfd = -1;
    int64_t pid;
    int result = resolver_find(process->pid_file, call->arena, &pid, &pidfd, error);
    if (result < 0 || (pid && arguments_match(pid, process->arguments, call->arena)))
        return result;
    if (pid && (result = stop(pidfd, process->name, error)) < 0)
        return result;
    end_strays(group_of(process->name, call->arena));
    return start(process, call, error);
}

int resolver_process_end(const char *name, const char *pid_file, const struct call *call, struct error *error)
{
    _cleanup_close_ int pidfd = -1;
    int64_t pid;
    int result = resolver_find(pid_file, call->arena, &pid, &pidfd, error);
    if (result < 0 || (pid && (result = stop(pidfd, name, error)) < 0))
        return result;
    end_strays(group_of(name, call->arena));
    unlink(pid_file);
    remove_cgroups(group_of(name, call->arena));
    return 0;
}

int resolver_process_reload(const char *pid_file, const struct call *call, struct error *error)
{
    _cleanup_close_ int pidfd = -1;
    int64_t pid;
    int result = resolver_find(pid_file, call->arena, &pid, &pidfd, error);
    if (pid && pidfd_send_signal(pidfd, SIGHUP, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(error, -errno, "reload");
    return result;
}

static bool arguments_match(int64_t pid, const char *const *arguments, struct arena *arena)
{
    _cleanup_buffer_ struct buffer wanted = {0}, running = {0};
    for (; *arguments; arguments++)
        buffer_add(&wanted, *arguments, strlen(*arguments) + 1);
    return buffer_read_file(&running, AT_FDCWD, arena_printf(arena, "/proc/%" PRId64 "/cmdline", pid), 65536,
                            NULL) == 0 &&
           running.length == wanted.length && memcmp(running.bytes, wanted.bytes, wanted.length) == 0;
}

/* In the child, between fork and exec; what it says there goes to the parent's pipe. */
static void __attribute__((noreturn))
become_resolver(const char *group, const char *const *arguments, int said, pid_t worker)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    umask(022);
    /* Until it detaches, it ends with the worker that waits for it: it would be in the way of the next run's. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != worker)
        _exit(126);
    enter_cgroups(group);
    int null = open("/dev/null", O_RDWR);
    if (setsid() < 0 || chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(said, 2) < 0)
        _exit(126);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(RESOLVER_PROGRAM, (char *const *)arguments, (char *const *)environment);
    dprintf(2, "%s: %s", RESOLVER_PROGRAM, strerror(errno));
    _exit(127);
}

/* dnsmasq's first process ends when the second one has bound its sockets and written its pid file, or with a
 * message why not: its end is the end of the start. */
static int start(const struct resolver_process *process, const struct call *call, struct error *error)
{
    _cleanup_close_ int said = -1, say = -1;
    _cleanup_buffer_ struct buffer text = {0};
    int ends[2], status;
    const char *group = group_of(process->name, call->arena);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "pipe");
    said = ends[0];
    say = ends[1];
    pid_t worker = getpid(), child = fork();
    if (child < 0)
        return error_errno(error, -errno, "fork");
    if (child == 0)
        become_resolver(group, process->arguments, say, worker);
    close(TAKE_FD(say));
    int64_t until = now_milliseconds() + START_PATIENCE;
    int result = 0;
    /* The daemon gives its stderr up when it detaches, so the pipe's end means that the start is over. */
    while (result == 0) {
        struct pollfd ready = {.fd = said, .events = POLLIN};
        char piece[512];
        int64_t left = until - now_milliseconds();
        int count = poll(&ready, 1, left > 0 ? (int)left : 0);
        ssize_t length = count > 0 ? read(said, piece, sizeof(piece)) : -1;
        if (count == 0)
            result = error_errno(error, -ETIMEDOUT, "start of dnsmasq");
        else if (length > 0 && text.length < SAID_LIMIT)
            buffer_add(&text, piece, (size_t)length);
        else if (length == 0)
            break;
        else if (length < 0 && errno != EINTR)
            result = error_errno(error, -errno, "start of dnsmasq");
    }
    if (result < 0)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        for (size_t i = 0; i < text.length; i++)
            if (text.bytes[i] < ' ' || text.bytes[i] > '~')
                text.bytes[i] = ' ';
        result = error_set(error, -EIO, "dnsmasq did not start: %s", text.bytes ? text.bytes : "no message");
    }
    return result;
}

static int stop(int pidfd, const char *name, struct error *error)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (pidfd_send_signal(pidfd, signals[i], NULL, 0) < 0)
            return errno == ESRCH ? 0 : error_errno(error, -errno, "dnsmasq of %s", name);
        struct pollfd over = {.fd = pidfd, .events = POLLIN};
        int64_t until = now_milliseconds() + STOP_PATIENCE;
        for (int64_t left = STOP_PATIENCE; left > 0; left = until - now_milliseconds())
            if (poll(&over, 1, (int)left) > 0)
                return 0;
    }
    return error_set(error, -ETIMEDOUT, "dnsmasq of %s does not end", name);
}

static const char *group_of(const char *name, struct arena *arena)
{
    return arena_printf(arena, "fpsync-%s", name);
}

/* Every hierarchy below /sys/fs/cgroup, and v2's own when it is the whole. A controller that does not take the
 * process (cpuset without CPUs, say) keeps it where it is: that limits it, and ends nothing. */
static void each_cgroup(const char *group, void (*act)(int hierarchy, const char *group))
{
    _cleanup_close_ int root = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return;
    if (faccessat(root, "cgroup.procs", F_OK, 0) == 0) {
        act(root, group);
        return;
    }
    int again = dup(root);
    DIR *hierarchies = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; hierarchies && (entry = readdir(hierarchies));) {
        if (entry->d_name[0] == '.')
            continue;
        _cleanup_close_ int hierarchy =
            openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (hierarchy >= 0 && faccessat(hierarchy, "cgroup.procs", F_OK, 0) == 0)
            act(hierarchy, group);
    }
    if (hierarchies)
        closedir(hierarchies);
    else if (again >= 0)
        close(again);
}

static void enter_cgroup(int hierarchy, const char *group)
{
    char path[64];
    if (mkdirat(hierarchy, group, 0755) < 0 && errno != EEXIST)
        return;
    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    _cleanup_close_ int procs = openat(hierarchy, path, O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) < 0)
        unlinkat(hierarchy, group, AT_REMOVEDIR);
}

/* ---- what a killed run left half started ----
 *
 * Between binding its sockets and writing its pid file a dnsmasq can be neither found nor started beside. But it was
 * in its group before it was a dnsmasq: what is there and has no pid file is such a one, and ends. */

static bool is_resolver_or_worker(int pid)
{
    char path[64], program[PATH_MAX], own[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t length = readlink(path, program, sizeof(program) - 1),
            own_length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (length <= 0 || own_length <= 0)
        return false;
    program[length] = own[own_length] = '\0';
    return strcmp(program, RESOLVER_PROGRAM) == 0 || strcmp(program, own) == 0;
}

/* Kills one stray and waits for its end, so that its sockets are free. */
static void end_stray(int pid)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || pid == getpid() || !is_resolver_or_worker(pid) ||
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
        return;
    struct pollfd over = {.fd = pidfd, .events = POLLIN};
    poll(&over, 1, STOP_PATIENCE);
}

static void end_strays_in(int hierarchy, const char *group)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    for (int round = 0; round < STRAY_ROUNDS; round++) { /* what is killed may have forked just before */
        _cleanup_buffer_ struct buffer list = {0};
        if (buffer_read_file(&list, hierarchy, path, 1 << 16, NULL) < 0 || !list.length)
            return;
        for (char *at = list.bytes; *at; at += strcspn(at, "\n"), at += *at == '\n')
            end_stray(atoi(at));
    }
}

static void end_strays(const char *group)
{
    each_cgroup(group, end_strays_in);
}

static void remove_cgroup(int hierarchy, const char *group)
{
    unlinkat(hierarchy, group, AT_REMOVEDIR); /* refused while anything lives in it */
}

static void enter_cgroups(const char *group)
{
    each_cgroup(group, enter_cgroup);
}

static void remove_cgroups(const char *group)
{
    each_cgroup(group, remove_cgroup);
}
