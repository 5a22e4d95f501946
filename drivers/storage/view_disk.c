#include "drivers/storage/view_disk.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/storage/view_measure.h"
#include "drivers/storage/view_sized.h"
#include "lib/cleanup.h"

#define BLOCK 512 /* bytes: stat(2) counts in these */

static const char *trouble(void)
{
    if (access("/dev/loop-control", R_OK) < 0)
        return "the host has no loop devices";
    return access("/sbin/mkfs.ext4", X_OK) < 0 ? "/sbin/mkfs.ext4 is not there: package e2fsprogs" : NULL;
}

/* The overlay that is its root answers for the file system of its upper. */
static bool ask_running(int64_t init_pid, int64_t *used)
{
    char path[64];
    struct statfs system;
    snprintf(path, sizeof(path), "/proc/%lld/root", (long long)init_pid);
    if (!init_pid || statfs(path, &system) < 0)
        return false;
    *used = (int64_t)(system.f_blocks - system.f_bfree) * (int64_t)system.f_bsize;
    return true;
}

/* The kernel asks those who make an ext4 larger for this. */
bool view_grows_mounted(const struct paths *paths)
{
    (void)paths;
    return prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1;
}

/* Of one that stands still: what its sparse file takes, which is a little more. */
void view_disk(const struct paths *paths, const char *layer_file, int64_t init_pid, struct observed_disk *out)
{
    char path[4096];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s/image", paths->layers, layer_file);
    _cleanup_close_ int image = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool limited = image >= 0 && fstat(image, &status) == 0;
    out->size = limited ? sized_bytes(image, status.st_size) : 0;
    out->grows = view_grows_mounted(paths);
    out->trouble = trouble();
    if (!out->measured)
        return;
    if (!limited)
        out->used = view_measure(paths->layers, layer_file);
    else if (!ask_running(init_pid, &out->used))
        out->used = (int64_t)status.st_blocks * BLOCK;
}
