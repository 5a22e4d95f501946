/* Waits until a container has ended, and tells whether its command did well. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

#define LOOK_AGAIN 20 /* milliseconds, while the monitor outlives its init, or starts one */

static int64_t least_wait(int64_t wait, int64_t left)
{
    return wait < 0 || left < wait ? left : wait;
}

/* Until its init ends, the call does, or the time is up. */
static void wait_for_end(const struct observed_container *present, int64_t left, const struct call *call)
{
    _cleanup_close_ int init =
        present->init_pid ? (int)syscall(SYS_pidfd_open, (pid_t)present->init_pid, 0) : -1;
    struct pollfd sources[] = {{.fd = init, .events = POLLIN}, {.fd = call->cancel, .events = POLLIN}};
    int64_t wait = least_wait(init < 0 ? LOOK_AGAIN : -1, left);
    const int until_deadline = call_time_left(call);
    if (until_deadline >= 0)
        wait = least_wait(wait, until_deadline);
    poll(sources, 2, wait > INT32_MAX ? INT32_MAX : (int)wait);
    if (sources[0].revents)
        poll(NULL, 0, LOOK_AGAIN); /* the monitor is told, too, and writes down the end */
}

int container_await(const struct paths *paths, const struct container_await *request, const struct call *call,
                    struct error *error)
{
    const char *name = request->lxc_name;
    struct observed_container present;
    for (const int64_t until = now_milliseconds() + request->timeout;;) {
        int result = container_look(paths, name, call->arena, &present, error);
        if (result == 0)
            result = call_check(call);
        if (result < 0)
            return error_errno(error, result, "container %s: waiting for its end", name);
        if (!present.running)
            break;
        const int64_t left = until - now_milliseconds();
        if (left <= 0)
            return error_set(error, -ETIME, "container %s did not complete within %lld s", name,
                             (long long)(request->timeout / 1000));
        wait_for_end(&present, left, call);
    }
    if (request->has_command && !present.exited)
        return error_set(error, -ECHILD, "container %s was ended before its command did", name);
    return present.exited && present.exit_status
               ? error_set(error, -ECHILD, "container %s ended with status %d", name,
                           (int)present.exit_status)
               : 0;
}
