/* The kernel knows which folders are uppers of overlays, by their inodes: one that comes with index=on has its own alone, or
 * is EBUSY, also where the other came without (fs/overlayfs/super.c, ovl_get_upper()). Only that such a one comes up proves
 * that there is no other. What was the upper of a mount may have been frozen since. */
#include "drivers/storage/upper_held.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/storage/change.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/loop.h"
#include "drivers/storage/tree.h"
#include "lib/cleanup.h"

#define PROBE "probe" /* folder beside the upper, for that moment */

/* What index=on notes of itself on an upper. */
static void clean(int folder, const char *upper)
{
    static const char *const marks[] = {"trusted.overlay.origin", "trusted.overlay.uuid"};
    _cleanup_close_ int fd = openat(folder, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < sizeof(marks) / sizeof(*marks); i++)
        fremovexattr(fd, marks[i]);
}

static int set(int context, const char *key, const char *value)
{
    return fsconfig(context, FSCONFIG_SET_STRING, key, value, 0);
}

/* By paths from the working directory, which fsconfig(2) takes at any depth of the store. */
static bool comes_up_alone(const char *upper)
{
    _cleanup_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC);
    return context >= 0 && set(context, "source", "fpsync") == 0 &&
           set(context, "lowerdir", PROBE "/lower") == 0 && set(context, "upperdir", upper) == 0 &&
           set(context, "workdir", PROBE "/work") == 0 && set(context, "index", "on") == 0 &&
           fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

static bool is_held(int folder, const char *upper)
{
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || tree_remove(folder, PROBE, NULL) < 0 || mkdirat(folder, PROBE, 0700) < 0 ||
        mkdirat(folder, PROBE "/lower", 0700) < 0 || mkdirat(folder, PROBE "/work", 0700) < 0 ||
        fchdir(folder) < 0)
        return true;
    const bool alone = comes_up_alone(upper);
    const bool back = fchdir(before) == 0;
    if (alone)
        clean(folder, upper);
    return tree_remove(folder, PROBE, NULL) < 0 || !alone || !back;
}

static int frozen_is_held(void *context, int folder, const char *name)
{
    char path[PATH_MAX];
    (void)context;
    snprintf(path, sizeof(path), "frozen/%s", name);
    return is_held(folder, path);
}

/* The overlay of a layer in a file keeps that mounted. */
static bool file_is_held(int folder)
{
    _cleanup_close_ int image = openat(folder, "image", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return image < 0 ? errno != ENOENT : loop_is_bound(image);
}

bool upper_is_held(const struct paths *paths, const char *layer)
{
    char path[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", paths->layers, layer);
    _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno != ENOENT;
    if (disk_is_limited(folder) && file_is_held(folder))
        return true;
    if (fstatat(folder, "upper", &status, AT_SYMLINK_NOFOLLOW) == 0 && is_held(folder, "upper"))
        return true;
    return change_each_name(folder, "frozen", frozen_is_held, NULL) != 0;
}
