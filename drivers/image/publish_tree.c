/* The folder of a published tree: nothing in it is followed anywhere. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "lib/error.h"

/* Our own folders alone may be left of a run that did not come far. */
static bool has_others(int folder)
{
    static const char *const own[] = {".", "..", "images", "streams", "meta"};
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    bool found = !directory;
    for (struct dirent *item; directory && !found && (item = readdir(directory));) {
        found = true;
        for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
            found = found && strcmp(item->d_name, own[i]) != 0;
    }
    if (directory)
        closedir(directory);
    return found;
}

int publish_open(struct publishing *publishing, struct error *error)
{
    const char *path = publishing->request->path;
    struct error unused;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "%s", path);
    _cleanup_close_ int tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree < 0)
        return error_errno(error, -errno, "%s", path);
    if (flock(tree, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, -EBUSY, "%s: somebody else publishes into it", path);
    _cleanup_close_ int streams = publish_folder(tree, PUBLISH_STREAMS, false, &unused);
    if ((streams < 0 || faccessat(streams, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0) && has_others(tree))
        return error_set(error, -EEXIST,
                         "%s is neither empty nor a tree of images (" PUBLISH_STREAMS "/index.json)", path);
    publishing->tree = TAKE_FD(tree);
    return 0;
}

static int open_part(int folder, const char *name, const char *path, bool make, struct error *error)
{
    if (make && mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "%s", path);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return error_set(error, -errno, "%s: %s is no folder, and nothing in the tree is followed", path,
                         name);
    return fd < 0 ? error_errno(error, -errno, "%s", path) : fd;
}

int publish_folder(int tree, const char *path, bool make, struct error *error)
{
    char name[NAME_MAX + 1];
    _cleanup_close_ int folder = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    if (folder < 0)
        return error_errno(error, -errno, "%s", path);
    for (const char *at = path; *at;) {
        const size_t length = strcspn(at, "/");
        if (length > NAME_MAX)
            return error_errno(error, -ENAMETOOLONG, "%s", path);
        snprintf(name, sizeof(name), "%.*s", (int)length, at);
        int inner = open_part(folder, name, path, make, error);
        if (inner < 0)
            return inner;
        close(folder);
        folder = inner;
        at += length + (at[length] == '/');
    }
    return TAKE_FD(folder);
}

int publish_read(int folder, const char *name, struct buffer *text, struct error *error)
{
    struct stat status;
    _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, -errno, "%s", name);
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)PUBLISH_LIMIT)
        return error_set(error, -EFBIG, "%s is no file of at most %zu MiB", name, PUBLISH_LIMIT >> 20);
    char *bytes = malloc((size_t)status.st_size + 1);
    ssize_t got = bytes ? pread(fd, bytes, (size_t)status.st_size, 0) : -1;
    if (got >= 0)
        buffer_add(text, bytes, (size_t)got);
    free(bytes);
    return got < 0 ? error_errno(error, -errno, "%s", name) : 0;
}

int publish_write(int folder, const char *name, const void *bytes, size_t size, struct error *error)
{
    _cleanup_close_ int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0)
        return error_errno(error, -errno, "%s", name);
    int result = bytes_write(fd, bytes, size);
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    return result < 0 ? error_errno(error, result, "%s", name) : 0;
}
