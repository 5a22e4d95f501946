/* Removes control groups that a container left behind: a monitor that was killed cannot do it itself, and a next
 * start would take other names because of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

#define PATIENCE        4000  /* milliseconds for processes on their way out */
#define HELPER_PATIENCE 30000 /* milliseconds when one of them is a monitor that waits for a helper */
#define LOOK_AGAIN      2
#define LOOK_SELDOM     50
#define DEPTH_BOUND     64 /* the kernel's own bound is set by cgroup.max.depth, in practice far less */

struct group_owner {
    const struct paths *paths;
    const char *name;
    bool shared; /* the name is also used by somebody else's container that runs */
};

/* Depth first; a group with a process in it refuses (EBUSY), which is the safety of the whole. */
static int remove_group(int parent, const char *name, int depth)
{
    int fd = openat(parent, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return -ENOMEM;
    }
    int result = depth > DEPTH_BOUND ? -ELOOP : 0;
    for (struct dirent *entry = result ? NULL : readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int failed = remove_group(fd, entry->d_name, depth + 1);
        if (failed < 0 && result == 0)
            result = failed;
    }
    closedir(folder);
    if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        result = -errno;
    return result;
}

/* A monitor without a command socket serves nobody: its start was killed half way, and it waits for ever, unless
 * that is for a helper of its own. Returns whether one does. */
static bool kill_monitors(const struct group_owner *owner, int parent, const char *name)
{
    char path[CONTAINER_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/cgroup.procs", name);
    int fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
    _cleanup_fclose_ FILE *processes = fd < 0 ? NULL : fdopen(fd, "r");
    bool busy = false;
    int pid;
    while (processes && fscanf(processes, "%d", &pid) == 1) {
        /* Opened before it is looked at, so that the signal cannot hit another one. */
        _cleanup_close_ int monitor = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
        if (monitor < 0 || !monitor_is_of(pid, owner->paths, owner->name))
            continue;
        if (monitor_is_at_work(pid))
            busy = true;
        else
            syscall(SYS_pidfd_send_signal, monitor, SIGKILL, NULL, 0);
    }
    return busy;
}

/* A process leaves its group a little after it closed its sockets, which is when its container counts as stopped.
 * Version 1 has no event for that, and a dying process is listed no more. */
static int remove_patiently(const struct group_owner *owner, int parent, const char *name)
{
    int result = remove_group(parent, name, 0);
    if (result != -EBUSY)
        return result;
    if (owner->shared)
        return 0;
    bool busy = false;
    int64_t began = now_milliseconds();
    for (int64_t waited = 0; result == -EBUSY && waited < (busy ? HELPER_PATIENCE : PATIENCE);
         waited = now_milliseconds() - began) {
        if (waited > PATIENCE / 2)
            busy = kill_monitors(owner, parent, name);
        poll(NULL, 0, busy ? LOOK_SELDOM : LOOK_AGAIN);
        result = remove_group(parent, name, 0);
    }
    return result;
}

/* Whether a container of the same name runs below another lxcpath: then the groups may be its own. */
static bool is_shared(const struct monitor_sockets *sockets, const struct paths *paths, const char *name)
{
    char tail[CONTAINER_PATH_SIZE];
    size_t length = (size_t)snprintf(tail, sizeof(tail), "/%s/command", name);
    const struct monitor_socket *own = monitor_socket_of(sockets, paths, name);
    for (size_t i = 0; i < sockets->count; i++) {
        const char *other = sockets->items[i].name;
        if (&sockets->items[i] != own && strlen(other) > length &&
            strcmp(other + strlen(other) - length, tail) == 0)
            return true;
    }
    return false;
}

/* One that refuses does not keep the others. */
static int remove_from(const struct hierarchy *hierarchy, const struct group_owner *owner,
                       struct error *error)
{
    DIR *folder = opendir(hierarchy->folder);
    if (!folder)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot read %s", hierarchy->folder);
    int result = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_type != DT_DIR || !cgroup_belongs(owner->paths, entry->d_name, owner->name))
            continue;
        int failed = remove_patiently(owner, dirfd(folder), entry->d_name);
        if (failed < 0 && result == 0)
            result = error_errno(error, failed, "cannot remove control group %s/%s", hierarchy->folder,
                                 entry->d_name);
    }
    closedir(folder);
    return result;
}

int cgroups_remove(const struct paths *paths, const char *name, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct hierarchies hierarchies;
    struct monitor_sockets sockets;
    int result = hierarchies_read(arena, &hierarchies, error);
    if (result == 0)
        result = monitor_sockets_read(arena, &sockets, error);
    if (result < 0)
        return result;
    const struct group_owner owner = {
        .paths = paths, .name = name, .shared = is_shared(&sockets, paths, name)};
    for (size_t i = 0; i < hierarchies.count; i++) {
        int failed = remove_from(&hierarchies.items[i], &owner, error);
        if (failed < 0)
            result = failed;
    }
    return result;
}
