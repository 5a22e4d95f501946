/* A container's console: a terminal joined to it for `fpsync console`, and what its monitor remembers of it for
 * `fpsync logs`. Both are interactive or long: they run in a process of their own and not as steps. */
#include <errno.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define CONSOLE   0 /* liblxc's number of /dev/console; 1 and up are the ttys */
#define CONTROL_A 1
#define LINGER    2000 /* milliseconds for the last words of a container that has ended */

/* Of a container of ours that runs: LXC's handle, which the caller closes, and its init. */
static int open_running(const struct paths *paths, const char *lxc_name, struct config *config, pid_t *init,
                        struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct observed_container present;
    int result = container_look(paths, lxc_name, arena, &present, error);
    if (result < 0)
        return result;
    if (!present.running || !present.init_pid)
        return error_set(error, -ESRCH, "it is not running");
    if (!present.ours)
        return error_set(error, -EPERM, "it is not fpsync's");
    *init = (pid_t)present.init_pid;
    return config_open(config, paths, lxc_name, true, error);
}

/* liblxc puts the terminal into raw mode, and back when it returns, but not when it is killed: that is the parent's. */
static pid_t join(struct lxc_container *lxc)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    int result = lxc->console(lxc, CONSOLE, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, CONTROL_A);
    _exit(result < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static bool has_ended(pid_t child, int *status)
{
    return waitpid(child, status, WNOHANG) == child;
}

/* Until the child ends: by the escape, with the container, or because we are told to. */
static int await(pid_t child, int init, int signals)
{
    int status = 0, patience = -1;
    struct pollfd sources[] = {{.fd = signals, .events = POLLIN}, {.fd = init, .events = POLLIN}};
    while (!has_ended(child, &status)) {
        struct signalfd_siginfo told = {0};
        int found = poll(sources, 2, patience);
        if (found == 0) {
            kill(child, SIGTERM);
            patience = -1;
        }
        if (sources[0].revents && read(signals, &told, sizeof(told)) == sizeof(told) &&
            told.ssi_signo != SIGCHLD)
            kill(child, SIGTERM);
        if (sources[1].revents) {
            sources[1].fd = -1;
            patience = LINGER;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? -EIO : 0;
}

static int open_signals(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int container_console(const struct paths *paths, const char *lxc_name, struct error *error)
{
    _cleanup_config_ struct config config = {0};
    struct termios before;
    pid_t pid;
    if (tcgetattr(STDIN_FILENO, &before) < 0 || !isatty(STDOUT_FILENO))
        return error_set(error, -ENOTTY,
                         "standard input and output are no terminal; fpsync logs prints a console");
    int result = open_running(paths, lxc_name, &config, &pid, error);
    if (result < 0)
        return result;
    _cleanup_close_ int init = (int)syscall(SYS_pidfd_open, pid, 0);
    _cleanup_close_ int signals = open_signals();
    pid_t child = join(config.lxc);
    if (child < 0)
        return error_errno(error, -errno, "cannot fork");
    result = await(child, init, signals);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return result < 0 ? error_set(error, result, "its console cannot be reached") : 0;
}

int container_console_log(const struct paths *paths, const char *lxc_name, struct error *error)
{
    _cleanup_config_ struct config config = {0};
    pid_t init;
    uint64_t size = 0;
    struct lxc_console_log log = {.read = true, .read_max = &size};
    int result = open_running(paths, lxc_name, &config, &init, error);
    if (result < 0)
        return result;
    result = config.lxc->console_log(config.lxc, &log);
    if (result == -ENODATA)
        return 0;
    if (result < 0)
        return error_set(error, result, "its monitor keeps nothing of its console (lxc.console.buffer.size)");
    result = bytes_write(STDOUT_FILENO, log.data, size);
    free(log.data);
    return result < 0 ? error_errno(error, result, "cannot write") : 0;
}
