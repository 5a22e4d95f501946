/* What the binds of a container come to: their sources on the host, and what is mounted in their places. Reads only;
 * linked into the main program, too. By handles and not by the mount table: a source that was replaced by another of
 * the same name is another one, and each costs some 10 us. */
#include "drivers/storage/view_binds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "drivers/guest/view_look.h"
#include "drivers/guest/view_place.h"
#include "lib/cleanup.h"

static bool is_same(const struct look *there, int source)
{
    struct stat status;
    return fstat(source, &status) == 0 && status.st_ino == there->inode &&
           status.st_dev == makedev(there->major, there->minor);
}

static void look_at_place(int64_t init_pid, int root, int source, struct observed_bind *bind)
{
    _cleanup_look_ struct look there = NO_LOOK;
    int result = look_inside(init_pid, root, bind->path, &there);
    bind->unknown = result == -ETIMEDOUT;
    bind->mounted = result == 0 && there.mount;
    bind->is_source = bind->mounted && source >= 0 && is_same(&there, source);
    bind->as_asked =
        bind->is_source && look_is_writable(&there) == (!bind->read_only && place_is_writable(source));
}

void bind_look(const struct paths *paths, int64_t init_pid, struct observed_bind *binds, size_t count)
{
    (void)paths;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%lld/root", (long long)init_pid);
    _cleanup_close_ int root = init_pid > 0 && count ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int source = place_open(binds[i].source);
        binds[i].trouble = source < 0 ? place_trouble(source) : NULL;
        binds[i].missing = source == -ENOENT || source == -ENOTDIR;
        if (root >= 0)
            look_at_place(init_pid, root, source, &binds[i]);
    }
}
