/* Changes of what is whole, copy roots and volumes: a snapshot is a copy, and what comes is made first and then trades
 * places with what was there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/storage/change.h"
#include "drivers/storage/image_file.h"
#include "drivers/storage/promise.h"
#include "drivers/storage/still.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/volume.h"
#include "lib/error.h"

#define SUBVOLUME_INODE 256 /* of the root of every one */

/* ---- folders ---- */

/* A subvolume is kept as one: its copy shares all and takes no time. 1: done, 0: it is none. */
static int copy_subvolume(int folder, const char *from, const char *to, struct error *error)
{
    struct stat status;
    struct statfs system;
    struct btrfs_ioctl_vol_args_v2 arguments = {0};
    const char *slash = strrchr(to, '/'), *name = slash ? slash + 1 : to;
    _cleanup_close_ int source = openat(folder, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0 || fstatfs(source, &system) < 0)
        return error_errno(error, -errno, "cannot copy %s", from);
    if (system.f_type != BTRFS_SUPER_MAGIC || status.st_ino != SUBVOLUME_INODE)
        return 0;
    _cleanup_close_ int parent = openat(folder, slash ? "frozen" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = parent < 0 ? -1 : tree_remove(parent, name, error);
    if (result < 0)
        return parent < 0 ? error_errno(error, -errno, "cannot copy %s", from) : result;
    arguments.fd = source;
    snprintf(arguments.name, sizeof(arguments.name), "%s", name);
    return ioctl(parent, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0
               ? error_errno(error, -errno, "cannot copy subvolume %s", from)
               : 1;
}

static const char *beside(const struct changing *changing, const char *ending)
{
    return arena_printf(changing->call->arena, "%s.%s", changing->live, ending);
}

static int copy_whole(const struct changing *changing, const char *from, const char *part, const char *to,
                      struct error *error)
{
    int result = copy_subvolume(changing->data, from, to, error);
    if (result != 0)
        return result < 0 ? result : 0;
    result = tree_remove(changing->data, part, error);
    if (result < 0)
        return result;
    if (mkdirat(changing->data, part, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", part);
    _cleanup_close_ int source =
        openat(changing->data, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int target =
        openat(changing->data, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct tree_copied copied;
    if (source < 0 || target < 0)
        return error_errno(error, -errno, "cannot copy %s", from);
    /* What a guest made it may have again. */
    result = tree_copy_what(source, target, TREE_DEVICES, "copying:", changing->call, &copied, error);
    if (result < 0)
        return result;
    if (syncfs(target) < 0 || renameat(changing->data, part, changing->data, to) < 0)
        return error_errno(error, -errno, "cannot copy %s", from);
    return 0;
}

int whole_settle(int notes, int folder, const char *live, struct error *error)
{
    char new[32], part[32];
    snprintf(new, sizeof(new), "%s.new", live);
    snprintf(part, sizeof(part), "%s.part", live);
    int result = promise_settle(notes, folder, live, error);
    if (result == 0)
        result = tree_remove(folder, part, error);
    return result < 0 ? result : tree_remove(folder, new, error);
}

static int snapshot_whole(struct changing *changing, struct error *error)
{
    struct stack what = {.whole = true};
    const char *number = change_number(changing), *path = change_path(changing, number);
    if (mkdirat(changing->data, "frozen", 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make frozen");
    int result = copy_whole(changing, changing->live, beside(changing, "part"), path, error);
    change_push(changing, &what, number);
    return result < 0 ? result : change_note(changing, &what, error);
}

/* Its guests stand still, so that what was written belongs together. */
static int snapshot_still(struct changing *changing, struct error *error)
{
    _cleanup_still_ struct still still = NOT_STILL;
    int result = still_hold(&still, &changing->request->guests, changing->call->arena, error);
    return result < 0 ? result : snapshot_whole(changing, error);
}

/* What comes is made first, then trades places, in two renames, with what was there, which a promise names by then. */
static int replace_whole(struct changing *changing, struct error *error)
{
    struct stack from, what = {.whole = true};
    int result = change_read_from(changing, &from, error);
    const char *new = beside(changing, "new");
    if (result == 0 && from.frozen.count)
        result = copy_whole(changing, change_path(changing, from.frozen.items[0]), beside(changing, "part"),
                            new, error);
    if (result == 0 && !folder_is_empty(changing->data, changing->live)) {
        const char *number = change_number(changing), *path = change_path(changing, number);
        change_push(changing, &what, number);
        result = promise_make(changing, &what, error);
        if (result == 0)
            result = change_make_like(changing, path, error);
        if (result == 0)
            result = change_trade(changing, path, error);
    }
    if (result == 0)
        result = promise_place(changing->data, changing->live, error);
    return result < 0 || !what.frozen.count ? result : promise_keep(changing, error);
}

int change_whole(struct changing *changing, struct error *error)
{
    const struct data_change *request = changing->request;
    int result = whole_settle(changing->folder, changing->data, changing->live, error);
    if (result == 0 && (request->fresh || request->from))
        result = replace_whole(changing, error);
    else if (result == 0 && request->name)
        result = snapshot_still(changing, error);
    changing->stack.token = request->token;
    return result < 0 ? result : change_write(changing, "stack", &changing->stack, error);
}

/* ---- files ---- */

static const char *new_frozen(const struct changing *changing, struct stack *what)
{
    const char *number = change_number(changing);
    change_push(changing, what, number);
    return change_path(changing, number);
}

static int make_frozen(const struct changing *changing, const char *path, struct error *error)
{
    if ((mkdirat(changing->data, "frozen", 0700) < 0 && errno != EEXIST) ||
        mkdirat(changing->data, path, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", path);
    return 0;
}

/* Nobody writes to it, and what was written is in the file. */
static int snapshot_image(struct changing *changing, struct error *error)
{
    const struct data_change *request = changing->request;
    struct stack what = {.whole = true};
    const char *path = new_frozen(changing, &what);
    _cleanup_still_ struct still still = NOT_STILL;
    int result = make_frozen(changing, path, error);
    if (result == 0)
        result = still_hold(&still, &request->guests, changing->call->arena, error);
    _cleanup_close_ int inside = result < 0 ? -1 : volume_open(changing->paths, request->file, error);
    if (result == 0 && (inside < 0 || syncfs(inside) < 0))
        result = inside < 0 ? inside
                            : error_errno(error, -errno, "cannot write what is in volume %s", request->file);
    if (result == 0)
        result =
            image_file_copy(changing->folder, "image", arena_printf(changing->call->arena, "%s/image", path),
                            changing->call, error);
    return result < 0 ? result : change_note(changing, &what, error);
}

static int image_settle(int folder, struct error *error)
{
    int result = promise_settle(folder, folder, "image", error);
    if (result == 0 && unlinkat(folder, "image.part", 0) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "cannot remove image.part");
    return result;
}

/* A promise says which second name the old file gets, and then the new one takes the first. */
static int restore_image(struct changing *changing, struct error *error)
{
    struct stack from, what = {.whole = true};
    struct arena *arena = changing->call->arena;
    const char *path = NULL;
    int result = change_read_from(changing, &from, error);
    if (result == 0 && !from.frozen.count)
        result = error_set(error, -ENOENT, "snapshot %s holds nothing", changing->request->from);
    if (result == 0)
        result =
            image_file_copy(changing->folder, arena_printf(arena, "frozen/%s/image", from.frozen.items[0]),
                            "image.part", changing->call, error);
    if (result == 0) {
        path = new_frozen(changing, &what);
        result = promise_make(changing, &what, error);
    }
    if (result == 0)
        result = make_frozen(changing, path, error);
    if (result == 0 &&
        linkat(changing->folder, "image", changing->folder, arena_printf(arena, "%s/image", path), 0) < 0)
        result = error_errno(error, -errno, "cannot keep the file of volume %s", changing->request->file);
    if (result == 0 && renameat(changing->folder, "image.part", changing->folder, "image") < 0)
        result =
            error_errno(error, -errno, "cannot put the file of volume %s in place", changing->request->file);
    return result < 0 ? result : promise_keep(changing, error);
}

int change_image(struct changing *changing, struct error *error)
{
    int result = image_settle(changing->folder, error);
    if (result == 0)
        result = changing->request->from ? restore_image(changing, error) : snapshot_image(changing, error);
    changing->stack.token = changing->request->token;
    return result < 0 ? result : change_write(changing, "stack", &changing->stack, error);
}

int volume_settle(int folder, struct error *error)
{
    return faccessat(folder, "image", F_OK, AT_SYMLINK_NOFOLLOW) == 0
               ? image_settle(folder, error)
               : whole_settle(folder, folder, "data", error);
}
