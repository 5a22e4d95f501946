#include "drivers/container/start_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/arena.h"

#define EXEC_BOUND  2000 /* milliseconds for the exec after liblxc reported success */
#define REASON_SIZE 600  /* bytes of an exit file that are read: more than our small init writes */

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

static bool read_exit(const struct paths *paths, const char *lxc_name, char text[static REASON_SIZE])
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, lxc_name, CONTAINER_HOST_DIR "/exit", path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const ssize_t length = fd < 0 ? 0 : read(fd, text, REASON_SIZE - 1);
    text[length > 0 ? length : 0] = '\0';
    return *text;
}

bool start_has_exit(const struct paths *paths, const char *lxc_name)
{
    char text[REASON_SIZE];
    return read_exit(paths, lxc_name, text);
}

/* The guest's root can write there, too. */
const char *start_refusal(const struct paths *paths, const char *lxc_name, struct arena *arena)
{
    char text[REASON_SIZE];
    char *reason = read_exit(paths, lxc_name, text) ? strchr(text, '\n') : NULL;
    if (!reason || !reason[1])
        return NULL;
    reason++;
    reason[strcspn(reason, "\n")] = '\0';
    for (char *at = reason; *at; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '?';
    return arena_strdup(arena, reason);
}
