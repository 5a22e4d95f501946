/* Folders and files of the host in a container.
 *
 * The source is opened without following a symbolic link anywhere on the way: whoever may write to a folder that root
 * permits could else lead out of it. Its ids are mapped as a volume's are, so that what is root's on the host is
 * root's inside; where the file system cannot do that, inside it belongs to nobody. */
#include "drivers/storage/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "drivers/guest/guest.h"
#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/guest/lock_tree.h"
#include "drivers/guest/view_place.h"
#include "drivers/storage/locked.h"
#include "drivers/storage/root.h"
#include "lib/error.h"

struct source {
    int fd;
    bool is_folder;
};
#define NO_SOURCE ((struct source){.fd = -1})

static void close_source(const struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
}
#define _cleanup_source_ _cleanup_(close_source)

static int open_source(const char *path, struct source *source, struct error *error)
{
    struct stat status;
    if (!guest_path_is_clean(path))
        return error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", path);
    int fd = source->fd = place_open(path);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, fd < 0 ? fd : -errno, "%s on the host", path);
    source->is_folder = S_ISDIR(status.st_mode);
    return 0;
}

#define RESTRICTED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static int make_tree(const struct source *source, const struct root_bind *bind, uint64_t attributes,
                     int user_namespace, struct error *error)
{
    attributes |= bind->read_only ? (uint64_t)MOUNT_ATTR_RDONLY : 0;
    int tree = user_namespace < 0 ? -EINVAL : tree_clone(source->fd, "", attributes, user_namespace, NULL);
    return tree == -EINVAL ? tree_clone(source->fd, "", attributes, -1, error) : tree;
}

/* The place in the container, made when it is missing by whoever is root there. */
static int open_place(int root, const struct source *source, const char *path, int64_t id_base,
                      struct error *error)
{
    _cleanup_identity_ struct identity identity = {0};
    int result = identity_take(&identity, id_base, error);
    if (result < 0)
        return result;
    return source->is_folder ? guest_open_place(root, path, error) : guest_open_file(root, path, error);
}

int bind_check(const struct root_bind *bind, struct error *error)
{
    _cleanup_source_ struct source source = NO_SOURCE;
    return open_source(bind->source, &source, error);
}

int bind_mount_into(int root, const struct root_bind *bind, int user_namespace, int64_t id_base,
                    struct error *error)
{
    _cleanup_source_ struct source source = NO_SOURCE;
    int result = open_source(bind->source, &source, error);
    if (result < 0)
        return result;
    _cleanup_close_ int tree = make_tree(&source, bind, RESTRICTED, user_namespace, error);
    if (tree < 0)
        return tree;
    /* For all others the way into the container's namespace locks it. */
    if (bind->read_only && user_namespace < 0 && (result = tree_lock_flags(tree, -1, error)) < 0)
        return result;
    _cleanup_close_ int place = open_place(root, &source, bind->path, id_base, error);
    return place < 0 ? place : volume_move(tree, place, bind->path, error);
}

/* ---- while it runs ---- */

static int enter(const struct bind_attach *request, struct guest *guest, struct error *error)
{
    int result = root_check_name(request->lxc_name, error);
    if (result == 0 && !guest_path_is_clean(request->path))
        result = error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", request->path);
    if (result == 0)
        result = guest_enter(request->lxc_name, request->init_pid, request->init_start, guest, error);
    return result < 0 ? result : guest_check_answers(guest, request->init_pid, request->path, error);
}

int bind_attach(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                struct error *error)
{
    (void)paths;
    (void)call;
    _cleanup_guest_ struct guest guest = NO_GUEST;
    _cleanup_source_ struct source source = NO_SOURCE;
    const struct root_bind bind = {.path = request->path,
                                   .source = request->source ? request->source : "",
                                   .read_only = request->read_only};
    int result = enter(request, &guest, error);
    if (result == 0)
        result = open_source(bind.source, &source, error);
    if (result < 0)
        return result;
    if (place_is_at(guest.root, bind.path, source.fd, bind.read_only))
        return 0;
    _cleanup_close_ int tree = make_tree(&source, &bind, request->plain ? 0 : RESTRICTED,
                                         request->plain ? -1 : guest.user_namespace, error);
    if (tree < 0)
        return tree;
    _cleanup_close_ int place = open_place(guest.root, &source, bind.path, guest.id_base, error);
    if (place < 0)
        return place;
    result = guest_move(&guest, tree, bind.read_only, place);
    return result < 0 ? error_errno(error, result, "cannot mount at %s in %s", bind.path, request->lxc_name)
                      : 0;
}

/* `target`: what is mounted there. A file can only be named from its folder. */
static int unmount_in_guest(const struct guest *guest, const struct bind_attach *request, int target,
                            const struct call *call, struct error *error)
{
    struct stat status;
    if (fstat(target, &status) < 0)
        return error_errno(error, -errno, "%s in %s", request->path, request->lxc_name);
    if (S_ISDIR(status.st_mode))
        return guest_unmount(guest, target, NULL);
    const char *name = strrchr(request->path, '/') + 1;
    const char *above =
        arena_printf(call->arena, "%.*s", (int)(name - request->path), request->path); /* with its slash */
    _cleanup_close_ int folder = guest_open(guest->root, above, O_DIRECTORY, error);
    return folder < 0 ? folder : guest_unmount(guest, folder, name);
}

int bind_detach(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    int result = enter(request, &guest, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open(guest.root, request->path, 0, NULL);
    if (target < 0 || !place_is_mount(target))
        return 0;
    result = unmount_in_guest(&guest, request, target, call, error);
    if (result == -EINVAL) /* locked */
        return locked_unmount(paths, request->lxc_name, request->path, target, error);
    return result < 0
               ? error_errno(error, result, "cannot unmount %s in %s", request->path, request->lxc_name)
               : 0;
}
