#include "drivers/storage/lock_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/storage/idmap.h"
#include "lib/error.h"

#define HELPER_BASE 65536           /* any range will do: no id of it is looked at */
#define FILE_STAGE  "/proc/version" /* a file is mounted on a file, and this one is everywhere */

/* Attached in a namespace of the host's, copied into one of the user namespace: that locks it. The working folder goes
 * along into the copy. */
static int copy_locked(int tree, int user_namespace, bool is_folder)
{
    struct mount_attr private = {.propagation = MS_PRIVATE};
    if (unshare(CLONE_NEWNS) < 0 ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0 ||
        move_mount(tree, "", AT_FDCWD, is_folder ? "/" : FILE_STAGE, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        (is_folder && fchdir(tree) < 0) || setns(user_namespace, CLONE_NEWUSER) < 0 ||
        unshare(CLONE_NEWNS) < 0)
        return -errno;
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    int copy =
        is_folder ? open_tree(AT_FDCWD, "", flags | AT_EMPTY_PATH) : open_tree(AT_FDCWD, FILE_STAGE, flags);
    return copy < 0 || dup3(copy, tree, O_CLOEXEC) < 0 ? -errno : close(copy);
}

/* In a child, which shares nothing but our descriptors: there the copy takes the place of what it was made of. */
static int run_child(int tree, int user_namespace, bool is_folder)
{
    int status;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(-copy_locked(tree, user_namespace, is_folder));
    if (pid < 0)
        return -errno;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
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
    result = run_child(tree, user_namespace, S_ISDIR(status.st_mode));
    return result < 0 ? error_errno(error, result, "cannot lock the flags of a mount") : 0;
}
