/* Removes control groups that a container left behind: a monitor that was killed cannot do it itself, and a next
 * start would take other names because of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

#define PATIENCE    1000 /* milliseconds for processes on their way out */
#define LOOK_AGAIN  2
#define DEPTH_BOUND 64 /* the kernel's own bound is set by cgroup.max.depth, in practice far less */

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

/* A process leaves its group a little after it closed its sockets, which is when its container counts as stopped.
 * Version 1 has no event for that, and a dying process is listed no more. */
static int remove_patiently(int parent, const char *name)
{
    int result = remove_group(parent, name, 0);
    for (int64_t until = now_milliseconds() + PATIENCE; result == -EBUSY && now_milliseconds() < until;) {
        poll(NULL, 0, LOOK_AGAIN);
        result = remove_group(parent, name, 0);
    }
    return result;
}

/* One that refuses does not keep the others. */
static int remove_from(const struct hierarchy *hierarchy, const struct paths *paths, const char *name,
                       struct error *error)
{
    DIR *folder = opendir(hierarchy->folder);
    if (!folder)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot read %s", hierarchy->folder);
    int result = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_type != DT_DIR || !cgroup_belongs(paths, entry->d_name, name))
            continue;
        int failed = remove_patiently(dirfd(folder), entry->d_name);
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
    int result = hierarchies_read(arena, &hierarchies, error);
    for (size_t i = 0; result >= 0 && i < hierarchies.count; i++) {
        int failed = remove_from(&hierarchies.items[i], paths, name, error);
        if (failed < 0)
            result = failed;
    }
    return result < 0 ? result : 0;
}
