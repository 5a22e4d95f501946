#include "drivers/storage/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/aside.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/squash.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define VALUE_LIMIT 255 /* bytes that fsconfig(2) takes */

int lower_option(int context, const char *key, const char *value, struct error *error)
{
    if (fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) < 0)
        return error_errno(error, -errno, "overlay %s=%s", key, value);
    return 0;
}

static char *frozen_path(const struct lower_place *place, const char *number, struct arena *arena)
{
    return arena_printf(arena, "%sfrozen/%s", place->limited ? DISK_FOLDER "/" : "", number);
}

/* One by one, as kernels since 6.7 take them. */
static int add_each(int context, const struct texts *paths, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < paths->count && result == 0; i++)
        result = lower_option(context, "lowerdir+", paths->items[i], error);
    return result == -EINVAL
               ? error_set(error, -E2BIG, "%zu folders on each other are more than this kernel takes",
                           paths->count)
               : result;
}

int lower_set_paths(int context, const struct texts *paths, struct error *error)
{
    _cleanup_buffer_ struct buffer all = {0};
    for (size_t i = 0; i < paths->count; i++)
        buffer_printf(&all, "%s%s", i ? ":" : "", paths->items[i]);
    return all.length <= VALUE_LIMIT ? lower_option(context, "lowerdir", all.bytes, error)
                                     : add_each(context, paths, error);
}

static void add_path(struct texts *paths, struct arena *arena, const char *path)
{
    *arena_append(arena, paths->items, paths->count) = path;
}

int lower_add_image(const char *store, const char *beside, const char *digest, struct texts *paths,
                    struct arena *arena, struct error *error)
{
    char lower[DIGEST_TEXT_SIZE];
    int result = image_lower(store, digest, lower, error);
    if (result < 0)
        return result;
    add_path(paths, arena, arena_printf(arena, "%s/images/%s/root", beside, digest));
    if (*lower && access(arena_printf(arena, "%s/images/%s/complete", store, lower), F_OK) < 0)
        return error_set(error, -errno,
                         "image %.12s, which image %.12s stands on, is not in the store: "
                         "fpsync apply brings it back",
                         lower, digest);
    if (*lower)
        add_path(paths, arena, arena_printf(arena, "%s/images/%s/root", beside, lower));
    return 0;
}

/* Relative to the layer's folder, or a handful of paths would be longer than fsconfig(2) takes. */
static int set_stack(int context, const struct lower_place *place, const char *digest,
                     const struct texts *frozen, struct arena *arena, struct error *error)
{
    struct texts paths = {0};
    for (size_t i = 0; i < frozen->count; i++)
        add_path(&paths, arena, frozen_path(place, frozen->items[i], arena));
    int result = lower_add_image(place->store, "../..", digest, &paths, arena, error);
    if (result == 0)
        result = lower_set_paths(context, &paths, error);
    return result == -E2BIG
               ? error_set(error, result,
                           "%zu frozen uppers are more than this kernel takes: free snapshots of "
                           "the layer with fpsync gc",
                           frozen->count)
               : result;
}

int lower_set(int context, const struct lower_place *place, const char *digest, const struct texts *frozen,
              struct arena *arena, struct error *error)
{
    char lower[DIGEST_TEXT_SIZE];
    int result = image_lower(place->store, digest, lower, error);
    if (result < 0)
        return result;
    if (!frozen->count && !*lower)
        return lower_option(context, "lowerdir",
                            arena_printf(arena, "%s/images/%s/root", place->store, digest), error);
    const char *folder = arena_printf(arena, "%s/layers/%s", place->store, place->layer);
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(folder) < 0)
        return error_errno(error, -errno, "%s", folder);
    result = set_stack(context, place, digest, frozen, arena, error);
    return fchdir(before) < 0 ? error_errno(error, -errno, "cannot leave %s", folder) : result;
}

int lower_create(int context, const char *folder)
{
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(folder) < 0)
        return -errno;
    int result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
    return fchdir(before) < 0 && result == 0 ? -errno : result;
}

/* ---- what only reads ---- */

static int mount_here(const char *folder, const struct texts *paths, const char *what, struct error *error)
{
    _cleanup_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0)
        return error_errno(error, -errno, "overlay");
    int result = lower_option(context, "source", "fpsync", error);
    if (result == 0)
        result = lower_set_paths(context, paths, error);
    if (result < 0)
        return result;
    result = lower_create(context, folder);
    int tree = result < 0 ? -1 : fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
    return tree < 0 ? error_errno(error, result < 0 ? result : -errno, "cannot mount %s", what) : tree;
}

static int mount_all(const char *folder, const struct texts *paths, const char *what, struct error *error)
{
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(folder) < 0)
        return error_errno(error, -errno, "%s", folder);
    int tree = mount_here(folder, paths, what, error);
    if (fchdir(before) == 0)
        return tree;
    int code = -errno;
    cleanup_close(&tree);
    return error_errno(error, code, "cannot leave %s", folder);
}

struct mounting {
    const char *folder, *what;
    const struct texts *paths;
};

static int mount_aside(void *context, struct error *error)
{
    const struct mounting *mounting = context;
    int result = squash_attach(mounting->folder, mounting->folder, mounting->paths, -1, error);
    return result < 0 ? result : mount_all(mounting->folder, mounting->paths, mounting->what, error);
}

/* The kernel before 6.15 takes overlay's folders from attached mounts only. */
int lower_mount(const char *folder, const struct texts *paths, const char *what, struct error *error)
{
    struct mounting mounting = {.folder = folder, .what = what, .paths = paths};
    return squash_is_among(folder, paths) ? aside_run(mount_aside, &mounting, error)
                                          : mount_all(folder, paths, what, error);
}

static int open_single(int from, const char *path, const char *what, struct error *error)
{
    _cleanup_close_ int root = openat(from, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "%s", what);
    int tree = squash_mount_beside(root, -1, error);
    return tree == -ENOENT ? TAKE_FD(root) : tree;
}

int lower_open(const char *folder, const struct texts *paths, const char *what, struct error *error)
{
    _cleanup_close_ int from = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return error_errno(error, -errno, "%s", folder);
    _cleanup_close_ int tree = paths->count == 1 ? open_single(from, paths->items[0], what, error)
                                                 : lower_mount(folder, paths, what, error);
    if (tree < 0)
        return tree;
    int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? error_errno(error, -errno, "%s", what) : root;
}

int lower_attach_image(const char *store, const char *copy, const char *digest, int user_namespace,
                       struct arena *arena, struct error *error)
{
    struct texts paths = {0};
    int result = lower_add_image(store, ".", digest, &paths, arena, error);
    return result < 0 ? result : squash_attach(store, copy, &paths, user_namespace, error);
}

bool lower_needs_mount(const char *store, const char *digest, struct arena *arena)
{
    struct texts paths = {0};
    return lower_add_image(store, ".", digest, &paths, arena, NULL) == 0 && squash_is_among(store, &paths);
}

void image_note_use(const char *store, const char *digest)
{
    char path[PATH_MAX], lower[DIGEST_TEXT_SIZE];
    if (image_lower(store, digest, lower, NULL) < 0)
        return;
    for (const char *one = digest; one; one = one == digest && *lower ? lower : NULL) {
        snprintf(path, sizeof(path), "%s/images/%s", store, one);
        utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
    }
}

int lower_open_image(const char *store, const char *digest, struct arena *arena, struct error *error)
{
    struct texts paths = {0};
    int result = lower_add_image(store, ".", digest, &paths, arena, error);
    return result < 0 ? result : lower_open(store, &paths, arena_printf(arena, "image %.12s", digest), error);
}

/* Of a squashfs the mount itself: a copy can be taken of it only as long as that is open. */
static int open_root(const char *store, const char *digest, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/images/%s", store, digest);
    _cleanup_close_ int image = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (image < 0)
        return error_errno(error, -errno, "image %.12s", digest);
    int root = squash_mount(image, -1, error);
    if (root == -ENOENT)
        root = openat(image, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    else if (root < 0)
        return error_wrap(error, root, "image %.12s", digest);
    return root < 0 ? error_errno(error, -errno, "image %.12s", digest) : root;
}

int image_trees_open(const char *store, const char *digest, struct image_trees *trees, struct error *error)
{
    char lower[DIGEST_TEXT_SIZE];
    int result = image_lower(store, digest, lower, error);
    if (result < 0)
        return result;
    _cleanup_close_ int top = open_root(store, digest, error);
    if (top < 0 || !*lower) {
        *trees = (struct image_trees){.delta = -1, .base = TAKE_FD(top)};
        return trees->base < 0 ? trees->base : 0;
    }
    int base = open_root(store, lower, error);
    if (base < 0)
        return base;
    *trees = (struct image_trees){.delta = TAKE_FD(top), .base = base};
    return 0;
}

/* ---- copies ---- */

/* A detached overlay that only reads: what a layer showed when the snapshot was taken. */
static int open_shown(const struct lower_place *place, int layer, const struct root_mount *request,
                      struct arena *arena, struct error *error)
{
    struct stack stack = {0};
    const char *note = request->from ? arena_printf(arena, "snapshots/%s", request->from) : NULL;
    int result = note ? stack_read(layer, note, arena, &stack, error) : 0;
    if (result < 0)
        return result;
    if (!stack.frozen.count || stack.whole)
        return lower_open_image(place->store, request->digest, arena, error);
    struct texts paths = {0};
    for (size_t i = 0; i < stack.frozen.count; i++)
        add_path(&paths, arena, frozen_path(place, stack.frozen.items[i], arena));
    result = lower_add_image(place->store, "../..", request->digest, &paths, arena, error);
    return result < 0
               ? result
               : lower_open(arena_printf(arena, "%s/layers/%s", place->store, place->layer), &paths,
                            arena_printf(arena, "snapshot %s of layer %s", request->from, request->layer),
                            error);
}

int copy_make(const struct lower_place *place, int layer, int data, const struct root_mount *request,
              const struct call *call, struct error *error)
{
    struct stat status;
    int result = whole_settle(layer, data, "root", error);
    if (result < 0 ||
        (fstatat(data, "root", &status, AT_SYMLINK_NOFOLLOW) == 0 && !folder_is_empty(data, "root")))
        return result;
    result = tree_remove(data, "root.part", error);
    if (result < 0)
        return result;
    if (mkdirat(data, "root.part", 0700) < 0)
        return error_errno(error, -errno, "cannot make root.part");
    _cleanup_close_ int from = open_shown(place, layer, request, call->arena, error);
    if (from < 0)
        return from;
    _cleanup_close_ int to = openat(data, "root.part", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct tree_copied copied;
    if (to < 0)
        return error_errno(error, -errno, "root.part");
    result = tree_copy_what(from, to, request->id_base ? TREE_NODES : TREE_DEVICES,
                            "copying the image:", call, &copied, error);
    if (result < 0)
        return result;
    tree_tell_devices(call, copied.skipped);
    if (syncfs(to) < 0 || renameat(data, "root.part", data, "root") < 0)
        return error_errno(error, -errno, "cannot put the copy of layer %s in place", request->layer);
    return 0;
}
