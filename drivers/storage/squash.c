#include "drivers/storage/squash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/guest/idmap.h"
#include "drivers/storage/loop.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define PROBE_IDS 0x70000000 /* any range will do */

/* ---- what the kernel can ---- */

/* An empty folder with the attribute user.fpsync, nothing in it compressed. */
static const unsigned char probe_image[] = {
    0x68, 0x73, 0x71, 0x73, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x11, 0x00, 0x5b, 0x01, 0x01, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd3, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0xbb, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x60, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x8a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x8a, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x28, 0x80, 0x08, 0x00, 0xed, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x03,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x04, 0x80, 0x00, 0x00, 0x00, 0x00, 0x8a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0f,
    0x80, 0x00, 0x00, 0x06, 0x00, 0x66, 0x70, 0x73, 0x79, 0x6e, 0x63, 0x01, 0x00, 0x00, 0x00, 0x31, 0x10,
    0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00, 0x00,
    0x98, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa9,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static int open_probe(struct error *error)
{
    _cleanup_close_ int file = memfd_create("fpsync-probe", MFD_CLOEXEC);
    int result = file < 0 ? -errno : bytes_write(file, (const char *)probe_image, sizeof(probe_image));
    if (result == 0 && ftruncate(file, LOOP_BLOCK) < 0)
        result = -errno;
    return result < 0 ? error_errno(error, result, "cannot make a file") : TAKE_FD(file);
}

static int mount_mapped(int file, int user_namespace, struct error *error)
{
    _cleanup_close_ int tree = loop_mount_squashfs(file, error);
    if (tree < 0)
        return tree;
    int result = tree_set_up(tree, 0, user_namespace, error);
    return result < 0 ? error_wrap(error, result, "squashfs") : TAKE_FD(tree);
}

static int probe(struct error *error)
{
    char value[1];
    _cleanup_user_namespace_ struct user_namespace ids = NO_USER_NAMESPACE;
    _cleanup_close_ int file = open_probe(error);
    int result = file < 0 ? file : user_namespace_make(&ids, PROBE_IDS, error);
    _cleanup_close_ int tree = result < 0 ? result : mount_mapped(file, ids.fd, error);
    _cleanup_close_ int root = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree < 0)
        return tree;
    return root < 0 || fgetxattr(root, "user.fpsync", value, sizeof(value)) != sizeof(value)
               ? error_errno(error, -errno, "attributes of squashfs cannot be read")
               : 0;
}

int squash_probe(struct error *error)
{
    static bool known;
    static struct error found;
    if (!known && probe(&found) == 0)
        found.code = 0;
    known = true;
    return found.code < 0 ? error_set(error, found.code, "%s", found.text) : 0;
}

/* ---- mounts ---- */

static int mount_file(int folder, const char *path, int user_namespace, struct error *error)
{
    _cleanup_close_ int file = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? -ENOENT : error_errno(error, -errno, "cannot open the image's squashfs");
    /* Two at once would both find no device. Not by the file that the device keeps open, and with it the lock. */
    _cleanup_close_ int lock = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return error_errno(error, -errno, "cannot lock the image's squashfs");
    int tree = mount_mapped(file, user_namespace, error);
    return tree < 0 ? error_wrap(error, tree, "an image that is kept as a squashfs") : tree;
}

int squash_mount(int image, int user_namespace, struct error *error)
{
    return mount_file(image, SQUASH_FILE, user_namespace, error);
}

int squash_mount_beside(int root, int user_namespace, struct error *error)
{
    return mount_file(root, "../" SQUASH_FILE, user_namespace, error);
}

int squash_open_root(int image, struct error *error)
{
    _cleanup_close_ int tree = squash_mount(image, -1, error);
    int root = tree == -ENOENT ? openat(image, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
               : tree < 0      ? tree
                               : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree < 0 && tree != -ENOENT)
        return tree;
    return root < 0 ? error_errno(error, -errno, "cannot open the image's root") : root;
}

static int open_path(int from, const char *path)
{
    return openat(from, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* One that is mounted shows its own root, and what lies beside that is beside the folder below it. */
static bool is_waiting(int root)
{
    struct statx status;
    return faccessat(root, "../" SQUASH_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
           statx(root, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
           !(status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

bool squash_is_among(const char *folder, const struct texts *paths)
{
    bool found = false;
    _cleanup_close_ int from = open_path(AT_FDCWD, folder);
    for (size_t i = 0; from >= 0 && !found && i < paths->count; i++) {
        _cleanup_close_ int root = open_path(from, paths->items[i]);
        found = root >= 0 && is_waiting(root);
    }
    return found;
}

static int attach_one(int own, int root, int user_namespace, struct error *error)
{
    _cleanup_close_ int tree = squash_mount_beside(own, user_namespace, error);
    if (tree < 0)
        return tree;
    return move_mount(tree, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? error_errno(error, -errno, "cannot mount an image's squashfs")
               : 0;
}

int squash_attach(const char *own, const char *folder, const struct texts *paths, int user_namespace,
                  struct error *error)
{
    int result = 0;
    _cleanup_close_ int store = open_path(AT_FDCWD, own);
    _cleanup_close_ int from = open_path(AT_FDCWD, folder);
    if (store < 0 || from < 0)
        return error_errno(error, -errno, "%s", folder);
    for (size_t i = 0; result == 0 && i < paths->count; i++) {
        _cleanup_close_ int stored = open_path(store, paths->items[i]);
        _cleanup_close_ int root = open_path(from, paths->items[i]);
        if (stored < 0 || root < 0)
            return error_errno(error, -errno, "%s", paths->items[i]);
        result = is_waiting(root) ? attach_one(stored, root, user_namespace, error) : 0;
    }
    return result;
}
