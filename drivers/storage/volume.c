#include "drivers/storage/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "drivers/guest/guest_path.h"
#include "drivers/storage/data.h"
#include "drivers/storage/in_use.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/error.h"

#define USED_MARK "used"

static const struct volume_kind *kind_of(const char *name, struct error *error)
{
    static const struct volume_kind *const kinds[] = {&volume_dir, &volume_loop, &volume_btrfs};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i]->name, name ? name : "dir") == 0)
            return kinds[i];
    error_set(error, -EINVAL, "\"%s\" is no type of a volume", name);
    return NULL;
}

/* Its folder, made when missing; locked as long as it is open. */
static int open_folder(const struct paths *paths, const char *file, struct error *error)
{
    char path[PATH_MAX];
    int result = data_check_name(file, error);
    if (result == 0)
        result = folder_make(paths->volumes, 0700, error);
    snprintf(path, sizeof(path), "%s/%s", paths->volumes, file);
    if (result == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
        result = error_errno(error, -errno, "cannot make %s", path);
    return result < 0 ? result : data_lock(paths->volumes, file, error);
}

int volume_make(const struct paths *paths, const struct volume_source *source, const struct call *call,
                struct error *error)
{
    const struct volume_kind *kind = kind_of(source->type, error);
    if (!kind)
        return -EINVAL;
    _cleanup_close_ int folder = open_folder(paths, source->file, error);
    int result = folder < 0 ? folder : stack_tidy_volume(folder, call->arena, error);
    if (result == 0)
        result = kind->make(folder, source, call, error);
    return result < 0 ? error_wrap(error, result, "volume %s", source->file) : 0;
}

static int mark_used(int folder, struct error *error)
{
    _cleanup_close_ int fd = openat(folder, USED_MARK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(error, -errno, "cannot make " USED_MARK) : 0;
}

#define DIGEST_LENGTH (DIGEST_TEXT_SIZE - 1)

/* The image's folder at the path, on disk: both sides carry container ids. -1: it has none. */
static int open_place(const struct paths *paths, const char *image, const char *place)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char *digest = arena_strndup(arena, image, DIGEST_LENGTH);
    _cleanup_close_ int root = lower_open_image(paths->store, digest, arena, NULL);
    _cleanup_close_ int found = root < 0 ? -1 : guest_open(root, place, O_DIRECTORY, NULL);
    return found < 0 ? -1 : openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool names_place(const char *text)
{
    return strspn(text, "0123456789abcdef") == DIGEST_LENGTH && guest_path_is_clean(text + DIGEST_LENGTH);
}

static int open_filling(const struct paths *paths, const struct volume_filling *filling)
{
    const struct texts *others = filling->others;
    if (!filling->digest)
        return -1;
    if (!others || !others->count)
        return open_place(paths, filling->digest, filling->path);
    for (size_t i = 0; i < others->count; i++) {
        const char *text = others->items[i];
        int found = names_place(text) ? open_place(paths, text, text + DIGEST_LENGTH) : -1;
        if (found >= 0)
            return found;
    }
    return -1;
}

/* SEMANTICS 13: once, when it is new. A crash in the middle leaves it new, and the half copy is thrown away. */
static int fill(const struct paths *paths, const struct volume_kind *kind, int folder,
                const struct volume_source *source, const struct volume_filling *filling,
                const struct call *call, struct error *error)
{
    struct tree_copied copied;
    _cleanup_close_ int from = open_filling(paths, filling);
    if (from < 0)
        return mark_used(folder, error);
    _cleanup_close_ int to = kind->begin(folder, source, call, error);
    if (to < 0)
        return to;
    int result = tree_copy_what(from, to, TREE_NODES, "filling a new volume:", call, &copied, error);
    if (result == 0)
        tree_tell_devices(call, copied.skipped);
    if (result == 0)
        result = kind->commit(folder, to, error);
    if (result == 0)
        result = mark_used(folder, error);
    if (result == 0 && fsync(folder) < 0)
        result = error_errno(error, -errno, "cannot write its folder to disk");
    return result;
}

/* The mark first: without it, a crash leaves a new volume with something in it, which is thrown away all the same. */
static int throw_away(const struct paths *paths, int folder, const char *file, struct error *error)
{
    if (volume_check_unused(paths, file, NULL) < 0)
        return 0;
    static const char *const parts[] = {USED_MARK, "image"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (unlinkat(folder, parts[i], 0) < 0 && errno != ENOENT)
            return error_errno(error, -errno, "cannot remove %s", parts[i]);
    return tree_remove(folder, "data", error);
}

static int provide(const struct paths *paths, const struct volume_kind *kind, int folder,
                   const struct volume_source *source, const struct volume_filling *filling, bool fresh,
                   const struct call *call, struct error *error)
{
    int result = volume_settle(folder, error);
    if (result == 0 && fresh)
        result = throw_away(paths, folder, source->file, error);
    if (result == 0)
        result = kind->make(folder, source, call, error);
    if (result == 0 && faccessat(folder, USED_MARK, F_OK, 0) < 0)
        result = fill(paths, kind, folder, source, filling, call, error);
    return result;
}

int volume_use(const struct paths *paths, const struct volume_source *source,
               const struct volume_filling *filling, bool fresh, bool read_only, int user_namespace,
               const struct call *call, int *held, struct error *error)
{
    const struct volume_kind *kind = kind_of(source->type, error);
    if (!kind)
        return -EINVAL;
    _cleanup_close_ int folder = open_folder(paths, source->file, error);
    if (folder < 0)
        return folder;
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0);
    int result = provide(paths, kind, folder, source, filling, fresh, call, error);
    if (result == 0)
        result = kind->tree(folder, attributes, user_namespace, error);
    if (result < 0)
        return error_wrap(error, result, "volume %s", source->file);
    *held = TAKE_FD(folder);
    return result;
}

int volume_open(const struct paths *paths, const char *file, struct error *error)
{
    char path[PATH_MAX];
    int result = data_check_name(file, error);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "%s/%s", paths->volumes, file);
    _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return error_errno(error, -errno, "volume %s", file);
    if (faccessat(folder, "image", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        int data = openat(folder, "data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return data < 0 ? error_errno(error, -errno, "volume %s", file) : data;
    }
    _cleanup_close_ int tree = volume_loop.tree(folder, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1, error);
    if (tree < 0)
        return tree;
    int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? error_errno(error, -errno, "volume %s", file) : root;
}
