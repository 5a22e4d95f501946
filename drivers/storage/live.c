/* Volumes into and out of a running container, from outside and below its own feet.
 *
 * Two kinds of mounts are met on the way out. Those attached live are unmounted in the guest's namespace. Those
 * that were there at start are locked in it (it belongs to the guest's user namespace, see mount_namespaces(7)):
 * they go by unmounting them below the merged root on the host, from where it propagates. */
#include "drivers/storage/live.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/guest/guest.h"
#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/storage/data.h"
#include "drivers/storage/root.h"
#include "drivers/storage/root_place.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/view_mounts.h"
#include "drivers/storage/volume.h"
#include "lib/buffer.h"
#include "lib/error.h"

static int check_request(const struct volume_attach *request, struct error *error)
{
    int result = root_check_name(request->lxc_name, error);
    if (result == 0 && !guest_path_is_clean(request->path))
        return error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", request->path);
    return result;
}

static int enter(const struct volume_attach *request, struct guest *guest, struct error *error)
{
    return guest_enter(request->lxc_name, request->init_pid, request->init_start, guest, error);
}

/* The volume of ours that is mounted at the path, topmost; NULL: none. */
static int find_volume(const struct paths *paths, const struct guest *guest, const char *path,
                       const struct call *call, const struct mount_entry **found, const char **volume,
                       struct error *error)
{
    char table[64];
    struct mount_origin origin;
    struct mount_entries entries = {0};
    snprintf(table, sizeof(table), "/proc/self/fd/%d/mountinfo", guest->proc);
    *found = NULL;
    *volume = NULL;
    int result = mount_origin_of(paths->volumes, call->arena, &origin, error);
    if (result == 0)
        result = mounts_read(table, call->arena, &entries, error);
    for (size_t i = 0; result == 0 && i < entries.count; i++) {
        const char *name = mount_volume(&origin, call->arena, &entries.items[i]);
        if (!name || strcmp(entries.items[i].point, path) != 0)
            continue;
        *found = &entries.items[i];
        *volume = name;
    }
    return result;
}

/* Opens what is mounted at the path and proves that it is that very mount: the guest may swap paths meanwhile. */
static int open_mounted(const struct guest *guest, const struct volume_attach *request,
                        const struct mount_entry *entry, struct error *error)
{
    struct statx status;
    _cleanup_close_ int target = guest_open(guest->root, request->path, O_DIRECTORY, error);
    if (target < 0)
        return target;
    if (statx(target, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &status) < 0)
        return error_errno(error, -errno, "%s in %s", request->path, request->lxc_name);
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT) || status.stx_mnt_id != (uint64_t)entry->id)
        return error_set(error, -EBUSY, "%s in %s is covered by another mount", request->path,
                         request->lxc_name);
    return TAKE_FD(target);
}

/* The same volume below the merged root on the host. */
static int unmount_on_host(const struct paths *paths, const struct volume_attach *request,
                           const struct call *call, struct error *error)
{
    struct mount_entries entries = {0};
    const char *base = root_point(paths, call->arena, request->lxc_name);
    if (!base)
        return error_errno(error, -errno, "%s", paths->mounts);
    int result = mounts_read("/proc/self/mountinfo", call->arena, &entries, error);
    const char *point = arena_printf(call->arena, "%s%s", base, request->path);
    for (size_t i = entries.count; result == 0 && i-- > 0;)
        if (strcmp(entries.items[i].point, point) == 0)
            return unmount_inside(base, &entries.items[i], error);
    return error_set(error, -EBUSY, "%s is locked in %s until its next start", request->path,
                     request->lxc_name);
}

static int take_out(const struct paths *paths, const struct guest *guest, const struct volume_attach *request,
                    const struct mount_entry *entry, const struct call *call, struct error *error)
{
    const char *volume;
    _cleanup_close_ int target = open_mounted(guest, request, entry, error);
    if (target < 0)
        return target;
    int result = guest_unmount(guest, target, NULL);
    if (result == -EINVAL) /* locked */
        result = unmount_on_host(paths, request, call, error);
    else if (result < 0)
        return error_errno(error, result, "cannot unmount %s in %s", request->path, request->lxc_name);
    if (result == 0)
        result = find_volume(paths, guest, request->path, call, &entry, &volume, error);
    if (result == 0 && entry)
        return error_set(error, -EBUSY, "%s in %s is still mounted", request->path, request->lxc_name);
    return result;
}

/* Its mount into the guest, with flags that stay as they are there. */
static int put_tree(const struct guest *guest, const struct volume_attach *request, int tree,
                    struct error *error)
{
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, guest->id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open_folder(guest->root, request->path, error);
    identity_drop(&identity);
    if (target < 0)
        return target;
    result = guest_move(guest, tree, request->read_only, target);
    return result < 0
               ? error_errno(error, result, "cannot mount at %s in %s", request->path, request->lxc_name)
               : 0;
}

int live_attach(const struct paths *paths, const struct volume_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    const struct mount_entry *entry;
    const char *volume;
    int result = check_request(request, error);
    if (result == 0 && !request->file)
        result = error_set(error, -EINVAL, "%s: no volume is named", request->path);
    if (result == 0)
        result = data_check_name(request->file, error);
    if (result == 0)
        result = enter(request, &guest, error);
    if (result == 0)
        result = find_volume(paths, &guest, request->path, call, &entry, &volume, error);
    if (result < 0)
        return result;
    if (volume && strcmp(volume, request->file) != 0)
        return error_set(error, -EBUSY, "%s in %s holds volume %s", request->path, request->lxc_name, volume);
    if (volume && entry->read_only == request->read_only)
        return 0;
    const struct volume_source source = {.file = request->file, .type = request->type, .size = request->size};
    const struct volume_filling filling = {.digest = request->fill ? request->digest : NULL,
                                           .path = request->path};
    _cleanup_close_ int held = -1; /* until it is mounted */
    _cleanup_close_ int tree = volume_use(paths, &source, &filling, false, request->read_only,
                                          guest.user_namespace, call, &held, error);
    if (tree < 0)
        return tree;
    /* What was mounted read-only is locked so: another takes its place. */
    if (volume && (result = take_out(paths, &guest, request, entry, call, error)) < 0)
        return result;
    return put_tree(&guest, request, tree, error);
}

int live_detach(const struct paths *paths, const struct volume_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    const struct mount_entry *entry;
    const char *volume;
    int result = check_request(request, error);
    if (result == 0)
        result = enter(request, &guest, error);
    if (result == 0)
        result = find_volume(paths, &guest, request->path, call, &entry, &volume, error);
    return result < 0 || !entry ? result : take_out(paths, &guest, request, entry, call, error);
}
