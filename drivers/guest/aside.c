#include "drivers/guest/aside.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"

struct told {
    int result;
    struct error error;
};

static void work_aside(pid_t parent, int (*work)(void *context, struct error *error), void *context,
                       struct told *told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    told->result = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
                       ? error_errno(&told->error, -errno, "cannot make mounts private")
                       : work(context, &told->error);
    _exit(0);
}

int aside_run(int (*work)(void *context, struct error *error), void *context, struct error *error)
{
    const pid_t self = getpid();
    int status = -1;
    struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        return error_errno(error, -errno, "cannot share memory");
    /* Its end sends no signal: whoever waits for children of any other kind never hears of it. */
    const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | CLONE_FILES, NULL, NULL, NULL, NULL);
    if (pid == 0)
        work_aside(self, work, context, told);
    int result = pid < 0 ? error_errno(error, -errno, "cannot make mounts of its own") : 0;
    while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
        ;
    if (pid > 0 && status != 0)
        result = error_set(error, -EIO, "a process of its own ended before its work was done");
    else if (pid > 0 && (result = told->result) < 0)
        error_set(error, result, "%s", told->error.text);
    munmap(told, sizeof(*told));
    return result;
}
