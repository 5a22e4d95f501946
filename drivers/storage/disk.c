#include "drivers/storage/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/storage/data.h"
#include "drivers/storage/loop.h"
#include "drivers/storage/sized.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/volume.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define PLAIN "plain"

/* What a layer is made of, besides overlay's own work folder. */
static const char *const parts[] = {"upper", "root", "frozen"};
#define PARTS (sizeof(parts) / sizeof(*parts))

static bool exists(int folder, const char *name)
{
    return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool disk_is_limited(int folder)
{
    return exists(folder, DISK_FOLDER);
}

static bool has_file(int folder)
{
    return exists(folder, "image");
}

static int remove_file(int folder, const char *name, struct error *error)
{
    return unlinkat(folder, name, 0) < 0 && errno != ENOENT
               ? error_errno(error, -errno, "cannot remove %s", name)
               : 0;
}

static int remove_folder(int folder, const char *name, struct error *error)
{
    return unlinkat(folder, name, AT_REMOVEDIR) < 0 && errno != ENOENT
               ? error_errno(error, -errno, "cannot remove %s", name)
               : 0;
}

static int make_folder(int folder, const char *name, unsigned mode, struct error *error)
{
    return mkdirat(folder, name, mode) < 0 && errno != EEXIST
               ? error_errno(error, -errno, "cannot make %s", name)
               : 0;
}

static int open_folder(int folder, const char *name, struct error *error)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(error, -errno, "cannot open %s", name) : fd;
}

static int open_image(int image, struct error *error)
{
    _cleanup_close_ int tree = loop_mount(image, 0, error);
    return tree < 0 ? tree : open_folder(tree, ".", error);
}

/* ---- what an interrupted move left ---- */

/* `plain` is whole: part by part it takes the place of what is beside it, which is empty or was moved already. */
static int finish_moving_out(int folder, struct error *error)
{
    int result = remove_file(folder, "image", error);
    _cleanup_close_ int plain = result < 0 ? -1 : open_folder(folder, PLAIN, error);
    if (plain < 0)
        return result < 0 ? result : plain;
    for (size_t i = 0; i < PARTS && result == 0; i++) {
        if (!exists(plain, parts[i]))
            continue;
        result = tree_remove(folder, parts[i], error);
        if (result == 0 && renameat(plain, parts[i], folder, parts[i]) < 0)
            result = error_errno(error, -errno, "cannot put %s in place", parts[i]);
    }
    if (result == 0)
        result = remove_folder(folder, PLAIN, error);
    return result < 0 ? result : remove_folder(folder, DISK_FOLDER, error);
}

/* The file has it all: what it was copied from goes. Empty folders stand for it. */
static int empty_folder(int folder, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < PARTS && result == 0; i++) {
        if (!exists(folder, parts[i]) || folder_is_empty(folder, parts[i]))
            continue;
        result = tree_remove(folder, parts[i], error);
        if (result == 0)
            result = make_folder(folder, parts[i], 0755, error);
    }
    return result;
}

static int finish_moves(int folder, struct error *error)
{
    if (exists(folder, PLAIN))
        return finish_moving_out(folder, error);
    int result = remove_file(folder, "image.new", error);
    if (result == 0)
        result = tree_remove(folder, PLAIN ".new", error);
    if (result < 0)
        return result;
    return has_file(folder) ? empty_folder(folder, error) : remove_folder(folder, DISK_FOLDER, error);
}

/* ---- moves ---- */

static int copy_part(int from, int to, const char *part, const struct call *call, struct error *error)
{
    struct tree_copied copied;
    if (!exists(from, part))
        return 0;
    int result = make_folder(to, part, 0700, error);
    _cleanup_close_ int source = result < 0 ? -1 : open_folder(from, part, error);
    _cleanup_close_ int target = source < 0 ? -1 : open_folder(to, part, error);
    if (source < 0 || target < 0)
        return result < 0 ? result : source < 0 ? source : target;
    return tree_copy_exact(source, target, "moving the layer:", call, &copied, error);
}

static int copy_parts(int from, int to, const struct call *call, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < PARTS && result == 0; i++)
        result = copy_part(from, to, parts[i], call, error);
    if (result == 0 && syncfs(to) < 0)
        result = error_errno(error, -errno, "cannot write what was moved");
    return result;
}

/* A file of that size with all that is in `from`, in the place of the old one, if there is any. */
static int move_into_file(int folder, int from, int64_t size, const struct call *call, struct error *error)
{
    int result = make_folder(folder, DISK_FOLDER, 0700, error);
    _cleanup_close_ int image = result < 0 ? -1 : sized_new(folder, size, call, error);
    _cleanup_close_ int to = image < 0 ? -1 : open_image(image, error);
    if (to < 0)
        return result < 0 ? result : image < 0 ? image : to;
    result = make_folder(to, "work", 0755, error);
    if (result == 0)
        result = copy_parts(from, to, call, error);
    if (result == 0)
        return sized_put(folder, error);
    unlinkat(folder, "image.new", 0);
    return result == -ENOSPC ? error_set(error, -ENOSPC, "what the layer holds does not fit into limits.disk")
                             : result;
}

static int move_in(int folder, int64_t size, const struct call *call, struct error *error)
{
    int result = move_into_file(folder, folder, size, call, error);
    return result < 0 ? result : empty_folder(folder, error);
}

static int move_out(int folder, int image, const struct call *call, struct error *error)
{
    struct error ignored;
    _cleanup_close_ int from = open_image(image, error);
    int result = from < 0 ? from : make_folder(folder, PLAIN ".new", 0700, error);
    _cleanup_close_ int to = result < 0 ? -1 : open_folder(folder, PLAIN ".new", error);
    if (to < 0)
        return result < 0 ? result : to;
    result = copy_parts(from, to, call, error);
    if (result == 0 && renameat(folder, PLAIN ".new", folder, PLAIN) < 0)
        result = error_errno(error, -errno, "cannot put " PLAIN " in place");
    if (result < 0) {
        tree_remove(folder, PLAIN ".new", &ignored); /* it may be what fills the store */
        return result;
    }
    return fsync(folder) < 0 ? error_errno(error, -errno, "cannot put " PLAIN " in place")
                             : finish_moving_out(folder, error);
}

/* By a copy: a file system that is made smaller where it lies is lost when that is interrupted. */
static int shrink(int folder, int image, int64_t size, const struct call *call, struct error *error)
{
    struct statfs system;
    _cleanup_close_ int from = open_image(image, error);
    if (from < 0)
        return from;
    if (fstatfs(from, &system) < 0)
        return error_errno(error, -errno, "cannot look at the layer's file system");
    if ((int64_t)(system.f_blocks - system.f_bfree) * system.f_bsize > size)
        return error_set(error, -ENOSPC, "what the layer holds does not fit into limits.disk");
    return move_into_file(folder, from, size, call, error);
}

static int resize(int folder, int64_t size, const struct call *call, struct error *error)
{
    struct stat status;
    _cleanup_close_ int image = sized_open(folder);
    if (image < 0 || fstat(image, &status) < 0)
        return error_errno(error, -errno, "cannot open the layer's file");
    if (!size)
        return move_out(folder, image, call, error);
    return size < status.st_size ? shrink(folder, image, size, call, error)
                                 : sized_grow(folder, image, size, call, error);
}

int disk_settle(int folder, int64_t size, const struct call *call, struct error *error)
{
    bool there = disk_is_limited(folder);
    if (!there && !size)
        return 0;
    int result = there ? finish_moves(folder, error) : 0;
    if (result < 0)
        return result;
    if (has_file(folder))
        return resize(folder, size, call, error);
    return size ? move_in(folder, size, call, error) : 0;
}

int disk_open(int folder, struct error *error)
{
    if (disk_is_limited(folder)) {
        int result = finish_moves(folder, error);
        if (result < 0)
            return result;
        _cleanup_close_ int image = sized_open(folder);
        if (image >= 0)
            return open_image(image, error);
    }
    int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? error_errno(error, -errno, "cannot open a layer") : copy;
}

int disk_remove(int folder, struct error *error)
{
    int result = remove_file(folder, "image", error);
    if (result == 0)
        result = tree_remove(folder, PLAIN, error);
    if (result == 0)
        result = tree_remove(folder, PLAIN ".new", error);
    if (result == 0)
        result = remove_file(folder, "image.new", error);
    return result < 0 ? result : remove_folder(folder, DISK_FOLDER, error);
}

int disk_tree(int folder, uint64_t attributes, int user_namespace, struct error *error)
{
    return volume_loop.tree(folder, attributes, user_namespace, error);
}

int disk_grow_layer(const struct paths *paths, const struct volume_source *request, const struct call *call,
                    struct error *error)
{
    int result = data_check_name(request->file, error);
    _cleanup_close_ int folder = result < 0 ? -1 : data_lock(paths->layers, request->file, error);
    if (folder < 0)
        return result < 0 ? result : folder;
    _cleanup_close_ int image = sized_open(folder);
    result = image < 0 ? error_errno(error, -errno, "cannot open its file")
                       : sized_grow(folder, image, request->size, call, error);
    return result < 0 ? error_wrap(error, result, "layer %s", request->file) : 0;
}
