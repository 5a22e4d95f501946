/* Volumes of a size: an ext4 file system in a sparse file, and no more than that fits in. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "drivers/guest/idmap.h"
#include "drivers/storage/loop.h"
#include "drivers/storage/sized.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/volume.h"
#include "lib/cleanup.h"
#include "lib/error.h"

static int make(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    _cleanup_close_ int image = sized_open(folder);
    if (image >= 0)
        return sized_grow(folder, image, source->size, call, error);
    if (errno != ENOENT)
        return error_errno(error, -errno, "cannot open its file");
    image = sized_new(folder, source->size, call, error);
    return image < 0 ? image : sized_put(folder, error);
}

static int begin(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    _cleanup_close_ int image = sized_new(folder, source->size, call, error);
    _cleanup_close_ int tree = image < 0 ? image : loop_mount(image, 0, error);
    if (tree < 0)
        return tree;
    int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? error_errno(error, -errno, "cannot open a new file system") : root;
}

static int commit(int folder, int filled, struct error *error)
{
    return syncfs(filled) < 0 ? error_errno(error, -errno, "cannot write a new file system")
                              : sized_put(folder, error);
}

static int tree(int folder, uint64_t attributes, int user_namespace, struct error *error)
{
    _cleanup_close_ int image = sized_open(folder);
    if (image < 0)
        return error_errno(error, -errno, "cannot open its file");
    _cleanup_close_ int mount = loop_mount(image, attributes, error);
    int result = mount < 0 ? mount : tree_set_up(mount, attributes, user_namespace, error);
    return result < 0 ? result : TAKE_FD(mount);
}

const struct volume_kind volume_loop = {
    .name = "loop", .make = make, .begin = begin, .commit = commit, .tree = tree};
