#include "drivers/storage/view_mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "drivers/guest/view_place.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"

#define ROOT_OF_EXT4 2 /* its number */

/* The kernel names it; whatever has that name by now counts. */
static void look_behind_loop(unsigned minor, struct mounted *mounted)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct stat status;
    char path[80];
    snprintf(path, sizeof(path), "/sys/dev/block/%d:%u/loop/backing_file", LOOP_MAJOR, minor);
    if (buffer_read_file(&text, AT_FDCWD, path, PATH_MAX, NULL) < 0 || !text.length)
        return;
    text.bytes[strcspn(text.bytes, "\n")] = '\0';
    if (lstat(text.bytes, &status) == 0) {
        mounted->device = status.st_dev;
        mounted->inode = status.st_ino;
    }
}

int mounted_open(int root, const char *path, struct mounted *mounted)
{
    struct statx status;
    _cleanup_close_ int fd = place_open_inside(root, path);
    if (fd < 0)
        return fd;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &status) < 0)
        return -errno;
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return -ENOENT;
    *mounted = (struct mounted){.device = makedev(status.stx_dev_major, status.stx_dev_minor),
                                .inode = status.stx_ino,
                                .read_only = !place_is_writable(fd)};
    if (status.stx_dev_major == LOOP_MAJOR && status.stx_ino == ROOT_OF_EXT4)
        look_behind_loop(status.stx_dev_minor, mounted);
    return TAKE_FD(fd);
}
