/* Runs a program inside a container, for a build or for a probe; and ends a container of a build. */
#include <errno.h>
#include <fcntl.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/container/internal.h"
#include "drivers/lines.h"
#include "lib/error.h"

/* The last to be heard of a program that cannot be run is this process, inside the container. */
struct program {
    lxc_attach_command_t command;
    bool mortal;
};

static int run_program(void *payload)
{
    struct program *running = payload;
    const char *program = running->command.program;
    if (running->mortal) {
        setsid();
        ioctl(STDIN_FILENO, TIOCSCTTY, 0); /* where it is a terminal, the program's own */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    int status = lxc_attach_run_command(&running->command);
    dprintf(STDERR_FILENO, "%s: %s\n", program,
            status == 127 ? "no such program in the image" : "cannot be executed");
    return status == 127 ? 127 : 126;
}

int container_attach(struct lxc_container *lxc, const struct container_command *command, const int streams[3],
                     pid_t *pid, struct error *error)
{
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    gid_t *groups = calloc(command->group_count + 1, sizeof(*groups));
    if (!groups)
        return error_errno(error, -ENOMEM, "cannot enter it");
    for (size_t i = 0; i < command->group_count; i++)
        groups[i] = (gid_t)command->groups[i];
    options.env_policy = LXC_ATTACH_CLEAR_ENV;
    options.extra_env_vars = command->environment;
    options.initial_cwd = (char *)command->directory;
    options.uid = (uid_t)command->uid;
    options.gid = (gid_t)command->gid;
    options.groups = (lxc_groups_t){.size = command->group_count, .list = groups};
    options.attach_flags |= LXC_ATTACH_SETGROUPS;
    options.stdin_fd = streams[0];
    options.stdout_fd = streams[1];
    options.stderr_fd = streams[2];
    struct program program = {.command = {.program = command->argv[0], .argv = (char **)command->argv},
                              .mortal = command->mortal};
    int result = lxc->attach(lxc, run_program, &program, &options, pid) < 0 ? -(errno ? errno : EIO) : 0;
    free(groups);
    return result < 0 ? error_errno(error, result, "cannot enter the container") : 0;
}

/* True while there may be more. */
static bool read_some(int output, struct lines *lines, size_t *most)
{
    char bytes[4096];
    ssize_t got = read(output, bytes, sizeof(bytes));
    if (got > 0)
        lines_take(lines, bytes, (size_t)got);
    const bool enough = *most && got > 0 && (size_t)got >= *most;
    *most -= *most && got > 0 && !enough ? (size_t)got : 0;
    return !enough && (got > 0 || (got < 0 && errno == EINTR));
}

/* Until the program ends: what it has started may hold its output open for ever. */
static int listen_to(int output, int program, struct lines *lines, size_t most, const struct call *call)
{
    for (bool open = true;;) {
        struct pollfd waits[] = {{.fd = program, .events = POLLIN},
                                 {.fd = call->cancel, .events = POLLIN},
                                 {.fd = open ? output : -1, .events = POLLIN}};
        if (poll(waits, 3, call_time_left(call)) < 0 && errno != EINTR)
            return -errno;
        int result = call_check(call);
        if (result < 0)
            return result;
        if (waits[2].revents)
            open = read_some(output, lines, &most);
        if (!waits[0].revents)
            continue;
        fcntl(output, F_SETFL, O_NONBLOCK);
        while (open && read_some(output, lines, &most))
            ;
        return 0;
    }
}

int container_run(const struct paths *paths, const struct container_command *command, const struct call *call,
                  struct error *error)
{
    int ends[2], status = 0;
    pid_t pid = -1;
    _cleanup_config_ struct config config;
    int result = config_open(&config, paths, command->lxc_name, true, error);
    if (result < 0)
        return result;
    _cleanup_close_ int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    _cleanup_close_ int output = ends[0];
    result = container_attach(config.lxc, command, (const int[]){input, ends[1], ends[1]}, &pid, error);
    close(ends[1]);
    if (result < 0)
        return result;
    struct lines lines = {.line = command->line, .context = command->context};
    _cleanup_close_ int program = (int)syscall(SYS_pidfd_open, pid, 0);
    result = program < 0 ? -errno : listen_to(output, program, &lines, command->most, call);
    lines_end(&lines);
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return error_errno(error, result, "%s", command->argv[0]);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int container_end(const struct container_started *started, const struct call *call, struct error *error)
{
    _cleanup_close_ int init =
        started->init_pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)started->init_pid, 0) : -1;
    if (init < 0 || process_start((pid_t)started->init_pid) != started->init_start)
        return 0;
    if (syscall(SYS_pidfd_send_signal, init, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(error, -errno, "cannot kill its init");
    while (poll(&(struct pollfd){.fd = init, .events = POLLIN}, 1, call_time_left(call)) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "cannot await its end");
    return 0;
}
