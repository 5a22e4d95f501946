/* What lies at a path of a running container, told so that nothing that is mounted in there holds up who asks: a privileged
 * guest may mount a file system whose server does not answer. Reads only.
 *
 * What the kernel has at hand it tells without asking any server, and mounts are always at hand. For the rest (a link on the
 * way, a folder that is not there) it may have to ask. A guest with users of its own cannot mount what would keep root of
 * the host waiting; for another a child asks, and who waits for that waits no longer than half a second, for two guests a
 * run. A child that waits on holds nothing of ours but the guest's namespace, locked, so that no second one comes to it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct look {
    int fd;                /* handle (O_PATH); -1: a child had it */
    bool mount;            /* it is the root of a mount */
    unsigned major, minor; /* of its file system */
    uint64_t inode;
    bool writable; /* ask look_is_writable() */
};
#define NO_LOOK ((struct look){.fd = -1})

/* `root`: a handle of the container's. 0, -errno for what cannot be opened (-ENOENT: nothing is there), or -ETIMEDOUT: there
 * was no answer. */
int look_inside(int64_t init_pid, int root, const char *path, struct look *look);
/* Asks the file system: only of one that is known to be ours. */
bool look_is_writable(const struct look *look);
void look_leave(struct look *look);
#define _cleanup_look_ _cleanup_(look_leave)
