/* What the binds of a container come to: their sources on the host, and what is mounted in their places. Reads only;
 * linked into the main program, too. By handles and not by the mount table: a source that was replaced by another of
 * the same name is another one, and each costs some 10 us. */
#include "drivers/storage/view_binds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "drivers/guest/view_place.h"
#include "lib/cleanup.h"

static void look_inside(int root, int source, struct observed_bind *bind)
{
    _cleanup_close_ int there = place_open_inside(root, bind->path);
    bind->mounted = there >= 0 && place_is_mount(there);
    bind->is_source = bind->mounted && source >= 0 && place_is_same(there, source);
    bind->as_asked =
        bind->is_source && place_is_writable(there) == (!bind->read_only && place_is_writable(source));
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
            look_inside(root, source, &binds[i]);
    }
}
