/* One child at a time: forked, heard through a pipe, killed when the call ends early or when we die. */
#include "drivers/image/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/lines.h"
#include "lib/cleanup.h"
#include "lib/error.h"

/* In the child: nothing of ours but the descriptors it is meant to have (all else is O_CLOEXEC). */
static void become(const struct program *program, int output)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                              "HOME=/root", NULL};
    sigset_t none;
    int input = program->input >= 0 ? program->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* Above the numbers that are about to be given away. */
    input = fcntl(input, F_DUPFD_CLOEXEC, 10);
    output = fcntl(output, F_DUPFD_CLOEXEC, 10);
    int second = program->second > 0 ? fcntl(program->second, F_DUPFD_CLOEXEC, 10) : -1;
    int third = program->third > 0 ? fcntl(program->third, F_DUPFD_CLOEXEC, 10) : -1;
    int file = program->output > 0 ? fcntl(program->output, F_DUPFD_CLOEXEC, 10) : output;
    int target = program->target >= 0 ? fcntl(program->target, F_DUPFD_CLOEXEC, 10) : -1;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    umask(022);
    if (dup2(input, 0) < 0 || dup2(file, 1) < 0 || dup2(output, 2) < 0 ||
        (target >= 0 && dup2(target, 3) < 0) || (second >= 0 && dup2(second, 4) < 0) ||
        (third >= 0 && dup2(third, 5) < 0))
        _exit(126);
    if (program->own_processes &&
        (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
         mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0))
        _exit(126);
    execve(program->arguments[0], program->arguments, (char *const *)environment);
    _exit(127);
}

static pid_t spawn(const struct program *program, int output)
{
    unsigned long flags = SIGCHLD | (program->own_processes ? CLONE_NEWPID | CLONE_NEWNS : 0);
    pid_t parent = getpid();
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!program->own_processes && getppid() != parent) /* it died before that took effect */
        _exit(125);
    setsid();
    become(program, output);
    return -1;
}

/* Until the output ends, or the call. */
static int listen_to(const struct program *program, int output, const struct call *call)
{
    struct lines lines = {.line = program->line, .context = program->context};
    for (;;) {
        struct pollfd waits[2] = {{.fd = output, .events = POLLIN}, {.fd = call->cancel, .events = POLLIN}};
        if (poll(waits, 2, call_time_left(call)) < 0 && errno != EINTR)
            return -errno;
        int result = call_check(call);
        if (result < 0)
            return result;
        if (!waits[0].revents)
            continue;
        char bytes[4096];
        ssize_t got = read(output, bytes, sizeof(bytes));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        if (got > 0)
            lines_take(&lines, bytes, (size_t)got);
    }
    lines_end(&lines);
    return 0;
}

int program_run(const struct program *program, const struct call *call, struct error *error)
{
    const char *name = program->arguments[0];
    int ends[2], status = 0;
    if (access(name, X_OK) < 0)
        return error_errno(error, -errno, "%s", name);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    _cleanup_close_ int output = ends[0];
    pid_t pid = spawn(program, ends[1]);
    int code = -errno;
    close(ends[1]);
    if (pid < 0)
        return error_errno(error, code, "cannot start %s", name);
    int result = listen_to(program, output, call);
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return error_errno(error, result, "%s", name);
    if (WIFSIGNALED(status))
        return error_set(error, -EIO, "%s was killed by signal %d", name, WTERMSIG(status));
    return WEXITSTATUS(status);
}
