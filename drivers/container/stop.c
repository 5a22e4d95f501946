/* Stops containers: politely, then not.
 *
 * Signals go to init's pidfd, so they can never hit a process that took over the pid. What ends the wait is the
 * monitor's end and not init's: until then its socket, mounts and links are still there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "drivers/container/initctl.h"
#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/units.h"

#define RESEND       1000 /* milliseconds: a signal right after start can be lost */
#define YOUNG        3000 /* milliseconds of life in which init may still be setting up its handlers */
#define LOOK_AGAIN   20   /* milliseconds, while a monitor has no init yet or lives on unknown */
#define WITHOUT_INIT 3000 /* milliseconds that a monitor may go without an init before it is killed */
#define MONITOR_PATIENCE                                                                                     \
    10000                  /* milliseconds for a monitor to clean up behind its init before it is killed */
#define MONITOR_TIME 30000 /* milliseconds before a monitor that does not end is an error */

struct target {
    const struct paths *paths;
    const char *name;
    const struct call *call;
    int init, monitor; /* pidfds; -1: not there */
    pid_t init_pid, monitor_pid;
    int64_t init_start; /* clock ticks since boot */
    bool own_way;       /* no signal was named: init may be asked as its kind is used to */
};

static int find_target(struct target *target, struct error *error);
static int halt(struct target *target, int number, int64_t timeout);
static int kill_init(struct target *target);
static int await_monitor(struct target *target, struct error *error);
static int halt_signal(const struct target *target, const char *asked, struct error *error);

/* A frozen one gets no signal before it is woken. */
static void wake(const struct target *target)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct hierarchies hierarchies;
    if (hierarchies_read(arena, &hierarchies, NULL) == 0)
        container_thaw(&hierarchies, target->init_pid);
}

int container_stop_it(const struct paths *paths, const struct container_stop *stop, const struct call *call,
                      struct error *error)
{
    _cleanup_close_ int init = -1;
    _cleanup_close_ int monitor = -1;
    struct target target = {.paths = paths, .name = stop->lxc_name, .call = call, .init = -1, .monitor = -1};
    int result = find_target(&target, error);
    init = target.init;
    monitor = target.monitor;
    if (result <= 0)
        return result;
    if (stop->timeout > 0 && target.init >= 0) {
        int number = halt_signal(&target, stop->halt_signal, error);
        if (number < 0)
            return number;
        target.own_way = !stop->halt_signal && number == SIGPWR;
        wake(&target);
        result = halt(&target, number, stop->timeout);
        if (result < 0)
            return error_errno(error, result, "container %s: stopping", stop->lxc_name);
    }
    result = kill_init(&target);
    if (result < 0)
        return error_errno(error, result, "container %s: cannot kill its init", stop->lxc_name);
    return await_monitor(&target, error);
}

/* ---- whom ---- */

static int open_process(int64_t pid)
{
    return pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

/* As init still has it for its parent behind the pidfd, no other process has taken that number over. */
static void open_monitor(struct target *target, pid_t monitor)
{
    target->monitor = open_process(monitor);
    target->monitor_pid = monitor;
    if (target->monitor < 0 || process_parent(target->init_pid) == monitor)
        return;
    close(target->monitor);
    target->monitor = -1;
}

/* 1: runs. 0: is stopped. While a monitor is starting or ending it has no init: waits for either to change. One that
 * stays so has lost the process that started it, and is killed, unless it waits for a helper of its own. */
static int find_target(struct target *target, struct error *error)
{
    for (int64_t began = now_milliseconds();;) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct observed_container now;
        int result = container_look(target->paths, target->name, arena, &now, error);
        if (result < 0)
            return result;
        if (!now.running)
            return 0;
        if (!now.ours)
            return error_set(error, -EPERM, "container %s is not fpsync's", target->name);
        target->init = open_process(now.init_pid);
        target->init_pid = (pid_t)now.init_pid;
        target->init_start = now.init_start;
        /* Looked at again behind the pidfd: now the number cannot change hands any more. */
        if (target->init >= 0 && process_start(target->init_pid) == now.init_start) {
            open_monitor(target, (pid_t)now.monitor_pid);
            return 1;
        }
        if (target->init >= 0)
            close(target->init);
        target->init = -1;
        result = call_check(target->call);
        if (result < 0)
            return error_errno(error, result, "container %s: stopping", target->name);
        int64_t waited = now_milliseconds() - began;
        _cleanup_close_ int monitor = open_process(now.monitor_pid);
        bool busy = waited < MONITOR_TIME && monitor_is_at_work((pid_t)now.monitor_pid);
        if (monitor >= 0 && waited > WITHOUT_INIT && !busy &&
            monitor_is_of((pid_t)now.monitor_pid, target->paths, target->name))
            syscall(SYS_pidfd_send_signal, monitor, SIGKILL, NULL, 0);
        if (waited > 2 * MONITOR_TIME)
            return error_set(error, -ETIMEDOUT, "container %s: its monitor has no init and does not end",
                             target->name);
        struct pollfd end = {.fd = monitor, .events = POLLIN};
        poll(&end, 1, LOOK_AGAIN);
    }
}

/* ---- politely ---- */

static bool in_mask(const char *line, const char *title, int number)
{
    size_t length = strlen(title);
    if (strncmp(line, title, length) != 0)
        return false;
    return strtoull(line + length, NULL, 16) >> (number - 1) & 1;
}

/* Caught by a handler, or blocked because it is read from a signalfd, as systemd does. Any other signal than those
 * does not even reach the first process of a pid namespace. */
static bool catches(pid_t pid, int number)
{
    char path[64];
    _cleanup_buffer_ struct buffer status = {0};
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (buffer_read_file(&status, AT_FDCWD, path, 64 * 1024, NULL) < 0)
        return false;
    bool found = false;
    char *rest = status.bytes;
    for (char *line = strsep(&rest, "\n"); line && !found; line = strsep(&rest, "\n"))
        found = in_mask(line, "SigCgt:", number) || in_mask(line, "SigBlk:", number);
    return found;
}

static int least(int left, int right)
{
    return left < 0 || (right >= 0 && right < left) ? right : left;
}

/* Milliseconds that init has lived. */
static int64_t age_of(const struct target *target)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    int64_t ticks = sysconf(_SC_CLK_TCK);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - target->init_start * 1000 / ticks;
}

/* 0 when init ended, is deaf, or the time is up; -ECANCELED, -ETIMEDOUT when the call should end early. */
static int halt(struct target *target, int number, int64_t timeout)
{
    const int64_t until = now_milliseconds() + timeout;
    struct pollfd sources[] = {{.fd = target->init, .events = POLLIN},
                               {.fd = target->call->cancel, .events = POLLIN}};
    for (int64_t next = 0, now = now_milliseconds(); now < until; now = now_milliseconds()) {
        bool caught = catches(target->init_pid, number);
        /* An init that was started just now may not have come to its handlers yet. */
        if (!caught && age_of(target) > YOUNG)
            return 0;
        if (caught && now >= next) {
            if (!target->own_way || !initctl_halt(target->init_pid))
                syscall(SYS_pidfd_send_signal, target->init, number, NULL, 0);
            next = now + RESEND;
        }
        int64_t wait = caught ? next - now : LOOK_AGAIN;
        if (wait > until - now)
            wait = until - now;
        if (poll(sources, 2, least((int)wait, call_time_left(target->call))) < 0 && errno != EINTR)
            return -errno;
        if (sources[0].revents)
            return 0;
        int result = call_check(target->call);
        if (result < 0)
            return result;
    }
    return 0;
}

/* ---- which signal ---- */

static int signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {
        {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
        {"TERM", SIGTERM},     {"PWR", SIGPWR},   {"WINCH", SIGWINCH}, {"KILL", SIGKILL}, {"ALRM", SIGALRM},
        {"ABRT", SIGABRT},     {"CONT", SIGCONT}, {"STOP", SIGSTOP},   {"TSTP", SIGTSTP}, {"PIPE", SIGPIPE},
        {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"IO", SIGIO},       {"URG", SIGURG},
    };
    int64_t offset = 0;
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].number;
    bool from_end = strncmp(name, "RTMAX", 5) == 0;
    if (!from_end && strncmp(name, "RTMIN", 5) != 0)
        return -1;
    if (name[5] && (name[5] != (from_end ? '-' : '+') || number_parse(name + 6, &offset) < 0))
        return -1;
    int number = from_end ? SIGRTMAX - (int)offset : SIGRTMIN + (int)offset;
    return offset < 0 || offset > 30 || number < SIGRTMIN || number > SIGRTMAX ? -1 : number;
}

/* The name of init's program is what tells systemd from others; a `command:` runs below ours. */
static int standard_signal(pid_t init)
{
    char path[64], program[256];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)init);
    ssize_t length = readlink(path, program, sizeof(program) - 1);
    program[length < 0 ? 0 : length] = '\0';
    if (strcmp(program, CONTAINER_INIT) == 0)
        return SIGTERM;
    const char *base = strrchr(program, '/');
    return base && strcmp(base, "/systemd") == 0 ? SIGRTMIN + 3 : SIGPWR;
}

static int halt_signal(const struct target *target, const char *asked, struct error *error)
{
    int number = asked ? signal_number(asked) : standard_signal(target->init_pid);
    if (number < 0)
        return error_set(error, -EINVAL, "container %s: \"%s\" is no signal", target->name, asked);
    return number;
}

/* ---- not politely ---- */

/* A frozen process of version 1 does not even die of SIGKILL. */
static int kill_init(struct target *target)
{
    struct pollfd end = {.fd = target->init, .events = POLLIN};
    if (target->init < 0 || poll(&end, 1, 0) > 0)
        return 0;
    if (syscall(SYS_pidfd_send_signal, target->init, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return -errno;
    wake(target);
    return 0;
}

static bool still_running(const struct target *target)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct monitor_sockets sockets;
    return monitor_sockets_read(arena, &sockets, NULL) < 0 ||
           monitor_socket_of(&sockets, target->paths, target->name) != NULL;
}

static int await_monitor(struct target *target, struct error *error)
{
    int64_t until = now_milliseconds() + MONITOR_TIME;
    for (;;) {
        int64_t left = until - now_milliseconds();
        if (left <= 0)
            return error_set(error, -ETIMEDOUT, "container %s: init is gone, its monitor does not end",
                             target->name);
        struct pollfd sources[] = {{.fd = target->monitor, .events = POLLIN},
                                   {.fd = target->call->cancel, .events = POLLIN}};
        /* It cleans up in some 50 ms; one whose starter died may wait for that one for ever. */
        bool late = left < MONITOR_TIME - MONITOR_PATIENCE;
        bool working = late && target->monitor >= 0 && monitor_is_at_work(target->monitor_pid);
        if (late && !working && target->monitor >= 0)
            syscall(SYS_pidfd_send_signal, target->monitor, SIGKILL, NULL, 0);
        int64_t next = late ? left : left - (MONITOR_TIME - MONITOR_PATIENCE) + 1;
        int wait =
            least(target->monitor < 0 || working ? LOOK_AGAIN : (int)next, call_time_left(target->call));
        if (poll(sources, 2, wait) < 0 && errno != EINTR)
            return error_errno(error, -errno, "container %s: stopping", target->name);
        if ((sources[0].revents || target->monitor < 0) && !still_running(target))
            return 0;
        int result = call_check(target->call);
        if (result < 0)
            return error_errno(error, result, "container %s: stopping", target->name);
        if (sources[0].revents)
            target->monitor = -1; /* it was not the one that holds the socket */
    }
}
