/* Preloaded into fpsync and its worker: a kernel that lacks something, and a witness of what is mounted.
 *
 *   LACKS=squashfs   it does not know squashfs; LACKS=idmap: it maps no ids of it, as before Linux 6.2
 *   LACKS_LOG=FILE   a line is added for each file system of squashfs that is asked for
 *
 * By the system calls themselves: liblxc calls these in processes in which the linker's locks may be anybody's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool lacks(const char *what)
{
    const char *lacking = getenv("LACKS");
    return lacking && strcmp(lacking, what) == 0;
}

static void note(void)
{
    const char *path = getenv("LACKS_LOG");
    int log = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (log >= 0) {
        dprintf(log, "squashfs\n");
        close(log);
    }
}

int fsopen(const char *name, unsigned flags)
{
    if (strcmp(name, "squashfs") != 0)
        return (int)syscall(SYS_fsopen, name, flags);
    note();
    if (!lacks("squashfs"))
        return (int)syscall(SYS_fsopen, name, flags);
    errno = ENODEV;
    return -1;
}

int mount_setattr(int folder, const char *path, unsigned flags, struct mount_attr *attributes, size_t size)
{
    struct statfs system;
    if (lacks("idmap") && attributes->attr_set & MOUNT_ATTR_IDMAP && fstatfs(folder, &system) == 0 &&
        system.f_type == SQUASHFS_MAGIC) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_mount_setattr, folder, path, flags, attributes, size);
}
