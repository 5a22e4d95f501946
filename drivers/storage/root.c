/* The merged root of a container: overlay over the image, volumes mounted on it, files written into it.
 *
 * An unprivileged overlay is mounted from an id-mapped copy of the whole store, attached for that moment at
 * mounts/NAME (the kernel before 6.15 takes overlay's folders from attached mounts only); the overlay keeps
 * private copies of what it needs of it. Whoever mounts an overlay lends it his credentials for good: it is made
 * with the file identity of the container's root, or every write through the mapped upper would be refused.
 *
 * The merged mount is a peer group of its own (shared): an unmount here then reaches the copy in a running
 * container, whose own copies of volumes mounted before its start are locked there, for guest and host alike. */
#include "drivers/storage/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/guest/lock_tree.h"
#include "drivers/storage/beside.h"
#include "drivers/storage/bind.h"
#include "drivers/storage/data.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/overlay.h"
#include "drivers/storage/root_place.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/view_mounts.h"
#include "drivers/storage/volume.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"

#define INIT_PATH   "/.fpsync/init"
#define RESOLV_CONF "/etc/resolv.conf"
#define NAMES_LIMIT ((size_t)64 * 1024)

struct building { /* one root on its way up */
    const struct paths *paths;
    const struct root_mount *request;
    const struct call *call;
    const char *place;  /* mounts/NAME */
    const char *point;  /* the mount point in it */
    int user_namespace; /* -1: privileged */
    int layer;          /* its folder in the store, locked */
    bool limited;       /* what it holds lies in a file: disk.h */
};

static int take_down(const struct paths *paths, const char *lxc_name, struct mount_entries *entries,
                     struct error *error);
static bool take_place(const struct building *building);
static int make_way(const struct building *building, struct error *error);
static int put_link(const struct building *building, struct error *error);
static void remove_link(const struct paths *paths, const char *layer);
static int mount_overlay(const struct building *building, struct error *error);
static int mount_copy(const struct building *building, struct error *error);
static int fill_root(const struct building *building, struct error *error);

int root_mount_whole(const struct paths *paths, const struct root_mount *request, const struct call *call,
                     struct error *error)
{
    int result = root_check_request(paths, request, error);
    if (result == 0)
        result = folder_make(paths->mounts, 0711, error);
    if (result == 0)
        result = folder_make(paths->uppers, 0700, error);
    if (result == 0)
        result = request->copy ? layer_make_folder(paths, request->layer, error)
                               : layer_make(paths, request->layer, error);
    if (result < 0)
        return result;
    _cleanup_close_ int lock = data_lock(paths->layers, request->layer, error);
    if (lock < 0)
        return lock;
    struct building building = {.paths = paths, .request = request, .call = call, .user_namespace = -1};
    building.place = arena_printf(call->arena, "%s/%s", paths->mounts, request->lxc_name);
    building.point = arena_printf(call->arena, "%s/" PATHS_ROOT, building.place);
    if (!take_place(&building) && (result = make_way(&building, error)) < 0)
        return result;
    if (request->fresh && (result = layer_empty(lock, request->copy, error)) == 0 && !request->copy)
        result = layer_make(paths, request->layer, error);
    if (result < 0)
        return result;
    _cleanup_user_namespace_ struct user_namespace ids = NO_USER_NAMESPACE;
    if (request->id_base && (result = user_namespace_make(&ids, request->id_base, error)) < 0)
        return result;
    building.user_namespace = ids.fd;
    building.layer = lock;
    building.limited = request->disk;
    if ((result = disk_settle(lock, request->disk, call, error)) < 0)
        return error_wrap(error, result, "layer %s", request->layer);
    result = root_place_make(building.place, request->id_base, error);
    if (result == 0)
        result = request->copy ? mount_copy(&building, error) : mount_overlay(&building, error);
    if (result == 0)
        result = fill_root(&building, error);
    if (result < 0)
        take_down(paths, request->lxc_name, NULL, NULL);
    else
        image_note_use(paths->store, request->digest);
    return result < 0 ? error_wrap(error, result, "root of %s", request->lxc_name) : 0;
}

int root_unmount_whole(const struct paths *paths, const struct root_reference *request,
                       const struct call *call, struct error *error)
{
    (void)call;
    int result = root_check_name(request->lxc_name, error);
    return result < 0 ? result : take_down(paths, request->lxc_name, NULL, error);
}

static bool is_at_or_below(const char *path, const char *base)
{
    size_t length = strlen(base);
    return strncmp(path, base, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

int unmount_inside(const char *base, const struct mount_entry *entry, struct error *error)
{
    struct statx status;
    char link[64];
    _cleanup_close_ int root = open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "%s", base);
    _cleanup_close_ int target = guest_open(root, entry->point + strlen(base), 0, error);
    if (target < 0)
        return target;
    if (statx(target, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &status) < 0)
        return error_errno(error, -errno, "%s", entry->point);
    if (status.stx_mnt_id != (uint64_t)entry->id)
        return error_set(error, -EBUSY, "%s is covered by another mount", entry->point);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", target);
    return umount2(link, MNT_DETACH) < 0 ? error_errno(error, -errno, "cannot unmount %s", entry->point) : 0;
}

/* The layer below a root, be it an overlay or a copy. */
static const char *layer_of(const struct paths *paths, struct arena *arena, const struct mount_entry *entry)
{
    struct mount_origin layers;
    const char *layer = mount_layer(paths, arena, entry);
    if (layer || strcmp(entry->type, "overlay") == 0 ||
        mount_origin_of(paths->layers, arena, &layers, NULL) < 0)
        return layer;
    return mount_copied_layer(&layers, arena, entry);
}

/* Last mounted first. The base itself not lazily: an upper that is still in use must be known as such, or it
 * would be mounted a second time. */
static int unmount_below(const struct paths *paths, struct arena *arena, const struct mount_entries *entries,
                         const char *base, struct error *error)
{
    int result = 0;
    for (size_t i = entries->count; result == 0 && i-- > 0;) {
        const char *at = entries->items[i].point;
        if (!is_at_or_below(at, base))
            continue;
        const char *layer = at[strlen(base)] ? NULL : layer_of(paths, arena, &entries->items[i]);
        if (at[strlen(base)] == '/')
            result = unmount_inside(base, &entries->items[i], error);
        else if (umount2(base, UMOUNT_NOFOLLOW) < 0)
            result = error_errno(error, -errno, "cannot unmount %s", base);
        else if (layer)
            remove_link(paths, layer);
    }
    return result;
}

static int take_down(const struct paths *paths, const char *lxc_name, struct mount_entries *entries,
                     struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct mount_entries own = {0};
    const char *point = root_point(paths, arena, lxc_name);
    if (!point)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", paths->mounts);
    int result = entries ? 0 : mounts_read("/proc/self/mountinfo", arena, &own, error);
    entries = entries ? entries : &own;
    if (result == 0)
        result = unmount_below(paths, arena, entries, point, error);
    return result < 0 ? result
                      : root_place_remove(arena_printf(arena, "%s/%s", paths->mounts, lxc_name), error);
}

/* ---- one mount for each upper ---- */

static char *link_of(const struct building *building)
{
    return arena_printf(building->call->arena, "%s/%s", building->paths->uppers, building->request->layer);
}

/* Without it nothing may be mounted: the next one would take the layer for free. */
static int put_link(const struct building *building, struct error *error)
{
    const char *link = link_of(building);
    if ((unlink(link) < 0 && errno != ENOENT) || symlink(building->request->lxc_name, link) < 0)
        return error_errno(error, -errno, "cannot make %s", link);
    return 0;
}

static void remove_link(const struct paths *paths, const char *layer)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", paths->uppers, layer);
    unlink(path);
}

/* Whether the layer was mounted when this worker first asked. A worker lives for one run. */
static bool was_mounted(const struct building *building)
{
    static struct map layers;
    static bool known;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct mount_entries entries = {0};
    if (!known && mounts_read("/proc/self/mountinfo", arena, &entries, NULL) < 0)
        return true;
    for (size_t i = 0; i < entries.count; i++) {
        const char *layer = mount_layer(building->paths, arena, &entries.items[i]);
        if (layer)
            map_add(&layers, layer, (void *)&known);
    }
    known = true;
    return map_get(&layers, building->request->layer);
}

/* The quick way to be sure that nothing is in the way, for the mount table costs 13 us a mount of the whole host. A link
 * stands for every upper that fpsync mounted, from before it did: whoever can make it and the mount point is alone,
 * unless someone else mounted the layer; and for that the table is read once a run. */
static bool take_place(const struct building *building)
{
    return symlink(building->request->lxc_name, link_of(building)) == 0 &&
           mkdir(building->place, 0700) == 0 && !was_mounted(building);
}

/* What stands in its place is always taken down: a mount table cannot tell whether it is exactly this one. The
 * layer may be mounted nowhere else: the kernel would mount it twice without a word, and destroy what is in it. */
static int make_way(const struct building *building, struct error *error)
{
    struct arena *arena = building->call->arena;
    struct mount_entries entries = {0};
    const char *point = root_point(building->paths, arena, building->request->lxc_name);
    int result = mounts_read("/proc/self/mountinfo", arena, &entries, error);
    for (size_t i = 0; result == 0 && i < entries.count; i++) {
        const char *layer = mount_layer(building->paths, arena, &entries.items[i]);
        if (layer && strcmp(layer, building->request->layer) == 0 &&
            (!point || strcmp(entries.items[i].point, point) != 0))
            result = error_set(error, -EBUSY, "layer %s is mounted at %s", layer, entries.items[i].point);
    }
    if (result == 0)
        result = take_down(building->paths, building->request->lxc_name, &entries, error);
    return result < 0 ? result : put_link(building, error);
}

/* The folder of the layer's that its file is mounted in, in a copy of the store that is attached at the place. */
static char *disk_of(const struct building *building)
{
    return arena_printf(building->call->arena, "%s/layers/%s/" DISK_FOLDER, building->place,
                        building->request->layer);
}

/* The store as the container's ids see it, attached where the overlay can take it from: where that will be. */
static int attach_store(const struct building *building, int user_namespace, struct error *error)
{
    int result = overlay_attach_store(building->paths, building->place, user_namespace, error);
    if (result == 0)
        result = lower_attach_image(building->paths->store, building->place, building->request->digest,
                                    user_namespace, building->call->arena, error);
    if (result < 0 || !building->limited)
        return result;
    _cleanup_close_ int disk = disk_tree(building->layer, 0, user_namespace, error);
    return disk < 0 ? disk : overlay_attach(disk, disk_of(building), error);
}

static int settle_stack(const struct building *building, struct stack *stack, struct error *error)
{
    _cleanup_close_ int disk = building->limited ? disk_open(building->layer, error) : -1;
    if (building->limited && disk < 0)
        return disk;
    return stack_settle(building->layer, building->limited ? disk : building->layer, building->call->arena,
                        stack, error);
}

/* A detached overlay over the image and layer that lie below `store`. */
static int make_overlay(const struct building *building, const char *store, struct error *error)
{
    const struct root_mount *request = building->request;
    const struct lower_place place = {.store = store, .layer = request->layer, .limited = building->limited};
    struct arena *arena = building->call->arena;
    struct stack stack;
    int result = settle_stack(building, &stack, error);
    if (result < 0)
        return result;
    if (stack.image && !text_is_same(stack.image, request->digest))
        return error_set(error, -ESTALE,
                         "layer %s stands on image %.12s since a restore that did not come to its end; asked "
                         "for once more, fpsync restore brings it there",
                         request->layer, stack.image);
    const char *live = building->limited ? DISK_FOLDER "/" : "";
    const char *folder = arena_printf(arena, "%s/layers/%s", store, request->layer);
    _cleanup_close_ int context = overlay_begin(arena_printf(arena, "%s/%supper", folder, live),
                                                arena_printf(arena, "%s/%swork", folder, live), false, error);
    if (context < 0)
        return context;
    result = lower_set(context, &place, request->digest, &stack.frozen, arena, error);
    return result < 0 ? result
                      : overlay_end(context, folder, request->id_base,
                                    arena_printf(arena, "layer %s", request->layer), error);
}

static int mount_overlay(const struct building *building, struct error *error)
{
    bool attached =
        building->user_namespace >= 0 || building->limited ||
        lower_needs_mount(building->paths->store, building->request->digest, building->call->arena);
    int result = attached ? attach_store(building, building->user_namespace, error) : 0;
    if (result < 0)
        return result; /* whoever asked takes down what is attached */
    _cleanup_close_ int overlay =
        make_overlay(building, attached ? building->place : building->paths->store, error);
    result = overlay < 0 ? overlay : 0;
    int detached = attached ? overlay_detach_store(building->place, result < 0 ? NULL : error) : 0;
    result = result < 0 ? result : detached;
    return result < 0 ? result : overlay_attach_root(overlay, building->point, error);
}

/* A folder in a detached mount cannot be copied out of it before Linux 6.15: the file is attached for that moment. */
static int clone_limited_copy(const struct building *building, struct error *error)
{
    const struct root_mount *request = building->request;
    const struct lower_place place = {.store = building->place, .layer = request->layer, .limited = true};
    int result = attach_store(building, -1, error);
    if (result < 0)
        return result;
    const char *disk = disk_of(building);
    _cleanup_close_ int data = open(disk, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return error_errno(error, -errno, "%s", disk);
    result = copy_make(&place, building->layer, data, request, building->call, error);
    if (result == 0 && mkdirat(building->layer, "root", 0755) < 0 && errno != EEXIST)
        result = error_errno(error, -errno, "cannot make root of layer %s", request->layer);
    return result < 0 ? result : tree_clone(data, "root", MOUNT_ATTR_NODEV, building->user_namespace, error);
}

static int clone_copy(const struct building *building, struct error *error)
{
    const struct root_mount *request = building->request;
    const struct lower_place place = {.store = building->paths->store, .layer = request->layer};
    int result = copy_make(&place, building->layer, building->layer, request, building->call, error);
    return result < 0
               ? result
               : tree_clone(building->layer, "root", MOUNT_ATTR_NODEV, building->user_namespace, error);
}

/* The copy as the container's ids see it, in the place where else the overlay would be. */
static int mount_copy(const struct building *building, struct error *error)
{
    _cleanup_close_ int tree =
        building->limited ? clone_limited_copy(building, error) : clone_copy(building, error);
    if (tree < 0)
        return tree; /* whoever asked takes down what is attached */
    int result = building->limited ? overlay_detach_store(building->place, error) : 0;
    return result < 0 ? result : overlay_attach_root(tree, building->point, error);
}

int volume_move(int tree, int target, const char *path, struct error *error)
{
    if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return error_errno(error, -errno, "cannot mount at %s in the container", path);
    return 0;
}

static int mount_volume_into(const struct building *building, int root, const struct root_volume *volume,
                             struct error *error)
{
    const struct volume_source source = {.file = volume->file, .type = volume->type, .size = volume->size};
    const struct volume_filling filling = {.digest = volume->fill ? building->request->digest : NULL,
                                           .path = volume->path,
                                           .others = &volume->fills};
    _cleanup_close_ int held = -1; /* until it is mounted */
    _cleanup_close_ int tree =
        volume_use(building->paths, &source, &filling, volume->fresh, volume->read_only,
                   building->user_namespace, building->call, &held, error);
    int result = tree < 0 ? tree : 0;
    /* The namespace of a container with ids of its own locks them at its start. */
    if (result == 0 && volume->read_only && building->user_namespace < 0)
        result = tree_lock_flags(tree, -1, error);
    if (result < 0)
        return result;
    _cleanup_identity_ struct identity identity = {0};
    result = identity_take(&identity, building->request->id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open_place(root, volume->path, error);
    return target < 0 ? target : volume_move(tree, target, volume->path, error);
}

int root_mount_init(int root, int64_t id_base, struct error *error)
{
    char path[PATH_MAX];
    int result = program_beside("fpsync-init", path, sizeof(path), error);
    if (result < 0)
        return result;
    _cleanup_close_ int tree =
        tree_clone(AT_FDCWD, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1, error);
    if (tree < 0)
        return tree;
    _cleanup_identity_ struct identity identity = {0};
    result = identity_take(&identity, id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open_file(root, INIT_PATH, error);
    return target < 0 ? target : volume_move(tree, target, INIT_PATH, error);
}

/* Not what is mounted in it. Whoever comes into the container's namespace finds it locked as it is. */
static int mount_sys(const struct building *building, int root, struct error *error)
{
    const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    _cleanup_close_ int tree = tree_clone(AT_FDCWD, "/sys", attributes, -1, error);
    if (tree < 0)
        return tree;
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, building->request->id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open_folder(root, "/sys", error);
    return target < 0 ? target : volume_move(tree, target, "/sys", error);
}

/* A host that has none has no names to lend. */
static int write_names(const struct building *building, int root, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (buffer_read_file(&text, AT_FDCWD, RESOLV_CONF, NAMES_LIMIT, NULL) < 0 || !text.length)
        return 0;
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, building->request->id_base, error);
    return result < 0 ? result : guest_write_file(root, RESOLV_CONF, text.bytes, 0644, error);
}

static int write_files(int root, const struct list *files, int64_t id_base, struct error *error)
{
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, id_base, error);
    for (size_t i = 0; result == 0 && i < files->count; i++) {
        const struct root_file *file = files->items[i];
        result = guest_write_file(root, file->path, file->content ? file->content : "", file->mode, error);
    }
    return result;
}

static int compare_volumes(const void *left, const void *right)
{
    return strcmp((*(struct root_volume *const *)left)->path, (*(struct root_volume *const *)right)->path);
}

static int fill_root(const struct building *building, struct error *error)
{
    _cleanup_close_ int root = open(building->point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "%s", building->point);
    size_t count = building->request->volumes.count;
    struct root_volume **volumes = arena_array_of(building->call->arena, struct root_volume *, count + 1);
    for (size_t i = 0; i < count; i++)
        volumes[i] = building->request->volumes.items[i];
    qsort(volumes, count, sizeof(*volumes),
          compare_volumes); /* "/srv" before "/srv/data", which lies on it */
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = mount_volume_into(building, root, volumes[i], error);
    for (size_t i = 0; result == 0 && i < building->request->binds.count; i++)
        result = bind_mount_into(root, building->request->binds.items[i], building->user_namespace,
                                 building->request->id_base, error);
    if (result == 0 && building->request->lends_sys)
        result = mount_sys(building, root, error);
    if (result == 0 && building->request->with_init)
        result = root_mount_init(root, building->request->id_base, error);
    if (result == 0 && building->request->lends_names)
        result = write_names(building, root, error);
    return result < 0 ? result
                      : write_files(root, &building->request->files, building->request->id_base, error);
}

int root_write_files(const struct paths *paths, const struct root_write *request, const struct call *call,
                     struct error *error)
{
    struct statx status;
    int result = root_check_name(request->lxc_name, error);
    if (result < 0)
        return result;
    const char *point = root_point(paths, call->arena, request->lxc_name);
    if (!point)
        return error_errno(error, -errno, "%s", paths->mounts);
    _cleanup_close_ int root = open(point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0 || statx(root, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0)
        return error_errno(error, -errno, "root of %s", request->lxc_name);
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return error_set(error, -ENOENT, "root of %s: nothing is mounted at %s", request->lxc_name, point);
    result = write_files(root, &request->files, request->id_base, error);
    return result < 0 ? error_wrap(error, result, "root of %s", request->lxc_name) : 0;
}
