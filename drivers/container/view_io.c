/* Limits of io: which device they are for, and what the kernel says of them. */
#include <dirent.h>
#include <errno.h>
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

/* Where nothing was stored yet, the store will lie on what its folders do. */
static int find_store(const struct paths *paths, struct stat *status)
{
    char path[CONTAINER_PATH_SIZE];
    snprintf(path, sizeof(path), "%s", paths->store);
    while (stat(path, status) < 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || !slash || slash == path)
            return -ENOENT;
        *slash = '\0';
    }
    return 0;
}

/* The kernel takes no partition; its disk is the folder above it in sysfs. */
void hierarchies_find_device(struct hierarchies *hierarchies, const struct paths *paths, struct arena *arena)
{
    struct stat status;
    char path[128], line[64];
    if (find_store(paths, &status) < 0 || !major(status.st_dev))
        return; /* a file system without a device of its own */
    const char *device = arena_printf(arena, "%u:%u", major(status.st_dev), minor(status.st_dev));
    snprintf(path, sizeof(path), "/sys/dev/block/%s/partition", device);
    bool is_part = access(path, F_OK) == 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%s/%sdev", device, is_part ? "../" : "");
    if (read_line(AT_FDCWD, path, line, sizeof(line)) == 0)
        hierarchies->io_device = arena_strdup(arena, line);
}

/* ---- weights ---- */

/* As systemd has it: the usual weight is the same, and what is above goes to 1,000 instead of 10,000. */
int64_t weight_of_bfq(int64_t weight)
{
    return weight <= USUAL_WEIGHT ? weight : USUAL_WEIGHT + (weight - USUAL_WEIGHT) / 11;
}

int64_t weight_from_bfq(int64_t weight)
{
    return weight <= USUAL_WEIGHT ? weight : USUAL_WEIGHT + (weight - USUAL_WEIGHT) * 11;
}

/* The files of weights are in every group but the first: any below it tells. */
static bool any_group_has(const struct hierarchy *hierarchy, const char *file)
{
    char path[512];
    bool found = false;
    DIR *folder = opendir(hierarchy->mount);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        snprintf(path, sizeof(path), "%s/%s", entry->d_name, file);
        found =
            entry->d_type == DT_DIR && *entry->d_name != '.' && faccessat(dirfd(folder), path, F_OK, 0) == 0;
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool first_group_has(const struct hierarchy *hierarchy, const char *file)
{
    char path[CONTAINER_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", hierarchy->mount, file);
    return access(path, F_OK) == 0;
}

/* The other files of a scheduler stand in the first group. bfq has none of those on version 2. */
void hierarchies_find_weights(struct hierarchies *hierarchies)
{
    const struct hierarchy *hierarchy = hierarchy_of(hierarchies, IO_CONTROLLER);
    if (!hierarchy)
        return;
    hierarchies->io_cost = hierarchy->unified && first_group_has(hierarchy, "io.cost.qos");
    hierarchies->io_bfq = hierarchy->unified ? any_group_has(hierarchy, "io.bfq.weight")
                                             : first_group_has(hierarchy, "blkio.bfq.io_serviced");
}

const char *container_io_weight_trouble(void)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct hierarchies hierarchies = {0};
    if (hierarchies_read(arena, &hierarchies, NULL) < 0)
        return NULL;
    hierarchies_find_weights(&hierarchies);
    return hierarchies.io_bfq || hierarchies.io_cost ? NULL : NO_IO_WEIGHTS;
}

bool container_io_is_weighed(const struct paths *paths)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct hierarchies hierarchies = {0};
    char path[128], line[256];
    hierarchies_find_device(&hierarchies, paths, arena);
    if (!hierarchies.io_device)
        return false;
    snprintf(path, sizeof(path), "/sys/dev/block/%s/queue/scheduler", hierarchies.io_device);
    if (read_line(AT_FDCWD, path, line, sizeof(line)) == 0 && strstr(line, "[bfq]"))
        return true;
    return read_line(AT_FDCWD, "/sys/fs/cgroup/io.cost.qos", line, sizeof(line)) == 0 &&
           strstr(line, "enable=1");
}
