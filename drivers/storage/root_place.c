#include "drivers/storage/root_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"

/* A privileged guest's root is root, who needs no bit. Another's is who sets up its mounts, in liblxc's child. */
int root_place_make(const char *place, int64_t id_base, struct error *error)
{
    if (mkdir(place, 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make %s", place);
    _cleanup_close_ int folder = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 || fchown(folder, 0, (gid_t)id_base) < 0 || fchmod(folder, id_base ? 0710 : 0700) < 0 ||
        (mkdirat(folder, PATHS_ROOT, 0700) < 0 && errno != EEXIST))
        return error_errno(error, -errno, "cannot make %s", place);
    return 0;
}

int root_place_remove(const char *place, struct error *error)
{
    _cleanup_close_ int folder = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return 0;
    if (folder < 0 || (unlinkat(folder, PATHS_ROOT, AT_REMOVEDIR) < 0 && errno != ENOENT) ||
        (rmdir(place) < 0 && errno != ENOENT))
        return error_errno(error, -errno, "cannot remove %s", place);
    return 0;
}

char *root_point(const struct paths *paths, struct arena *arena, const char *lxc_name)
{
    struct statx status;
    _cleanup_free_ char *mounts = realpath(paths->mounts, NULL);
    if (!mounts)
        return NULL;
    char *place = arena_printf(arena, "%s/%s", mounts, lxc_name);
    if (statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) == 0 &&
        status.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return place;
    return arena_printf(arena, "%s/" PATHS_ROOT, place);
}
