/* Archives as LXD, Incus and LXC have them in one: metadata.yaml, perhaps templates, and the root in rootfs. */
#include "drivers/image/unified.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/store.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

/* Anything else in it is a root that happens to have such a folder. */
bool unified_is(int root)
{
    static const char *const known[] = {".", "..", "metadata.yaml", "rootfs", "templates"};
    struct stat status;
    if (fstatat(root, "metadata.yaml", &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
        fstatat(root, "rootfs", &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
        return false;
    int copy = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    bool fine = directory;
    for (struct dirent *item; fine && (item = readdir(directory));) {
        fine = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            fine = fine || strcmp(item->d_name, known[i]) == 0;
    }
    if (directory)
        closedir(directory);
    return fine;
}

int unified_settle(struct image_making *making, struct error *error)
{
    if (!unified_is(making->root))
        return 0;
    if (renameat(making->root, "rootfs", making->folder, "rootfs") < 0)
        return error_errno(error, -errno, "cannot put the root in its place");
    cleanup_close(&making->root);
    int result = tree_remove(making->folder, "root", error);
    if (result < 0)
        return result;
    if (renameat(making->folder, "rootfs", making->folder, "root") < 0)
        return error_errno(error, -errno, "cannot put the root in its place");
    making->root = openat(making->folder, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return making->root < 0 ? error_errno(error, -errno, "root") : 0;
}
