/* Volumes into and out of a running container, from outside and below its own feet.
 *
 * Two kinds of mounts are met on the way out: those attached live are unmounted in the guest's namespace, those that
 * were there at start are locked in it (drivers/storage/locked.h). */
#include "drivers/storage/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/guest/guest.h"
#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/guest/view_place.h"
#include "drivers/storage/data.h"
#include "drivers/storage/locked.h"
#include "drivers/storage/root.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/view_mounted.h"
#include "drivers/storage/volume.h"
#include "lib/error.h"

#define ROUNDS 64

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

struct occupied {       /* in a container */
    struct look look;   /* with a handle, where there is a volume */
    const char *volume; /* of ours, by its file name; NULL: none is on top there */
};
#define NOT_OCCUPIED ((struct occupied){.look = NO_LOOK})

static void leave_occupied(struct occupied *place)
{
    look_leave(&place->look);
}
#define _cleanup_occupied_ _cleanup_(leave_occupied)

static bool holds(int store, const char *file, const char *inside, const struct mounted *mounted)
{
    struct stat status;
    char path[NAME_MAX + 16];
    snprintf(path, sizeof(path), "%s/%s", file, inside);
    return fstatat(store, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_dev == mounted->device &&
           status.st_ino == mounted->inode;
}

/* By what lies in the store, for a mount table is the guest's to fill. */
static const char *volume_of(const struct paths *paths, const struct mounted *mounted, struct arena *arena)
{
    const char *found = NULL;
    DIR *store = opendir(paths->volumes);
    for (struct dirent *item; store && !found && (item = readdir(store));)
        if (item->d_name[0] != '.' && (holds(dirfd(store), item->d_name, "data", mounted) ||
                                       holds(dirfd(store), item->d_name, "image", mounted)))
            found = arena_strdup(arena, item->d_name);
    if (store)
        closedir(store);
    return found;
}

static int find_place(const struct paths *paths, const struct guest *guest,
                      const struct volume_attach *request, const struct call *call, struct occupied *place,
                      struct error *error)
{
    struct mounted mounted;
    leave_occupied(place);
    *place = NOT_OCCUPIED;
    int result = guest_check_answers(guest, request->init_pid, request->path, error);
    if (result < 0)
        return result;
    result = mounted_look(request->init_pid, guest->root, request->path, &place->look, &mounted);
    if (result == 0 && place->look.fd < 0)
        place->look.fd = place_open_inside(guest->root, request->path);
    if (result == 0 && place->look.fd >= 0)
        place->volume = volume_of(paths, &mounted, call->arena);
    return 0;
}

static int take_one(const struct paths *paths, const struct guest *guest, const struct volume_attach *request,
                    const struct occupied *place, struct error *error)
{
    int result = guest_unmount(guest, place->look.fd, NULL);
    if (result == -EINVAL) /* locked */
        return locked_unmount(paths, request->lxc_name, request->path, place->look.fd, error);
    return result < 0
               ? error_errno(error, result, "cannot unmount %s in %s", request->path, request->lxc_name)
               : 0;
}

/* A guest may have put it there several times, one on the other. */
static int take_out(const struct paths *paths, const struct guest *guest, const struct volume_attach *request,
                    const struct call *call, struct occupied *place, struct error *error)
{
    int result = 0;
    for (int round = 0; result == 0 && place->volume; round++) {
        result = round < ROUNDS ? take_one(paths, guest, request, place, error)
                                : error_set(error, -EBUSY, "%s in %s is still mounted", request->path,
                                            request->lxc_name);
        if (result == 0)
            result = find_place(paths, guest, request, call, place, error);
    }
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
    _cleanup_close_ int target = guest_open_place(guest->root, request->path, error);
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
    _cleanup_occupied_ struct occupied place = NOT_OCCUPIED;
    int result = check_request(request, error);
    if (result == 0 && !request->file)
        result = error_set(error, -EINVAL, "%s: no volume is named", request->path);
    if (result == 0)
        result = data_check_name(request->file, error);
    if (result == 0)
        result = enter(request, &guest, error);
    if (result == 0)
        result = find_place(paths, &guest, request, call, &place, error);
    if (result < 0)
        return result;
    if (place.volume && strcmp(place.volume, request->file) != 0)
        return error_set(error, -EBUSY, "%s in %s holds volume %s", request->path, request->lxc_name,
                         place.volume);
    if (place.volume && look_is_writable(&place.look) != request->read_only)
        return 0;
    const struct volume_source source = {.file = request->file, .type = request->type, .size = request->size};
    const struct volume_filling filling = {
        .digest = request->fill ? request->digest : NULL, .path = request->path, .others = &request->fills};
    _cleanup_close_ int held = -1; /* until it is mounted */
    _cleanup_close_ int tree = volume_use(paths, &source, &filling, false, request->read_only,
                                          guest.user_namespace, call, &held, error);
    if (tree < 0)
        return tree;
    /* What was mounted read-only is locked so: another takes its place. */
    result = take_out(paths, &guest, request, call, &place, error);
    return result < 0 ? result : put_tree(&guest, request, tree, error);
}

int live_detach(const struct paths *paths, const struct volume_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    _cleanup_occupied_ struct occupied place = NOT_OCCUPIED;
    int result = check_request(request, error);
    if (result == 0)
        result = enter(request, &guest, error);
    if (result == 0)
        result = find_place(paths, &guest, request, call, &place, error);
    return result < 0 ? result : take_out(paths, &guest, request, call, &place, error);
}
