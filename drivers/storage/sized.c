#include "drivers/storage/sized.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/program.h"
#include "drivers/storage/loop.h"
#include "drivers/storage/view_sized.h"
#include "lib/cleanup.h"
#include "lib/error.h"

static void keep_line(void *context, const char *line)
{
    snprintf(context, sizeof(((struct error *)0)->text), "%s", line);
}

/* `arguments` end in NULL; `good`: the highest exit status that is no failure. */
static int run(const char *const *arguments, int good, const struct call *call, struct error *error)
{
    char said[sizeof(((struct error *)0)->text)] = "";
    const struct program program = {
        .arguments = (char *const *)arguments, .input = -1, .target = -1, .line = keep_line, .context = said};
    int result = program_run(&program, call, error);
    if (result == -ENOENT)
        return error_set(error, -ENOENT, "%s is not installed: package e2fsprogs", arguments[0]);
    return result > good ? error_set(error, -EIO, "%s: %s", arguments[0], said) : result < 0 ? result : 0;
}

/* No blocks kept back for root, who is everybody's here; blocks of one size, whatever the size, so that it can grow. */
static int make_system(int folder, const struct call *call, struct error *error)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d/image.new", getpid(), folder);
    return run((const char *[]){"/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "nodiscard",
                                path, NULL},
               0, call, error);
}

/* What mkfs puts there for fsck, which makes it again when it needs it: what is sized begins empty. */
static int empty_root(int image, struct error *error)
{
    _cleanup_close_ int tree = loop_mount(image, 0, error);
    if (tree < 0)
        return tree;
    return unlinkat(tree, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT
               ? error_errno(error, -errno, "cannot empty a new file system")
               : 0;
}

int sized_new(int folder, int64_t size, const struct call *call, struct error *error)
{
    if (size <= 0)
        return error_set(error, -EINVAL, "it has no size");
    if (unlinkat(folder, "image.new", 0) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "cannot remove image.new");
    _cleanup_close_ int image =
        openat(folder, "image.new", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (image < 0 || ftruncate(image, size) < 0)
        return error_errno(error, -errno, "cannot make its file");
    int result = make_system(folder, call, error);
    if (result == 0)
        result = empty_root(image, error);
    return result < 0 ? result : TAKE_FD(image);
}

int sized_put(int folder, struct error *error)
{
    return renameat(folder, "image.new", folder, "image") < 0 || fsync(folder) < 0
               ? error_errno(error, -errno, "cannot put its file in place")
               : 0;
}

int sized_open(int folder)
{
    return openat(folder, "image", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

/* By programs, while nobody has it: for where the kernel's own way is closed to us. */
static int grow_unmounted(int folder, const struct call *call, struct error *error)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d/image", getpid(), folder);
    int result = run((const char *[]){"/sbin/e2fsck", "-f", "-p", path, NULL}, 1, call, error);
    return result < 0 ? result : run((const char *[]){"/sbin/resize2fs", path, NULL}, 0, call, error);
}

int sized_grow(int folder, int image, int64_t size, const struct call *call, struct error *error)
{
    struct stat status;
    if (fstat(image, &status) < 0 || (status.st_size < size && ftruncate(image, size) < 0))
        return error_errno(error, -errno, "cannot make its file larger");
    const int64_t larger = status.st_size > size ? status.st_size : size;
    if (sized_bytes(image, larger) == larger)
        return 0;
    bool bound = loop_is_bound(image);
    int result = loop_grow(image, error);
    return result == -EPERM && !bound ? grow_unmounted(folder, call, error) : result;
}
