/* What the binds of a container come to: their sources on the host, and what is mounted in their places. Reads only;
 * linked into the main program, too. By handles and not by the mount table: a source that was replaced by another of
 * the same name is another one, and each costs some 10 us. */
#include "drivers/storage/view_binds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
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

int bind_open_source(const char *path)
{
    return open_resolved(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
}

bool bind_is_mount(int fd)
{
    struct statx status;
    return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
           status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static bool is_writable(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) == 0 && !(system.f_flags & ST_RDONLY);
}

static bool are_same(int left, int right)
{
    struct stat a, b;
    return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool bind_is_at(int root, const char *path, int source, bool read_only)
{
    _cleanup_close_ int there = open_resolved(root, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return there >= 0 && bind_is_mount(there) && are_same(there, source) &&
           is_writable(there) == (!read_only && is_writable(source));
}

int bind_open_inside(int root, const char *path)
{
    return open_resolved(root, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

const char *bind_trouble(int code)
{
    return code == -ELOOP                        ? "a symbolic link is on the way to it"
           : code == -ENOENT || code == -ENOTDIR ? "it is not there"
                                                 : "it cannot be opened";
}

static void look_inside(int root, int source, struct observed_bind *bind)
{
    _cleanup_close_ int there = bind_open_inside(root, bind->path);
    bind->mounted = there >= 0 && bind_is_mount(there);
    bind->is_source = bind->mounted && source >= 0 && are_same(there, source);
    bind->as_asked = bind->is_source && is_writable(there) == (!bind->read_only && is_writable(source));
}

void bind_look(const struct paths *paths, int64_t init_pid, struct observed_bind *binds, size_t count)
{
    (void)paths;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%lld/root", (long long)init_pid);
    _cleanup_close_ int root = init_pid > 0 && count ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int source = bind_open_source(binds[i].source);
        binds[i].trouble = source < 0 ? bind_trouble(source) : NULL;
        if (root >= 0)
            look_inside(root, source, &binds[i]);
    }
}
