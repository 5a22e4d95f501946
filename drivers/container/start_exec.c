#include "drivers/container/start_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXEC_BOUND 2000 /* milliseconds for the exec after liblxc reported success */

bool start_has_command(struct config *config, const struct paths *paths)
{
    char line[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE];
    const int length = config->lxc->get_config_item(config->lxc, "lxc.init.cmd", line, sizeof(line));
    if (length <= 0 || (size_t)length >= sizeof(line) || strcmp(line, CONTAINER_INIT) != 0)
        return false;
    container_path(paths, config->name, CONTAINER_HOST_DIR "/argv", path);
    return read_line(AT_FDCWD, path, line, sizeof(line)) == 0 && *line;
}

/* Nothing announces an exec, so it is looked for every millisecond, the wait being one for the process's end. */
int start_await_exec(pid_t init, bool command, const struct call *call)
{
    _cleanup_close_ int pidfd = init > 0 ? (int)syscall(SYS_pidfd_open, init, 0) : -1;
    if (pidfd < 0)
        return -ESRCH;
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    for (int64_t until = now_milliseconds() + EXEC_BOUND;
         now_milliseconds() < until && call_check(call) == 0;) {
        const bool executed = has_executed(init, getpid()) && (!command || has_executing_child(init));
        if (poll(&end, 1, executed ? 0 : 1) > 0)
            return -ESRCH;
        if (executed)
            return 0;
    }
    return 0;
}
