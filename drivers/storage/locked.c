#include "drivers/storage/locked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "drivers/guest/view_place.h"
#include "drivers/storage/root_place.h"
#include "lib/cleanup.h"
#include "lib/error.h"

int locked_unmount(const struct paths *paths, const char *lxc_name, const char *path, int seen,
                   struct error *error)
{
    char link[64];
    _cleanup_arena_ struct arena *arena = arena_new();
    const char *base = root_point(paths, arena, lxc_name);
    _cleanup_close_ int root = base ? open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    _cleanup_close_ int target = root < 0 ? -1 : place_open_inside(root, path);
    if (target < 0 || !place_is_mount(target) || !place_is_same(target, seen))
        return error_set(error, -EBUSY, "%s is locked in %s until its next start", path, lxc_name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", target);
    return umount2(link, MNT_DETACH) < 0
               ? error_errno(error, -errno, "cannot unmount %s below %s", path, base)
               : 0;
}
