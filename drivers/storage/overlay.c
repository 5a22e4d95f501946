#include "drivers/storage/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "drivers/full.h"
#include "drivers/guest/idmap.h"
#include "drivers/storage/lower.h"
#include "lib/cleanup.h"
#include "lib/error.h"

int overlay_attach(int tree, const char *place, struct error *error)
{
    return move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0
               ? error_errno(error, -errno, "cannot mount at %s", place)
               : 0;
}

int overlay_attach_store(const struct paths *paths, const char *place, int user_namespace,
                         struct error *error)
{
    _cleanup_close_ int tree = tree_clone(AT_FDCWD, paths->store, 0, user_namespace, error);
    return tree < 0 ? tree : overlay_attach(tree, place, error);
}

int overlay_detach_store(const char *place, struct error *error)
{
    return umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) < 0
               ? error_errno(error, -errno, "cannot unmount %s", place)
               : 0;
}

int overlay_begin(const char *upper, const char *work, bool passing, struct error *error)
{
    const char *const options[][2] = {
        {"source", "fpsync"}, {"upperdir", upper},     {"workdir", work}, {"index", "off"},
        {"metacopy", "off"},  {"redirect_dir", "off"}, {"xino", "off"},
    };
    _cleanup_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0)
        return error_errno(error, -errno, "overlay");
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(options) / sizeof(options[0]); i++)
        result = lower_option(context, options[i][0], options[i][1], error);
    if (result == 0 && passing && fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
        result = error_errno(error, -errno, "overlay volatile");
    return result < 0 ? result : TAKE_FD(context);
}

/* Where the kernel cannot make its work folder it mounts all the same, to be read only. */
static int check_written(int root, const char *what, struct error *error)
{
    struct statvfs system; /* blocks and inodes are those of the upper's */
    if (fstatvfs(root, &system) < 0)
        return error_errno(error, -errno, "the overlay of %s", what);
    if (!(system.f_flag & ST_RDONLY))
        return 0;
    return is_full(&system)
               ? error_set(error, -ENOSPC, "cannot mount the overlay of %s: the disk that it lies on is full",
                           what)
               : error_set(error, -EROFS,
                           "the overlay of %s can only be mounted read-only; the kernel says why (dmesg)",
                           what);
}

int overlay_end(int context, const char *folder, int64_t id_base, const char *what, struct error *error)
{
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, id_base, error);
    if (result < 0)
        return result;
    result = lower_create(context, folder);
    if (result < 0)
        return error_errno(error, result, "cannot mount the overlay of %s", what);
    _cleanup_close_ int root = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    if (root < 0)
        return error_errno(error, -errno, "cannot mount the overlay of %s", what);
    result = check_written(root, what, error);
    return result < 0 ? result : TAKE_FD(root);
}

int overlay_attach_root(int tree, const char *point, struct error *error)
{
    struct mount_attr shared = {.propagation = MS_SHARED};
    int result = overlay_attach(tree, point, error);
    if (result == 0 && mount_setattr(AT_FDCWD, point, 0, &shared, sizeof(shared)) < 0)
        result = error_errno(error, -errno, "cannot mount at %s", point);
    return result;
}
