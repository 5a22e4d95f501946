/* Which devices of the host a container is lent, and whether they are there in it. Reads only; linked into the main
 * program, too. The nodes lie below LXCPATH/NAME and are named for their places inside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "drivers/container/internal.h"
#include "drivers/guest/view_look.h"
#include "drivers/guest/view_place.h"
#include "lib/cleanup.h"

/* "/dev/net/tun" is "dev%net%tun"; what has a '%' itself has it twice. */
bool device_node_name(const char *path, char name[static DEVICE_NAME_SIZE])
{
    size_t length = 0;
    for (const char *at = path + 1; *at; at++) {
        if (length + 2 >= DEVICE_NAME_SIZE)
            return false;
        name[length++] = *at == '/' ? '%' : *at;
        if (*at == '%')
            name[length++] = '%';
    }
    name[length] = '\0';
    return length > 0;
}

/* The other way round. */
static char *place_of_node(struct arena *arena, const char *name)
{
    char *path = arena_printf(arena, "/%s", name), *to = path + 1;
    for (const char *from = name; *from; from++) {
        bool twice = from[0] == '%' && from[1] == '%';
        *to++ = *from == '%' && !twice ? '/' : *from;
        from += twice;
    }
    *to = '\0';
    return path;
}

void container_list_lent(const struct paths *paths, const char *lxc_name, struct arena *arena,
                         struct texts *places)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, lxc_name, CONTAINER_DEVICES, path);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *arena_append(arena, places->items, places->count) = place_of_node(arena, entry->d_name);
    if (folder)
        closedir(folder);
}

static void look_at_source(struct observed_device *device)
{
    struct stat status;
    _cleanup_close_ int fd = place_open(device->source);
    device->trouble = fd < 0                                               ? place_trouble(fd)
                      : fstat(fd, &status) < 0                             ? place_trouble(-errno)
                      : S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) ? NULL
                                                                           : "it is no device";
    if (device->trouble)
        return;
    device->is_block = S_ISBLK(status.st_mode);
    device->major = major(status.st_rdev);
    device->minor = minor(status.st_rdev);
}

static bool is_node(const struct observed_device *device, const struct stat *node)
{
    return !device->trouble && (device->is_block ? S_ISBLK(node->st_mode) : S_ISCHR(node->st_mode)) &&
           node->st_rdev == makedev((unsigned)device->major, (unsigned)device->minor) &&
           (node->st_mode & 07777) == (mode_t)device->mode;
}

static void look_at_place(int folder, int64_t init_pid, int root, struct observed_device *device)
{
    char name[DEVICE_NAME_SIZE];
    struct stat node;
    _cleanup_look_ struct look there = NO_LOOK;
    device->lent = folder >= 0 && device_node_name(device->path, name) &&
                   fstatat(folder, name, &node, AT_SYMLINK_NOFOLLOW) == 0;
    if (!device->lent || root < 0)
        return;
    int result = look_inside(init_pid, root, device->path, &there);
    device->unknown = result == -ETIMEDOUT;
    device->as_asked = result == 0 && makedev(there.major, there.minor) == node.st_dev &&
                       there.inode == node.st_ino && is_node(device, &node);
}

void container_look_at_devices(const struct paths *paths, const char *lxc_name, int64_t init_pid,
                               struct observed_device *devices, size_t count)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, lxc_name, CONTAINER_DEVICES, path);
    _cleanup_close_ int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    snprintf(path, sizeof(path), "/proc/%lld/root", (long long)init_pid);
    _cleanup_close_ int root = init_pid > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = 0; i < count; i++) {
        if (!*devices[i].path)
            continue;
        if (!devices[i].trouble)
            look_at_source(&devices[i]);
        look_at_place(folder, init_pid, root, &devices[i]);
    }
}
