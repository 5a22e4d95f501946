/* Devices of the host in a container, from its start and while it runs.
 *
 * Each has a node of its own below LXCPATH/NAME, which belongs to the container's root and has the permissions that were
 * asked for: the host's node keeps its own, and what bind mounts or hard links show of this one dies with it. It comes
 * in by bind, since nobody in a user namespace can make one. A privileged container, which can, is kept from all devices
 * but some by its control group; there the device is allowed, too. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "drivers/container/internal.h"
#include "drivers/guest/guest.h"
#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/guest/view_place.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define RULE_SIZE    64
#define MOUNTS_BOUND 16 /* one above the other, that are taken away to put a device there */

static int check(const struct container_device *device, struct error *error)
{
    char name[DEVICE_NAME_SIZE];
    if (!guest_path_is_clean(device->path) || !device_node_name(device->path, name))
        return error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", device->path);
    if (device->major < 0 || device->major > UINT32_MAX || device->minor < 0 || device->minor > UINT32_MAX ||
        device->mode & ~0777)
        return error_set(error, -EINVAL, "%s: neither a device's numbers nor permissions", device->path);
    return 0;
}

static dev_t number_of(const struct container_device *device)
{
    return makedev((unsigned)device->major, (unsigned)device->minor);
}

static void rule_of(bool is_block, dev_t number, char rule[static RULE_SIZE])
{
    snprintf(rule, RULE_SIZE, "%c %u:%u rwm", is_block ? 'b' : 'c', major(number), minor(number));
}

/* ---- the nodes ---- */

/* Searchable for the container's root alone: liblxc binds the nodes from inside the user namespace. */
static int open_folder(const struct paths *paths, const char *lxc_name, int64_t id_base)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, lxc_name, CONTAINER_DEVICES, path);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return -errno;
    if (fchown(folder, 0, (gid_t)id_base) == 0 && fchmod(folder, 0710) == 0)
        return folder;
    int code = -errno;
    close(folder);
    return code;
}

static int make_folder(const struct paths *paths, const char *lxc_name, int64_t id_base, struct error *error)
{
    struct statvfs system;
    _cleanup_close_ int folder = open_folder(paths, lxc_name, id_base);
    if (folder < 0 || fstatvfs(folder, &system) < 0)
        return error_errno(error, folder < 0 ? folder : -errno, "cannot make the folder of %s's devices",
                           lxc_name);
    if (system.f_flag & ST_NODEV)
        return error_set(error, -EACCES, "%s is mounted nodev: no device of it can be opened", paths->lxc);
    return TAKE_FD(folder);
}

/* First the owner: as long as it is the guest's root, that could take the permissions back. */
static int take_node(int folder, const char *name)
{
    return fchownat(folder, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 || fchmodat(folder, name, 0, 0) < 0 ||
                   unlinkat(folder, name, 0) < 0
               ? -errno
               : 0;
}

static int take_nodes(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;
    if (!names) {
        cleanup_close(&fd);
        return -ENOMEM;
    }
    for (struct dirent *entry; result == 0 && (entry = readdir(names));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = take_node(folder, entry->d_name);
    closedir(names);
    return result;
}

static bool is_node_of(const struct stat *node, const struct container_device *device)
{
    return (device->is_block ? S_ISBLK(node->st_mode) : S_ISCHR(node->st_mode)) &&
           node->st_rdev == number_of(device);
}

/* Also of one that is there but for its owner and permissions; those come last, so that what was left half made is
 * seen to be. */
static int make_node(int folder, const struct container_device *device, int64_t id_base)
{
    char name[DEVICE_NAME_SIZE];
    struct stat node;
    device_node_name(device->path, name);
    if (fstatat(folder, name, &node, AT_SYMLINK_NOFOLLOW) < 0 &&
        mknodat(folder, name, device->is_block ? S_IFBLK : S_IFCHR, number_of(device)) < 0)
        return -errno;
    return fchownat(folder, name, (uid_t)id_base, (gid_t)id_base, AT_SYMLINK_NOFOLLOW) < 0 ||
                   fchmodat(folder, name, (mode_t)device->mode, 0) < 0
               ? -errno
               : 0;
}

int devices_remove(int container)
{
    _cleanup_close_ int folder =
        openat(container, CONTAINER_DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return errno == ENOENT ? 0 : -errno;
    int result = take_nodes(folder);
    return result < 0 || unlinkat(container, CONTAINER_DEVICES, AT_REMOVEDIR) == 0 ? result : -errno;
}

/* ---- at a start ---- */

int devices_prepare(const struct paths *paths, const struct container_start *request, struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, request->lxc_name, "", path);
    int result = 0;
    for (size_t i = 0; result == 0 && i < request->devices.count; i++)
        result = check(request->devices.items[i], error);
    if (result < 0)
        return result;
    _cleanup_close_ int container = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    result = container < 0 ? -errno : devices_remove(container);
    if (result < 0 || !request->devices.count)
        return result < 0 ? error_errno(error, result, "cannot take back its devices") : 0;
    _cleanup_close_ int folder = make_folder(paths, request->lxc_name, request->id_base, error);
    if (folder < 0)
        return folder;
    for (size_t i = 0; i < request->devices.count; i++) {
        const struct container_device *device = request->devices.items[i];
        result = make_node(folder, device, request->id_base);
        if (result < 0)
            return error_errno(error, result, "cannot make a node for %s", device->path);
    }
    return 0;
}

/* As getmntent(3) reads it back. */
static void add_escaped(struct buffer *text, const char *path)
{
    for (; *path; path++)
        if (strchr(" \\#\t\n", *path))
            buffer_printf(text, "\\%03o", (unsigned)(unsigned char)*path);
        else
            buffer_printf(text, "%c", *path);
}

/* -1: LXC mounts the root itself, and what its folders are is not known yet. */
static int open_root(struct config *config)
{
    static const char of_folder[] = "dir:";
    char said[CONTAINER_PATH_SIZE];
    int length = config->lxc->get_config_item(config->lxc, "lxc.rootfs.path", said, sizeof(said));
    if (length <= 0 || (size_t)length >= sizeof(said))
        return -1;
    bool named = strncmp(said, of_folder, strlen(of_folder)) == 0;
    return named || *said == '/'
               ? open(named ? said + strlen(of_folder) : said, O_PATH | O_DIRECTORY | O_CLOEXEC)
               : -1;
}

void config_set_devices(struct config *config, const struct paths *paths,
                        const struct container_start *request)
{
    _cleanup_close_ int root = request->devices.count ? open_root(config) : -1;
    for (size_t i = 0; i < request->devices.count; i++) {
        const struct container_device *device = request->devices.items[i];
        char path[CONTAINER_PATH_SIZE], name[DEVICE_NAME_SIZE], rule[RULE_SIZE];
        char place[GUEST_PATH_SIZE];
        _cleanup_buffer_ struct buffer entry = {0};
        container_path(paths, request->lxc_name, CONTAINER_DEVICES, path);
        device_node_name(device->path, name);
        add_escaped(&entry, path);
        buffer_text(&entry, "/");
        add_escaped(&entry, name);
        buffer_text(&entry, " ");
        guest_path_settle(root, device->path,
                          place); /* liblxc follows no link, and /var/run may be one to /run */
        add_escaped(&entry, place + (*place == '/'));
        buffer_text(&entry, " none bind,nosuid,noexec,create=file 0 0");
        config_set(config, "lxc.mount.entry", entry.bytes);
        if (request->id_base)
            continue;
        rule_of(device->is_block, number_of(device), rule);
        config_set(config, "lxc.cgroup.devices.allow", rule);
        config_set(config, "lxc.cgroup2.devices.allow", rule);
    }
}

/* ---- while it runs ---- */

static bool is_usual(const char *rule)
{
    for (size_t i = 0; i < usual_device_count; i++)
        if (strcmp(usual_devices[i], rule) == 0)
            return true;
    return rule[0] == 'c' && strncmp(rule + 2, "136:", 4) == 0; /* terminals, by number */
}

static int set_rule(const struct paths *paths, const char *lxc_name, const char *key, const char *rule,
                    struct error *error)
{
    _cleanup_config_ struct config config;
    int result = config_open(&config, paths, lxc_name, true, error);
    if (result < 0 || config.lxc->set_cgroup_item(config.lxc, key, rule))
        return result;
    return error_set(error, -EIO, "container %s: liblxc cannot set %s to %s", lxc_name, key, rule);
}

/* Whether a node for another place is of the same device. */
static bool is_lent_elsewhere(int folder, const char *name, const struct stat *node)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    if (!names) {
        cleanup_close(&fd);
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(names));) {
        struct stat other;
        found = strcmp(entry->d_name, name) != 0 &&
                fstatat(folder, entry->d_name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
                (other.st_mode & S_IFMT) == (node->st_mode & S_IFMT) && other.st_rdev == node->st_rdev;
    }
    closedir(names);
    return found;
}

struct spot {
    int folder; /* of the guest, in which it is */
    const char *name;
};

static int open_spot(const struct guest *guest, const char *path, struct spot *spot)
{
    char above[CONTAINER_PATH_SIZE];
    spot->name = strrchr(path, '/') + 1;
    snprintf(above, sizeof(above), "%.*s", (int)(spot->name - path), path);
    spot->folder = guest_open(guest->root, above, O_DIRECTORY, NULL);
    return spot->folder < 0 ? -ENOENT : 0;
}

/* What is mounted at the place: all of it, or (`node`) while it is that node. */
static int unmount(const struct guest *guest, const char *path, const struct stat *node)
{
    struct spot spot;
    int result = open_spot(guest, path, &spot);
    if (result < 0)
        return 0;
    _cleanup_close_ int folder = spot.folder;
    for (int i = 0; result == 0 && i < MOUNTS_BOUND; i++) {
        struct stat there;
        _cleanup_close_ int fd = place_open_inside(guest->root, path);
        if (fd < 0 || !place_is_mount(fd) || fstat(fd, &there) < 0 ||
            (node && (there.st_dev != node->st_dev || there.st_ino != node->st_ino)))
            return 0;
        result = guest_unmount(guest, folder, spot.name);
    }
    return result;
}

/* The empty file that the node was mounted on. Only where nothing lasts: elsewhere it may be somebody's. */
static void remove_place(const struct guest *guest, const char *path)
{
    struct spot spot;
    struct stat there;
    struct statfs system;
    _cleanup_identity_ struct identity identity = {0};
    if (open_spot(guest, path, &spot) < 0)
        return;
    _cleanup_close_ int folder = spot.folder;
    if (fstatfs(folder, &system) == 0 && system.f_type == TMPFS_MAGIC &&
        identity_take(&identity, guest->id_base, NULL) == 0 &&
        fstatat(folder, spot.name, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode) &&
        there.st_size == 0)
        unlinkat(folder, spot.name, 0);
}

/* The node goes last: it tells the next run what is left to do. */
static int take_back(const struct paths *paths, const struct guest *guest, int folder, const char *path,
                     struct error *error)
{
    char name[DEVICE_NAME_SIZE], rule[RULE_SIZE];
    struct stat node;
    device_node_name(path, name);
    if (fstatat(folder, name, &node, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    rule_of(S_ISBLK(node.st_mode), node.st_rdev, rule);
    int result = 0;
    if (guest->user_namespace < 0 && !is_usual(rule) && !is_lent_elsewhere(folder, name, &node))
        result = set_rule(paths, guest->lxc_name, "devices.deny", rule, error);
    if (result < 0)
        return result;
    result = unmount(guest, path, &node);
    if (result == 0) {
        remove_place(guest, path);
        result = take_node(folder, name);
    }
    return result < 0 ? error_errno(error, result, "cannot take %s from %s", path, guest->lxc_name) : 0;
}

static int move_in(const struct guest *guest, int node, const char *path, struct error *error)
{
    int result = unmount(guest, path, NULL);
    if (result < 0)
        return error_errno(error, result, "cannot unmount %s in %s", path, guest->lxc_name);
    _cleanup_close_ int tree = tree_clone(node, "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1, error);
    if (tree < 0)
        return tree;
    _cleanup_identity_ struct identity identity = {0};
    result = identity_take(&identity, guest->id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int place = guest_open_file(guest->root, path, error);
    if (place < 0)
        return place;
    result = guest_move(guest, tree, false, place);
    return result < 0 ? error_errno(error, result, "cannot mount at %s in %s", path, guest->lxc_name) : 0;
}

static int enter(const struct device_attach *request, struct guest *guest, struct error *error)
{
    int result = container_check_name(request->lxc_name, error);
    if (result == 0)
        result = check(request->device, error);
    if (result == 0)
        result = guest_enter(request->lxc_name, request->init_pid, request->init_start, guest, error);
    return result < 0 ? result : guest_check_answers(guest, request->init_pid, request->device->path, error);
}

/* The node as it shall be, instead of one of another device; returns a handle of it. */
static int renew_node(const struct paths *paths, const struct guest *guest, int folder,
                      const struct container_device *device, struct error *error)
{
    char name[DEVICE_NAME_SIZE];
    struct stat node;
    int result = 0;
    device_node_name(device->path, name);
    if (fstatat(folder, name, &node, AT_SYMLINK_NOFOLLOW) == 0 && !is_node_of(&node, device))
        result = take_back(paths, guest, folder, device->path, error);
    if (result < 0)
        return result;
    result = make_node(folder, device, guest->id_base);
    int fd = result < 0 ? -1 : openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0
               ? fd
               : error_errno(error, result < 0 ? result : -errno, "cannot make a node for %s", device->path);
}

int device_attach(const struct paths *paths, const struct device_attach *request, const struct call *call,
                  struct error *error)
{
    (void)call;
    const struct container_device *device = request->device;
    _cleanup_guest_ struct guest guest = NO_GUEST;
    char rule[RULE_SIZE];
    int result = enter(request, &guest, error);
    if (result < 0)
        return result;
    _cleanup_close_ int folder = make_folder(paths, request->lxc_name, guest.id_base, error);
    if (folder < 0)
        return folder;
    _cleanup_close_ int node = renew_node(paths, &guest, folder, device, error);
    if (node < 0)
        return node;
    rule_of(device->is_block, number_of(device), rule);
    if (guest.user_namespace < 0 && !is_usual(rule))
        result = set_rule(paths, request->lxc_name, "devices.allow", rule, error);
    if (result < 0 || place_is_at(guest.root, device->path, node, false))
        return result;
    return move_in(&guest, node, device->path, error);
}

int device_detach(const struct paths *paths, const struct device_attach *request, const struct call *call,
                  struct error *error)
{
    (void)call;
    char path[CONTAINER_PATH_SIZE];
    _cleanup_guest_ struct guest guest = NO_GUEST;
    int result = enter(request, &guest, error);
    if (result < 0)
        return result;
    container_path(paths, request->lxc_name, CONTAINER_DEVICES, path);
    _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", path);
    return take_back(paths, &guest, folder, request->device->path, error);
}
