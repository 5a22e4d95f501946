/* What is mounted into a root only while a RUN has it: files of ours, caches, secrets, contexts, other roots.
 *
 * Files are written to a tmpfs that is attached in the step's folder for that moment, so no secret is ever on a disk. All
 * targets are resolved in the root, by the identity of its own root user; what has to be made for them is noted as stubs. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/image/build_copier.h"
#include "drivers/image/build_run.h"
#include "drivers/image/build_stubs.h"
#include "drivers/image/build_target.h"
#include "drivers/image/view_context.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/overlay.h"
#include "drivers/storage/root.h"
#include "drivers/storage/squash.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PRIVATE       "private" /* in the step's folder */
#define SHOWN         "shown"   /* where another root is for a moment */
#define PRIVATE_SIZE  "16m"
#define SECRET_LIMIT  ((size_t)512 * 1024)
#define PRIVATE_COUNT 9  /* writers of one private cache at a time */
#define LOOK_AGAIN    20 /* milliseconds, at a cache that another build has */

static char *own_path(const struct running *running, const char *name)
{
    return arena_printf(running->call->arena, "%s/%s/%s", running->paths->build, running->making.inside,
                        name);
}

/* ---- putting a tree into the root ---- */

/* Whoever follows a link of the image gets to where that leads in it: /etc/resolv.conf is one, often. */
static int open_file_place(const struct running *running, const char *target)
{
    char name[NAME_MAX + 1];
    const char *slash = strrchr(target, '/');
    _cleanup_close_ int folder =
        build_target_file(running->root, target, slash + 1, NULL, name, running->error);
    if (folder < 0)
        return folder;
    _cleanup_close_ int made =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (made < 0 && errno != EEXIST)
        return error_errno(running->error, -errno, "cannot make %s", target);
    int place = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return place < 0 ? error_errno(running->error, -errno, "%s", target) : place;
}

static int put(struct running *running, int tree, const char *target, bool is_file)
{
    if (!guest_path_is_clean(target))
        return error_set(running->error, -EINVAL, "\"%s\" is not a clean absolute path", target);
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, running->id_base, running->error);
    if (result < 0)
        return result;
    build_stubs_note(running->root, target, running->call->arena, &running->stubs);
    _cleanup_close_ int place = is_file ? open_file_place(running, target)
                                        : build_target_folder(running->root, target, NULL, running->error);
    return place < 0 ? place : volume_move(tree, place, target, running->error);
}

/* ---- files ---- */

static int mount_tmpfs(const char *const options[][2], size_t count, unsigned attributes, struct error *error)
{
    _cleanup_close_ int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return error_errno(error, -errno, "tmpfs");
    for (size_t i = 0; i < count; i++)
        if (fsconfig(context, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
            return error_errno(error, -errno, "tmpfs %s=%s", options[i][0], options[i][1]);
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return error_errno(error, -errno, "cannot make a tmpfs");
    int tree = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    return tree < 0 ? error_errno(error, -errno, "cannot mount a tmpfs") : tree;
}

static int attach_private(const struct running *running)
{
    const char *const options[][2] = {{"mode", "0700"}, {"size", PRIVATE_SIZE}};
    if (mkdirat(running->making.folder, PRIVATE, 0700) < 0)
        return error_errno(running->error, -errno, "cannot make " PRIVATE);
    _cleanup_close_ int tree = mount_tmpfs(options, 2, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, running->error);
    return tree < 0 ? tree : overlay_attach(tree, own_path(running, PRIVATE), running->error);
}

static void detach(const char *path)
{
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

void build_mounts_forget(const struct paths *paths, const char *inside)
{
    static const char *const places[] = {PRIVATE, SHOWN};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s/%s", paths->build, inside, places[i]);
        detach(path);
    }
}

struct file {
    const char *name, *target;
    const char *bytes;
    size_t size;
    int64_t mode, uid, gid;
    bool is_secret; /* read, and nothing else */
};

static int put_file(struct running *running, const struct file *file)
{
    const char *path = own_path(running, arena_printf(running->call->arena, PRIVATE "/%s", file->name));
    const uint64_t given = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    const uint64_t attributes = given | (file->is_secret ? MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC : 0);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, file->bytes, file->size);
    if (result == 0 &&
        (fchown(fd, (uid_t)(running->id_base + file->uid), (gid_t)(running->id_base + file->gid)) < 0 ||
         fchmod(fd, (mode_t)file->mode) < 0))
        result = -errno;
    if (result < 0)
        return error_errno(running->error, result, "cannot write %s", file->target);
    _cleanup_close_ int tree = tree_clone(AT_FDCWD, path, attributes, -1, running->error);
    return tree < 0 ? tree : put(running, tree, file->target, true);
}

static int put_files(struct running *running)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < running->request->files.count; i++) {
        const struct root_file *given = running->request->files.items[i];
        const char *content = given->content ? given->content : "";
        const struct file file = {.name = arena_printf(running->call->arena, "file-%zu", i),
                                  .target = given->path,
                                  .bytes = content,
                                  .size = strlen(content),
                                  .mode = given->mode & 0777};
        result = put_file(running, &file);
    }
    return result;
}

/* ---- mounts of the recipe ---- */

static int mode_of(const struct build_mount *mount, int64_t otherwise, int64_t *mode, struct error *error)
{
    size_t length = mount->mode ? strlen(mount->mode) : 0;
    *mode = otherwise;
    if (!mount->mode)
        return 0;
    if (!length || length > 5 || strspn(mount->mode, "01234567") != length)
        return error_set(error, -EINVAL, "\"%s\" is no mode of a file", mount->mode);
    *mode = strtol(mount->mode, NULL, 8) & 07777;
    return 0;
}

static uint64_t attributes_of(const struct build_mount *mount)
{
    return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount->writable ? 0 : MOUNT_ATTR_RDONLY);
}

int build_secret_read(const struct build_mount *mount, struct buffer *value, struct error *error)
{
    return buffer_read_file(value, AT_FDCWD, mount->file, SECRET_LIMIT, error);
}

void build_secret_forget(struct buffer *value)
{
    if (value->bytes)
        explicit_bzero(value->bytes, value->length);
}

static int put_secret(struct running *running, const struct build_mount *mount)
{
    _cleanup_buffer_ struct buffer value = {0};
    struct file file = {.name = arena_printf(running->call->arena, "secret-%s", mount->key),
                        .target = mount->target,
                        .uid = mount->uid,
                        .gid = mount->gid,
                        .is_secret = true};
    if (!mount->file || !mount->target)
        return 0;
    int result = mode_of(mount, 0400, &file.mode, running->error);
    if (result == 0)
        result = build_secret_read(mount, &value, running->error);
    if (result < 0)
        return result;
    file.bytes = value.bytes ? value.bytes : "";
    file.size = value.length;
    result = put_file(running, &file);
    build_secret_forget(&value);
    return result;
}

static int put_tmpfs(struct running *running, const struct build_mount *mount)
{
    struct arena *arena = running->call->arena;
    int64_t mode;
    int result = mode_of(mount, 01777, &mode, running->error);
    if (result < 0)
        return result;
    const char *const options[][2] = {
        {"mode", arena_printf(arena, "0%o", (unsigned)mode)},
        {"uid", arena_printf(arena, "%lld", (long long)(running->id_base + mount->uid))},
        {"gid", arena_printf(arena, "%lld", (long long)(running->id_base + mount->gid))},
        {"size", arena_printf(arena, "%lld", (long long)mount->size)},
    };
    _cleanup_close_ int tree =
        mount_tmpfs(options, mount->size ? 4 : 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, running->error);
    return tree < 0 ? tree : put(running, tree, mount->target, false);
}

/* ---- caches ---- */

/* 0, or -EWOULDBLOCK when another build has it. */
static int take_cache(int caches, const char *file, int how, int *folder, struct error *error)
{
    if (mkdirat(caches, file, 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make cache %s", file);
    _cleanup_close_ int opened = openat(caches, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0)
        return error_errno(error, -errno, "cache %s", file);
    if (flock(opened, how | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EWOULDBLOCK : error_errno(error, -errno, "cache %s", file);
    futimens(opened, NULL); /* when it was last used */
    *folder = TAKE_FD(opened);
    return 0;
}

/* The first that nobody else has. */
static int take_private(struct running *running, int caches, const char *file, int *folder)
{
    int result = -EWOULDBLOCK;
    for (int i = 0; result == -EWOULDBLOCK && i < PRIVATE_COUNT; i++)
        result = take_cache(caches, i ? arena_printf(running->call->arena, "%s.%d", file, i) : file, LOCK_EX,
                            folder, running->error);
    return result == -EWOULDBLOCK
               ? error_set(running->error, -EBUSY, "%d builds have cache %s", PRIVATE_COUNT, file)
               : result;
}

static int await_cache(struct running *running, int caches, const char *file, int how, int *folder)
{
    for (;;) {
        int result = take_cache(caches, file, how, folder, running->error);
        if (result != -EWOULDBLOCK)
            return result;
        if ((result = call_check(running->call)) < 0)
            return error_errno(running->error, result, "cache %s, which another build has", file);
        poll(&(struct pollfd){.fd = running->call->cancel, .events = POLLIN}, running->call->cancel >= 0,
             LOOK_AGAIN);
    }
}

static int open_bound(struct running *running, const struct build_mount *mount);

/* Once, by one of those who have it: a copy of what the recipe says it begins with. */
static int fill_cache(struct running *running, const struct build_mount *mount, int folder, int64_t mode)
{
    _cleanup_close_ int lock = openat(folder, "lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return error_errno(running->error, -errno, "cannot make a cache");
    if (faccessat(folder, "data", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (tree_remove(folder, "data.part", running->error) < 0 || mkdirat(folder, "data.part", 0700) < 0)
        return error_errno(running->error, -errno, "cannot make a cache");
    _cleanup_close_ int data = openat(folder, "data.part", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0 || fchown(data, (uid_t)mount->uid, (gid_t)mount->gid) < 0 || fchmod(data, (mode_t)mode) < 0)
        return error_errno(running->error, -errno, "cannot make a cache");
    int result = 0;
    if (mount->path) {
        struct build_copier *copier = arena_new_of(running->call->arena, struct build_copier);
        *copier = (struct build_copier){
            .call = running->call, .keeps_owner = true, .mode = -1, .error = running->error};
        _cleanup_close_ int from = open_bound(running, mount);
        _cleanup_close_ int source = from < 0 ? from : openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (source < 0)
            return from < 0 ? from : error_errno(running->error, -errno, "%s", mount->path);
        result = build_copier_contents(copier, source, data);
    }
    if (result == 0 && renameat(folder, "data.part", folder, "data") < 0)
        result = error_errno(running->error, -errno, "cannot make a cache");
    return result;
}

static int put_cache(struct running *running, const struct build_mount *mount)
{
    const char *sharing = mount->sharing ? mount->sharing : "shared";
    const char *file = build_cache_file(running->call->arena, mount->id ? mount->id : mount->target);
    int64_t mode;
    int folder = -1, result = mode_of(mount, 0755, &mode, running->error);
    _cleanup_close_ int caches = build_folder_open(running->paths, BUILD_FOLDER_CACHES, running->error);
    if (result < 0 || caches < 0)
        return result < 0 ? result : caches;
    if (strcmp(sharing, "private") == 0)
        result = take_private(running, caches, file, &folder);
    else
        result =
            await_cache(running, caches, file, strcmp(sharing, "locked") == 0 ? LOCK_EX : LOCK_SH, &folder);
    if (result < 0)
        return result;
    *arena_append(running->call->arena, running->locks, running->lock_count) = folder;
    if (faccessat(folder, "data", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
        (result = fill_cache(running, mount, folder, mode)) < 0)
        return result;
    _cleanup_close_ int tree =
        tree_clone(folder, "data", attributes_of(mount), running->user_namespace, running->error);
    return tree < 0 ? tree : put(running, tree, mount->target, false);
}

/* ---- contexts and other roots ---- */

static int open_in_context(const struct running *running, const struct build_mount *mount)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *path = mount->path && *mount->path ? mount->path : ".";
    path += *path == '/' && path[1] ? 1 : 0;
    _cleanup_close_ int folder = context_open(mount->folder, running->error);
    if (folder < 0)
        return folder;
    int found = (int)syscall(SYS_openat2, folder, strcmp(path, "/") == 0 ? "." : path, &how, sizeof(how));
    return found < 0 ? error_errno(running->error, -errno, "%s", path) : found;
}

static const char *folder_of(const struct running *running, const struct build_mount *mount)
{
    return arena_printf(running->call->arena, "of-%s", mount->key);
}

/* For the host's eyes, with ids as on disk. */
static int open_bound(struct running *running, const struct build_mount *mount)
{
    if (mount->folder)
        return open_in_context(running, mount);
    _cleanup_close_ int root =
        build_making_open(&running->making, mount->from, folder_of(running, mount), running->error);
    return root < 0 ? root
                    : build_place_find(mount->from, root, mount->path ? mount->path : "/", running->error);
}

/* A copy in the step's folder, which goes with it: without what .dockerignore leaves out of the context. */
static int open_written(struct running *running, const struct build_mount *mount)
{
    const char *name = arena_printf(running->call->arena, "bound-%s", mount->key);
    _cleanup_close_ int found = open_bound(running, mount);
    _cleanup_close_ int source = found < 0 ? found : openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0)
        return found < 0 ? found
                         : error_set(running->error, -ENOTDIR, "%s is no folder: only one can be written to",
                                     mount->path ? mount->path : "/");
    if (mkdirat(running->making.folder, name, 0755) < 0)
        return error_errno(running->error, -errno, "cannot make %s", name);
    _cleanup_close_ int copy =
        openat(running->making.folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct build_copier *copier = arena_new_of(running->call->arena, struct build_copier);
    *copier = (struct build_copier){.call = running->call,
                                    .keeps_owner = true,
                                    .mode = -1,
                                    .takes_attributes = true,
                                    .error = running->error};
    copier->base = mount->path;
    copier->included = &mount->included;
    for (size_t i = 0; i < mount->excluded.count; i++)
        map_add(&copier->excluded, mount->excluded.items[i], copier);
    int result = copy < 0 ? error_errno(running->error, -errno, "%s", name)
                          : build_copier_contents(copier, source, copy);
    map_clear(&copier->excluded);
    return result < 0 ? result : TAKE_FD(copy);
}

static int put_found(struct running *running, const struct build_mount *mount, int found, int user_namespace)
{
    struct stat status;
    const uint64_t attributes = attributes_of(mount);
    if (fstat(found, &status) < 0)
        return error_errno(running->error, -errno, "%s", mount->target);
    int mapped = tree_clone(found, "", attributes, user_namespace, running->error);
    /* A file system that has no id-mapped mounts: what others may read there, is read. */
    if (mapped == -EINVAL && !mount->writable)
        mapped = tree_clone(found, "", attributes, -1, running->error);
    _cleanup_close_ int tree = mapped;
    return tree < 0 ? tree : put(running, tree, mount->target, !S_ISDIR(status.st_mode));
}

/* What several folders show together is an overlay of them as the container's ids see them: mounted by itself, for there
 * are no id-mapped mounts of overlays, from a mapped copy of the store, each attached for that moment. */
static int show_mapped(struct running *running, const struct texts *links, const char *name)
{
    const char *shown = own_path(running, SHOWN);
    if (mkdirat(running->making.folder, SHOWN, 0700) < 0 && errno != EEXIST)
        return error_errno(running->error, -errno, "cannot make " SHOWN);
    int result = overlay_attach_store(running->paths, shown, running->user_namespace, running->error);
    if (result < 0)
        return result;
    const char *folder =
        arena_printf(running->call->arena, "%s/build/%s/%s", shown, running->making.inside, name);
    result = squash_attach(own_path(running, name), folder, links, running->user_namespace, running->error);
    _cleanup_close_ int tree =
        result < 0 ? result : lower_mount(folder, links, running->request->what, running->error);
    detach(shown);
    return tree < 0 ? tree : overlay_attach(tree, shown, running->error);
}

/* A squashfs by itself is mapped as what it is. */
static int show_squashed(struct running *running, const char *path)
{
    const char *shown = own_path(running, SHOWN);
    if (mkdirat(running->making.folder, SHOWN, 0700) < 0 && errno != EEXIST)
        return error_errno(running->error, -errno, "cannot make " SHOWN);
    _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(running->error, -errno, "%s", path);
    _cleanup_close_ int tree = squash_mount_beside(root, running->user_namespace, running->error);
    return tree < 0 ? tree : overlay_attach(tree, shown, running->error);
}

static int put_root(struct running *running, const struct build_mount *mount)
{
    const char *name = folder_of(running, mount), *shown = own_path(running, SHOWN);
    struct texts links = {0};
    int result = build_place_check(running->paths, mount->from, running->error);
    if (result == 0)
        result = build_place_link(running->paths, mount->from, running->making.folder, name, &links,
                                  running->call->arena, running->error);
    if (result < 0)
        return result;
    const char *path = own_path(running, arena_printf(running->call->arena, "%s/%s", name, links.items[0]));
    bool is_squashed = links.count == 1 && squash_is_among(own_path(running, name), &links);
    bool is_one = links.count == 1 && !is_squashed; /* else it is shown elsewhere */
    if (!is_one)
        result = is_squashed ? show_squashed(running, path) : show_mapped(running, &links, name);
    if (result < 0)
        return result;
    path = is_one ? path : shown;
    _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(running->error, -errno, "%s", path);
    _cleanup_close_ int found =
        build_place_find(mount->from, root, mount->path ? mount->path : "/", running->error);
    result = found < 0 ? found : put_found(running, mount, found, is_one ? running->user_namespace : -1);
    if (!is_one)
        detach(shown);
    return result;
}

static int put_bind(struct running *running, const struct build_mount *mount)
{
    if (!mount->writable && !mount->folder)
        return put_root(running, mount);
    _cleanup_close_ int found = mount->writable || mount->excluded.count ? open_written(running, mount)
                                                                         : open_in_context(running, mount);
    return found < 0 ? found : put_found(running, mount, found, running->user_namespace);
}

/* ---- all ---- */

static int put_mount(struct running *running, const struct build_mount *mount)
{
    static const struct {
        const char *type;
        int (*put)(struct running *running, const struct build_mount *mount);
    } types[] = {{"cache", put_cache}, {"secret", put_secret}, {"bind", put_bind}, {"tmpfs", put_tmpfs}};
    if (!mount->key || strspn(mount->key, "0123456789") != strlen(mount->key) ||
        (!mount->target && !mount->env))
        return error_set(running->error, -EINVAL, "a mount without a target");
    for (size_t i = 0; mount->type && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].type, mount->type) == 0) {
            int result = types[i].put(running, mount);
            return result < 0 ? error_wrap(running->error, result, "mount %s",
                                           mount->target ? mount->target : mount->env)
                              : 0;
        }
    return error_set(running->error, -EINVAL, "\"%s\" is no type of a mount", mount->type ? mount->type : "");
}

int build_mounts_make(struct running *running)
{
    const struct build_run *request = running->request;
    if (!request->files.count && !request->mounts.count)
        return 0;
    int result = attach_private(running);
    for (size_t i = 0; result == 0 && i < request->mounts.count; i++)
        result = put_mount(running, request->mounts.items[i]);
    if (result == 0)
        result = put_files(running);
    build_mounts_forget(running->paths, running->making.inside);
    return result;
}
