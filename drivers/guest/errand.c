#include "drivers/guest/errand.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stddef.h>
#include <sys/wait.h>

#define STACK_SIZE 65536 /* bytes; sanitizers take more of it than system calls do */

struct errand {
    int (*run)(const void *context);
    const void *context;
    int result;
};

static int begin(void *argument)
{
    struct errand *errand = argument;
    errand->result = errand->run(errand->context);
    return 0;
}

int errand_run(int (*run)(const void *context), const void *context, int flags)
{
    alignas(16) char stack[STACK_SIZE];
    struct errand errand = {.run = run, .context = context, .result = -EIO};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t pid = clone(begin, stack + sizeof(stack), flags | CLONE_VM | CLONE_VFORK | SIGCHLD, &errand);
    const int failed = pid < 0 ? -errno : 0;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return failed ? failed : errand.result;
}
