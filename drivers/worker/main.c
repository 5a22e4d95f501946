/* fpsync-worker: makes effects for the main program, one task after another.
 *
 *   fpsync-worker ROOT                          tasks on stdin, replies on stdout (drivers/task.h)
 *   fpsync-worker --exec ROOT LXCNAME NAME -- ARGV
 *                                               runs ARGV inside a container, for `fpsync exec`
 *   fpsync-worker --console ROOT LXCNAME NAME   joins the terminal to its console, for `fpsync console`
 *   fpsync-worker --log ROOT LXCNAME NAME       prints what its monitor remembers of it, for `fpsync logs`
 *
 * It is a program of its own because liblxc's monitor is a fork of whoever starts a container: it keeps that
 * process's heap for the container's life, and hands umask and ignored signals on to the guest's init. So the
 * worker holds nothing worth keeping: no database, lock or secret, one arena a task.
 *
 * A worker that crashes answers nothing more; the main side sees the end of the stream and observes. SIGTERM ends
 * the step in progress (-ECANCELED), and all that follows; the death of the main program ends the worker at once,
 * so that no effect is made behind the back of the next run. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/steps.h"
#include "drivers/task.h"
#include "drivers/worker/worker.h"
#include "lib/error.h"

#define EXIT_USAGE 64

static int cancel_event = -1;

static int work(const char *root);
static int execute(const char *root, char **arguments);
static int talk(const char *command, int (*how)(const struct paths *, const char *, struct error *),
                char **arguments);
static void reset_process(void);
static int fail(const char *what, const struct error *error);

int main(int count, char **arguments)
{
    reset_process();
    if (count == 2 && arguments[1][0] != '-')
        return work(arguments[1]);
    if (count > 6 && strcmp(arguments[1], "--exec") == 0 && strcmp(arguments[5], "--") == 0)
        return execute(arguments[2], arguments + 3);
    if (count == 5 && strcmp(arguments[1], "--console") == 0)
        return talk("console", container_console, arguments + 2);
    if (count == 5 && strcmp(arguments[1], "--log") == 0)
        return talk("logs", container_console_log, arguments + 2);
    fputs("usage: fpsync-worker ROOT | --console|--log ROOT LXCNAME NAME |\n"
          "       --exec ROOT LXCNAME NAME -- COMMAND...; run by fpsync\n",
          stderr);
    return EXIT_USAGE;
}

/* What the caller had must not reach a guest: umask, ignored or blocked signals, descriptors. */
static void reset_process(void)
{
    umask(022);
    /* By the kernel's own call: the C library refuses to touch signals 32 and 33, which it keeps for its threads, and
     * a guest would inherit them ignored. */
    static const unsigned long standard[8]; /* a kernel sigaction, larger than any: SIG_DFL and no flags */
    for (int signal = 1; signal < NSIG; signal++)
        syscall(SYS_rt_sigaction, signal, standard, NULL, (size_t)((NSIG - 1) / 8));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

static int fail(const char *what, const struct error *error)
{
    fprintf(stderr, "fpsync-worker: %s: %s\n", what, error->text);
    return EXIT_FAILURE;
}

/* ---- tasks ---- */

static void on_terminate(int signal)
{
    (void)signal;
    int saved = errno;
    uint64_t one = 1;
    if (write(cancel_event, &one, sizeof(one)) < 0) {
        /* The counter is full: it is readable, which is all that is asked of it. */
    }
    errno = saved;
}

static void on_pipe(int signal)
{
    (void)signal; /* a handler, not SIG_IGN: a guest's init would inherit that */
}

/* Libraries and programs that we run may write to stdout and read from stdin: the conversation moves to descriptors
 * that they cannot know. */
static int take_streams(int *requests, int *replies, struct error *error)
{
    *requests = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    *replies = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    _cleanup_close_ int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (*requests < 0 || *replies < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return error_errno(error, -errno, "cannot arrange the standard streams");
    return 0;
}

static int watch_signals(struct error *error)
{
    cancel_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel_event < 0)
        return error_errno(error, -errno, "cannot make an event descriptor");
    struct sigaction terminate = {.sa_handler = on_terminate}, broken = {.sa_handler = on_pipe};
    sigaction(SIGTERM, &terminate, NULL);
    sigaction(SIGPIPE, &broken, NULL);
    /* Should it be dead already, the end of `requests` tells. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(error, -errno, "cannot tie the worker to its parent");
    return 0;
}

/* 1: a task waits. 0: told to end. */
static int wait_task(int requests)
{
    struct pollfd sources[] = {{.fd = requests, .events = POLLIN}, {.fd = cancel_event, .events = POLLIN}};
    while (poll(sources, 2, -1) < 0)
        if (errno != EINTR)
            return 0;
    return sources[1].revents ? 0 : 1;
}

static int work(const char *root)
{
    struct error error = {0};
    _cleanup_arena_ struct arena *arena = arena_new();
    struct paths paths;
    int requests, replies;
    if (paths_make(root, arena, &paths, &error) < 0 || take_streams(&requests, &replies, &error) < 0 ||
        watch_signals(&error) < 0)
        return fail("start", &error);
    while (wait_task(requests)) {
        int result = worker_task(requests, replies, cancel_event, &paths, &error);
        if (result < 0)
            return fail("tasks", &error);
        if (result == 0)
            break;
    }
    return EXIT_SUCCESS;
}

/* ---- exec ---- */

/* `arguments`: LXC name, the name that the user knows, "--", program and its arguments. */
static int execute(const char *root, char **arguments)
{
    struct error error = {0};
    _cleanup_arena_ struct arena *arena = arena_new();
    struct paths paths;
    if (paths_make(root, arena, &paths, &error) < 0)
        return fail("exec", &error);
    int result = container_exec(&paths, arguments[0], arguments + 3, &error);
    if (result >= 0)
        return result;
    fprintf(stderr, "fpsync: exec: container %s: %s\n", arguments[1], error.text);
    /* As shells and env(1) have it: 126 found but not executable, 127 not found. */
    return result == -ENOENT ? 127 : 126;
}

/* `arguments`: root, LXC name, the name that the user knows. */
static int talk(const char *command, int (*how)(const struct paths *, const char *, struct error *),
                char **arguments)
{
    struct error error = {0};
    _cleanup_arena_ struct arena *arena = arena_new();
    struct paths paths;
    int result = paths_make(arguments[0], arena, &paths, &error);
    if (result >= 0)
        result = how(&paths, arguments[1], &error);
    if (result < 0)
        fprintf(stderr, "fpsync: %s: container %s: %s\n", command, arguments[2], error.text);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
