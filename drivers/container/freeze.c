/* Lets all processes of a container stand still, and go on. Written to its control group and not asked of liblxc, whose
 * own way waits without a bound and, for what stands already, for ever. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

#define PATIENCE   10000 /* milliseconds */
#define LOOK_AGAIN 1     /* millisecond: version 1 tells nobody when it is done */

static int write_state(const struct hierarchies *hierarchies, pid_t init, bool frozen)
{
    char folder[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + 64];
    const struct hierarchy *hierarchy = hierarchy_of_freezer(hierarchies);
    if (!hierarchy || !payload_path(hierarchy, init, folder))
        return hierarchy ? -ESRCH : -EOPNOTSUPP;
    const char *value = hierarchy->unified ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    snprintf(path, sizeof(path), "%s/%s", folder, hierarchy->unified ? "cgroup.freeze" : "freezer.state");
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

void container_thaw(const struct hierarchies *hierarchies, pid_t init)
{
    write_state(hierarchies, init, false);
}

/* Version 1 is asked again each time: a process that was being made may have been missed. */
static int await_state(const struct hierarchies *hierarchies, pid_t init, bool frozen,
                       const struct call *call)
{
    for (int64_t until = now_milliseconds() + PATIENCE;;) {
        int result = write_state(hierarchies, init, frozen);
        if (result < 0 || is_frozen(hierarchies, init) == frozen)
            return result;
        result = call_check(call);
        if (result == 0 && now_milliseconds() > until)
            result = -ETIMEDOUT;
        if (result < 0) {
            write_state(hierarchies, init, false);
            return result;
        }
        poll(NULL, 0, LOOK_AGAIN);
    }
}

int container_freeze_it(const struct paths *paths, const struct container_freeze *request,
                        const struct call *call, struct error *error)
{
    struct observed_container present;
    struct hierarchies hierarchies;
    int result = container_look(paths, request->lxc_name, call->arena, &present, error);
    if (result == 0)
        result = hierarchies_read(call->arena, &hierarchies, error);
    if (result < 0)
        return result;
    if (!present.ours)
        return error_set(error, present.defined ? -EPERM : -ENOENT, "container %s is %s", request->lxc_name,
                         present.defined ? "not fpsync's" : "not defined");
    if (!present.init_pid)
        return error_set(error, -ESRCH, "container %s does not run", request->lxc_name);
    result = await_state(&hierarchies, (pid_t)present.init_pid, request->frozen, call);
    return result < 0 ? error_errno(error, result, "container %s cannot %s", request->lxc_name,
                                    request->frozen ? "be frozen" : "be woken")
                      : 0;
}
