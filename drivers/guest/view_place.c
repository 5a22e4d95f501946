/* Reads only; linked into the main program, too. */
#include "drivers/guest/view_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int open_resolved(int directory, const char *path, uint64_t resolve)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = resolve};
    for (int tries = 0;; tries++) { /* EAGAIN: a rename elsewhere made ".." doubtful */
        int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN || tries == 100)
            return fd < 0 ? -errno : fd;
    }
}

int place_open(const char *path)
{
    return open_resolved(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
}

bool place_is_mount(int fd)
{
    struct statx status;
    return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
           status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

bool place_is_writable(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) == 0 && !(system.f_flags & ST_RDONLY);
}

bool place_is_same(int left, int right)
{
    struct stat a, b;
    return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool place_is_at(int root, const char *path, int source, bool read_only)
{
    _cleanup_close_ int there = open_resolved(root, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return there >= 0 && place_is_mount(there) && place_is_same(there, source) &&
           place_is_writable(there) == (!read_only && place_is_writable(source));
}

int place_open_inside(int root, const char *path)
{
    return open_resolved(root, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int place_open_cached(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

const char *place_trouble(int code)
{
    return code == -ELOOP                        ? PLACE_BEHIND_LINK
           : code == -ENOENT || code == -ENOTDIR ? "it is not there"
                                                 : "it cannot be opened";
}
