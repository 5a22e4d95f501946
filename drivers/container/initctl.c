#include "drivers/container/initctl.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* initreq.h of sysvinit. */
#define INIT_MAGIC        0x03091969
#define INIT_CMD_RUNLEVEL 1

struct init_request {
    int32_t magic, command, runlevel, sleep;
    char data[368];
};

static int open_fifo(pid_t init)
{
    char path[64];
    struct stat status;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
    _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int found =
        root < 0 ? -1 : (int)syscall(SYS_openat2, root, "run/initctl", &how, sizeof(how));
    if (found < 0 || fstat(found, &status) < 0 || !S_ISFIFO(status.st_mode))
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* fails where nobody reads */
}

bool initctl_halt(pid_t init)
{
    const struct init_request request = {.magic = INIT_MAGIC, .command = INIT_CMD_RUNLEVEL, .runlevel = '0'};
    _cleanup_close_ int fifo = open_fifo(init);
    return fifo >= 0 && write(fifo, &request, sizeof(request)) == sizeof(request);
}
