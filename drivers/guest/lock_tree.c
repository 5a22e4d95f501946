#include "drivers/guest/lock_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/errand.h"
#include "drivers/guest/idmap.h"
#include "lib/error.h"

#define HELPER_BASE 65536           /* any range will do: no id of it is looked at */
#define FILE_STAGE  "/proc/version" /* a file is mounted on a file, and this one is everywhere */

struct locking {
    int tree, user_namespace;
    bool is_folder;
};

/* Attached in a namespace of the host's, copied into one of the user namespace: that locks it. The working folder goes
 * along into the copy. It takes the place of what it was made of, among our descriptors, too. */
static int copy_locked(const void *context)
{
    const struct locking *of = context;
    struct mount_attr private = {.propagation = MS_PRIVATE};
    if (unshare(CLONE_NEWNS) < 0 ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0 ||
        move_mount(of->tree, "", AT_FDCWD, of->is_folder ? "/" : FILE_STAGE, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        (of->is_folder && fchdir(of->tree) < 0) || setns(of->user_namespace, CLONE_NEWUSER) < 0 ||
        unshare(CLONE_NEWNS) < 0)
        return -errno;
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    int copy = of->is_folder ? open_tree(AT_FDCWD, "", flags | AT_EMPTY_PATH)
                             : open_tree(AT_FDCWD, FILE_STAGE, flags);
    return copy < 0 || dup3(copy, of->tree, O_CLOEXEC) < 0 ? -errno : close(copy);
}

int tree_lock_flags(int tree, int user_namespace, struct error *error)
{
    struct stat status;
    _cleanup_user_namespace_ struct user_namespace helper = NO_USER_NAMESPACE;
    int result = fstat(tree, &status) < 0 ? error_errno(error, -errno, "cannot look at a mount") : 0;
    if (result == 0 && user_namespace < 0) {
        result = user_namespace_make(&helper, HELPER_BASE, error);
        user_namespace = helper.fd;
    }
    if (result < 0)
        return result;
    const struct locking locking = {
        .tree = tree, .user_namespace = user_namespace, .is_folder = S_ISDIR(status.st_mode)};
    result = errand_run(copy_locked, &locking, CLONE_FILES);
    return result < 0 ? error_errno(error, result, "cannot lock the flags of a mount") : 0;
}
