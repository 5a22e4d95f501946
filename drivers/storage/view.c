/* The storage family's view: what the stores hold and what is mounted of it. Reads only; linked into the main
 * program, whose plan stands on it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/storage/storage.h"
#include "drivers/storage/view_binds.h"
#include "drivers/storage/view_disk.h"
#include "drivers/storage/view_image.h"
#include "drivers/storage/view_layer.h"
#include "drivers/storage/view_leftovers.h"
#include "drivers/storage/view_measure.h"
#include "drivers/storage/view_mounted.h"
#include "drivers/storage/view_quota.h"
#include "drivers/storage/view_squash.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

/* Calls `each` with every name in a folder that belongs to an object; a missing folder is empty. */
static int each_name(const char *folder, void (*each)(void *context, int directory, const char *name),
                     void *context, struct error *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", folder);
    for (;;) {
        errno = 0;
        struct dirent *item = readdir(directory);
        if (!item)
            break;
        if (item->d_name[0] != '.') /* what is half made or half removed has one in front */
            each(context, dirfd(directory), item->d_name);
    }
    int result = -errno;
    closedir(directory);
    return result < 0 ? error_errno(error, result, "%s", folder) : 0;
}

struct collector {
    struct arena *arena;
    struct observed_storage *out;
    const char *inside; /* the folder below an object's own that holds the data */
    const struct paths *paths;
    struct texts *mounted; /* of view_squash.h; NULL: not asked yet */
};

/* How it is kept, where that is no folder. */
static void see_squashfs(struct collector *collector, int directory, const char *note,
                         struct observed_image *image)
{
    char path[DIGEST_TEXT_SIZE + 32], digest[DIGEST_TEXT_SIZE];
    struct stat status;
    const char *line = note ? strstr(note, "\nsquashfs ") : NULL;
    snprintf(path, sizeof(path), "%s/" SQUASH_FILE, image->digest);
    if (!line || sscanf(line, "\nsquashfs %64[0-9a-f]", digest) != 1 ||
        fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (!collector->mounted)
        collector->mounted = squash_mounted(collector->paths, collector->arena);
    image->squashfs = arena_strdup(collector->arena, digest);
    image->stored = status.st_size;
    for (size_t i = 0; i < collector->mounted->count; i++)
        image->mounted = image->mounted || strcmp(collector->mounted->items[i], image->digest) == 0;
}

static void collect_image(void *context, int directory, const char *name)
{
    struct collector *collector = context;
    if (strlen(name) != DIGEST_TEXT_SIZE - 1 || strspn(name, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1)
        return;
    char path[DIGEST_TEXT_SIZE + 16];
    snprintf(path, sizeof(path), "%s/complete", name);
    _cleanup_buffer_ struct buffer note = {0};
    if (buffer_read_file(&note, directory, path, IMAGE_NOTE_LIMIT, NULL) < 0)
        return; /* without its note it is not an image */
    long long bytes = 0;
    char full[80] = "", lower[DIGEST_TEXT_SIZE];
    struct stat status, folder;
    if (sscanf(note.bytes, "bytes %lld name %79s", &bytes, full) < 1)
        bytes = 0;
    image_note_lower(note.bytes ? note.bytes : "", lower);
    if (fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(directory, name, &folder, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    struct observed_image *image =
        arena_append(collector->arena, collector->out->images, collector->out->image_count);
    *image = (struct observed_image){.digest = arena_strdup(collector->arena, name),
                                     .bytes = bytes,
                                     .name = full_name_is_valid(full) ? arena_strdup(collector->arena, full)
                                                                      : NULL,
                                     .made = status.st_mtime,
                                     .used = folder.st_mtime,
                                     .lower = *lower ? arena_strdup(collector->arena, lower) : NULL,
                                     .stored = bytes};
    see_squashfs(collector, directory, note.bytes, image);
}

/* One whose lower is not there is as lost as one that is not there itself. */
static void drop_without_lower(struct observed_storage *seen)
{
    size_t kept = 0;
    for (size_t i = 0; i < seen->image_count; i++) {
        bool is_whole = !seen->images[i].lower;
        for (size_t j = 0; !is_whole && j < seen->image_count; j++)
            is_whole = strcmp(seen->images[j].digest, seen->images[i].lower) == 0;
        if (is_whole)
            seen->images[kept++] = seen->images[i];
    }
    seen->image_count = kept;
}

static bool is_subvolume(int store, const struct stat *status)
{
    struct stat outer;
    return status->st_ino == BTRFS_FIRST_FREE_OBJECTID && fstat(store, &outer) == 0 &&
           outer.st_dev != status->st_dev;
}

static struct observed_data data_of(const struct collector *collector, int directory, const char *name)
{
    struct stat status;
    char *path = arena_printf(collector->arena, "%s/%s", name, collector->inside);
    if (fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
        return (struct observed_data){0};
    return (struct observed_data){.file = arena_strdup(collector->arena, name),
                                  .modified = status.st_mtime,
                                  .type = is_subvolume(directory, &status) ? "btrfs" : "dir",
                                  .device = status.st_dev,
                                  .inode = status.st_ino};
}

static struct observed_data loop_of(struct collector *collector, int directory, const char *name)
{
    struct stat status;
    char *path = arena_printf(collector->arena, "%s/image", name);
    if (fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
        return (struct observed_data){0};
    return (struct observed_data){.file = arena_strdup(collector->arena, name),
                                  .modified = status.st_mtime,
                                  .type = "loop",
                                  .size = status.st_size,
                                  .device = status.st_dev,
                                  .inode = status.st_ino};
}

static int64_t quota_of(const struct collector *collector, int directory, const char *name)
{
    uint64_t id;
    const char *path = arena_printf(collector->arena, "%s/%s", name, collector->inside);
    _cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? 0 : view_quota(fd, &id);
}

static void collect_layer(void *context, int directory, const char *name)
{
    struct collector *collector = context;
    struct observed_data data = data_of(collector, directory, name);
    if (!data.file) { /* perhaps a copy of its image */
        const struct collector copies = {.arena = collector->arena, .inside = "root"};
        data = data_of(&copies, directory, name);
        data.type = "copy";
    } else {
        data.type = "layer";
    }
    if (data.file)
        *arena_append(collector->arena, collector->out->layers, collector->out->layer_count) = data;
}

static void collect_volume(void *context, int directory, const char *name)
{
    struct collector *collector = context;
    struct observed_data data = data_of(collector, directory, name);
    if (!data.file)
        data = loop_of(collector, directory, name);
    else if (collector->out->has_quotas && strcmp(data.type, "btrfs") == 0)
        data.size = quota_of(collector, directory, name);
    if (data.file)
        *arena_append(collector->arena, collector->out->volumes, collector->out->volume_count) = data;
}

static bool is_mount(int directory, const char *path)
{
    struct statx status;
    return statx(directory, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) == 0 &&
           status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* By the folder: a root's mount point is made and removed with its mount. Every line of the mount table costs the kernel
 * some 15 us, and there are more of them than roots. */
static void collect_root(void *context, int directory, const char *name)
{
    struct collector *collector = context;
    char inside[NAME_MAX + sizeof("/" PATHS_ROOT)];
    snprintf(inside, sizeof(inside), "%s/" PATHS_ROOT, name);
    const bool open = !is_mount(directory, inside); /* there before, see root_place.h */
    if (!open || is_mount(directory, name))
        *arena_append(collector->arena, collector->out->roots, collector->out->root_count) =
            (struct observed_root){.lxc_name = arena_strdup(collector->arena, name), .open = open};
}

static int compare_images(const void *left, const void *right)
{
    return strcmp(((const struct observed_image *)left)->digest,
                  ((const struct observed_image *)right)->digest);
}

static int compare_data(const void *left, const void *right)
{
    return strcmp(((const struct observed_data *)left)->file, ((const struct observed_data *)right)->file);
}

static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count)
        qsort(items, count, size, compare);
}

/* Quotas have a folder in sysfs while they are on. */
static void see_store(const struct paths *paths, struct observed_storage *out)
{
    struct statfs system;
    struct btrfs_ioctl_fs_info_args info = {0};
    out->on_btrfs = statfs(paths->store, &system) == 0 && system.f_type == BTRFS_SUPER_MAGIC;
    if (!out->on_btrfs)
        return;
    _cleanup_close_ int store = open(paths->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store < 0 || ioctl(store, BTRFS_IOC_FS_INFO, &info) < 0)
        return;
    const unsigned char *id = info.fsid;
    char path[80];
    snprintf(path, sizeof(path),
             "/sys/fs/btrfs/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x/qgroups",
             id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12],
             id[13], id[14], id[15]);
    out->has_quotas = access(path, F_OK) == 0;
}

static int dump(const struct paths *paths, const struct call *call, struct observed_storage *out,
                struct error *error)
{
    struct observed_storage found = {0};
    struct collector layers = {.arena = call->arena, .out = &found, .inside = "upper", .paths = paths};
    struct collector volumes = {.arena = call->arena, .out = &found, .inside = "data"};
    see_store(paths, &found);
    int result = each_name(paths->images, collect_image, &layers, error);
    if (result == 0)
        result = each_name(paths->layers, collect_layer, &layers, error);
    if (result == 0)
        result = each_name(paths->volumes, collect_volume, &volumes, error);
    if (result == 0)
        result = each_name(paths->mounts, collect_root, &layers, error);
    if (result < 0)
        return result;
    drop_without_lower(&found);
    sort(found.images, found.image_count, sizeof(*found.images), compare_images);
    sort(found.layers, found.layer_count, sizeof(*found.layers), compare_data);
    sort(found.volumes, found.volume_count, sizeof(*found.volumes), compare_data);
    *out = found;
    return 0;
}

static const char *volume_of(const struct observed_storage *storage, const struct mounted *mounted)
{
    for (size_t i = 0; i < storage->volume_count; i++)
        if (storage->volumes[i].inode == mounted->inode && storage->volumes[i].device == mounted->device)
            return storage->volumes[i].file;
    return NULL;
}

/* Its init may end just now: then nothing is mounted anywhere. */
static void look_mounts(const struct observed_storage *storage, int64_t init_pid, const struct texts *paths,
                        struct arena *arena, struct observed_guest_mounts *out)
{
    char folder[64];
    *out = (struct observed_guest_mounts){0};
    snprintf(folder, sizeof(folder), "/proc/%lld/root", (long long)init_pid);
    _cleanup_close_ int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; root >= 0 && i < paths->count; i++) {
        struct mounted mounted;
        _cleanup_look_ struct look there = NO_LOOK;
        int result = mounted_look(init_pid, root, paths->items[i], &there, &mounted);
        const char *volume = result < 0 ? NULL : volume_of(storage, &mounted);
        if (result == -ETIMEDOUT)
            *arena_append(arena, out->unknown.items, out->unknown.count) = paths->items[i];
        const bool read_only = volume && !look_is_writable(&there);
        if (volume)
            *arena_append(arena, out->items, out->count) =
                (struct observed_guest_mount){.path = paths->items[i],
                                              .volume = volume,
                                              .read_only = read_only,
                                              .stuck = read_only && mounted_is_stuck(&mounted)};
    }
}

const struct storage_view storage_view = {.dump = dump,
                                          .look_mounts = look_mounts,
                                          .look_disk = view_disk,
                                          .grows_mounted = view_grows_mounted,
                                          .dump_snapshots = view_snapshots,
                                          .dump_leftovers = view_leftovers,
                                          .dump_difference = view_difference,
                                          .measure = view_measure,
                                          .look_binds = bind_look};
