/* Limits of io: which device they are for, and what the kernel says of them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "drivers/container/internal.h"

bool limits_ask_for_io(const struct limits *limits)
{
    return limits->io_read || limits->io_write || limits->io_read_ops || limits->io_write_ops;
}

/* The kernel takes no partition; its disk is the folder above it in sysfs. */
void hierarchies_find_device(struct hierarchies *hierarchies, const struct paths *paths, struct arena *arena)
{
    struct stat status;
    char path[128], line[64];
    if (stat(paths->store, &status) < 0 || !major(status.st_dev))
        return; /* a file system without a device of its own */
    const char *device = arena_printf(arena, "%u:%u", major(status.st_dev), minor(status.st_dev));
    snprintf(path, sizeof(path), "/sys/dev/block/%s/partition", device);
    bool is_part = access(path, F_OK) == 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%s/%sdev", device, is_part ? "../" : "");
    if (read_line(AT_FDCWD, path, line, sizeof(line)) == 0)
        hierarchies->io_device = arena_strdup(arena, line);
}
