/* Volumes that are a folder of the store: as large as that is. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/idmap.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/volume.h"
#include "lib/error.h"

static int make(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    (void)source;
    (void)call;
    return mkdirat(folder, "data", 0755) < 0 && errno != EEXIST
               ? error_errno(error, -errno, "cannot make its folder")
               : 0;
}

static int begin(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    (void)source;
    (void)call;
    int result = tree_remove(folder, "data.new", error);
    if (result < 0)
        return result;
    int fd = mkdirat(folder, "data.new", 0700) < 0
                 ? -1
                 : openat(folder, "data.new", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(error, -errno, "cannot make data.new") : fd;
}

/* Only an empty folder gives way: data that came in some other way is never thrown away. The copy is on disk before it has
 * the name: what a loss of power leaves under it is never filled again. */
int volume_dir_commit(int folder, int filled, struct error *error)
{
    if (syncfs(filled) < 0)
        return error_errno(error, -errno, "cannot write data.new to disk");
    if (unlinkat(folder, "data", AT_REMOVEDIR) < 0 && errno != ENOENT)
        return errno == ENOTEMPTY ? tree_remove(folder, "data.new", error)
                                  : error_errno(error, -errno, "cannot replace its folder");
    return renameat(folder, "data.new", folder, "data") < 0
               ? error_errno(error, -errno, "cannot replace its folder")
               : 0;
}

int volume_dir_tree(int folder, uint64_t attributes, int user_namespace, struct error *error)
{
    return tree_clone(folder, "data", attributes, user_namespace, error);
}

const struct volume_kind volume_dir = {
    .name = "dir", .make = make, .begin = begin, .commit = volume_dir_commit, .tree = volume_dir_tree};
