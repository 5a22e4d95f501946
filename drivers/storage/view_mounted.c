#include "drivers/storage/view_mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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
        mounted->loop = (int)minor;
    }
}

int mounted_look(int64_t init_pid, int root, const char *path, struct look *look, struct mounted *mounted)
{
    int result = look_inside(init_pid, root, path, look);
    if (result == 0 && !look->mount)
        result = -ENOENT;
    if (result < 0)
        return result;
    *mounted =
        (struct mounted){.device = makedev(look->major, look->minor), .inode = look->inode, .loop = -1};
    if (look->major == LOOP_MAJOR && look->inode == ROOT_OF_EXT4)
        look_behind_loop(look->minor, mounted);
    return 0;
}

/* The first line of its options; what statfs(2) tells is that or the mount's own flag. */
bool mounted_is_stuck(const struct mounted *mounted)
{
    _cleanup_buffer_ struct buffer text = {0};
    char path[64];
    snprintf(path, sizeof(path), "/proc/fs/ext4/loop%d/options", mounted->loop);
    return mounted->loop >= 0 && buffer_read_file(&text, AT_FDCWD, path, PATH_MAX, NULL) >= 0 &&
           text.length >= 3 && strncmp(text.bytes, "ro\n", 3) == 0;
}
