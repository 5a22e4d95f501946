/* Handle-by-handle work inside a root that somebody else may write to, even while we look. */
#include "drivers/guest/guest_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define TEMPORARY_NAME ".fpsync-new"

static int open_in(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0;; tries++) { /* EAGAIN: a rename elsewhere made ".." doubtful */
        int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN || tries == 100)
            return fd;
    }
}

bool guest_path_is_clean(const char *path)
{
    if (*path != '/' || strlen(path) >= PATH_MAX || !path[1])
        return false;
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
        if (*at != '/')
            continue;
        size_t length = strcspn(at + 1, "/");
        if (length == 0 || (length == 1 && at[1] == '.') || (length == 2 && at[1] == '.' && at[2] == '.'))
            return false;
    }
    return true;
}

int guest_open(int root, const char *path, int flags, struct error *error)
{
    int fd = open_in(root, path, flags | O_PATH);
    return fd < 0 ? error_errno(error, -errno, "%s in the container", path) : fd;
}

/* One missing component. The folder is opened without following: what lies there may have changed meanwhile. */
static int make_folder(int parent, const char *name)
{
    bool made = mkdirat(parent, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && made)
        fchmod(fd, 0755); /* whatever the umask */
    return fd;
}

int guest_open_folder(int root, const char *path, struct error *error)
{
    int whole = open_in(root, path, O_PATH | O_DIRECTORY);
    if (whole >= 0)
        return whole;
    if (errno != ENOENT)
        return error_errno(error, -errno, "%s in the container", path);
    char prefix[PATH_MAX];
    _cleanup_close_ int current = open_in(root, "/", O_PATH | O_DIRECTORY);
    for (const char *at = path; current >= 0 && *at; at += strcspn(at, "/")) {
        at += strspn(at, "/");
        size_t length = (size_t)(at - path) + strcspn(at, "/");
        if (!*at || length >= sizeof(prefix))
            break;
        memcpy(prefix, path, length);
        prefix[length] = '\0';
        int next = open_in(root, prefix, O_PATH | O_DIRECTORY);
        if (next < 0 && errno == ENOENT)
            next = make_folder(current, strrchr(prefix, '/') + 1);
        int code = errno;
        close(current);
        current = next;
        errno = code;
    }
    if (current < 0)
        return error_errno(error, -errno, "cannot make the folder %s in the container", path);
    return TAKE_FD(current);
}

/* Opens the folder of `path` and points `name` at what follows the last slash. */
static int open_parent(int root, const char *path, const char **name, struct error *error)
{
    char parent[PATH_MAX];
    if (!guest_path_is_clean(path))
        return error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", path);
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    *name = path + length + 1;
    return guest_open_folder(root, length ? parent : "/", error);
}

int guest_open_place(int root, const char *path, struct error *error)
{
    const char *name;
    struct stat status;
    _cleanup_close_ int parent = open_parent(root, path, &name, error);
    if (parent < 0)
        return parent;
    int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        fd = make_folder(parent, name);
    if (fd >= 0)
        return fd;
    const int code = -errno;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
        return error_set(
            error, -ELOOP,
            "%s in the container is a symbolic link: name the place that it leads to, or remove it", path);
    return error_errno(error, code, "cannot make the folder %s in the container", path);
}

int guest_open_file(int root, const char *path, struct error *error)
{
    const char *name;
    _cleanup_close_ int parent = open_parent(root, path, &name, error);
    if (parent < 0)
        return parent;
    _cleanup_close_ int made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (made < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make %s in the container", path);
    _cleanup_close_ int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, -errno, "%s in the container", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, -EEXIST, "%s in the container is not a regular file", path);
    return TAKE_FD(fd);
}

static bool is_like(int parent, const char *name, const char *content, mode_t mode)
{
    /* O_NONBLOCK: a FIFO of the guest must not hold us. */
    _cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (status.st_mode & 07777) != mode)
        return false;
    size_t length = strlen(content), done = 0;
    if ((uint64_t)status.st_size != length || status.st_nlink != 1)
        return false;
    while (done < length) {
        char piece[4096];
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got <= 0 || done + (size_t)got > length || memcmp(piece, content + done, (size_t)got) != 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

int guest_write_file(int root, const char *path, const char *content, int64_t mode, struct error *error)
{
    const char *name;
    if (mode < 0 || mode > 0777)
        return error_set(error, -EINVAL, "%s: mode %llo is not one of a plain file", path, (long long)mode);
    _cleanup_close_ int parent = open_parent(root, path, &name, error);
    if (parent < 0)
        return parent;
    if (is_like(parent, name, content, (mode_t)mode))
        return 0;
    unlinkat(parent, TEMPORARY_NAME, 0); /* of a run that was killed here */
    _cleanup_close_ int fd =
        openat(parent, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(error, -errno, "cannot make %s in the container", path);
    int result = bytes_write(fd, content, strlen(content));
    if (result == 0 && fchmod(fd, (mode_t)mode) < 0)
        result = -errno;
    if (result == 0 && renameat(parent, TEMPORARY_NAME, parent, name) < 0)
        result = -errno;
    if (result == 0)
        return 0;
    unlinkat(parent, TEMPORARY_NAME, 0);
    return error_errno(error, result, "cannot write %s in the container", path);
}

/* ---- without links ---- */

static int name_of(int fd, char name[static GUEST_PATH_SIZE])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, GUEST_PATH_SIZE - 1);
    if (length < 0 || length == GUEST_PATH_SIZE - 1)
        return length < 0 ? -errno : -ENAMETOOLONG;
    name[length] = '\0';
    return 0;
}

/* The handle of the deepest folder above the path's last component that is there; `length` of the path leads to it. */
static int open_deepest(int root, const char *path, size_t *length)
{
    char above[GUEST_PATH_SIZE];
    snprintf(above, sizeof(above), "%s", path);
    for (;;) {
        *strrchr(above, '/') = '\0';
        *length = strlen(above);
        int fd = open_in(root, *above ? above : "/", O_PATH | O_DIRECTORY);
        if (fd >= 0 || errno != ENOENT || !*above)
            return fd < 0 ? -errno : fd;
    }
}

void guest_path_settle(int root, const char *path, char settled[static GUEST_PATH_SIZE])
{
    char base[GUEST_PATH_SIZE], folder[GUEST_PATH_SIZE];
    size_t length;
    snprintf(settled, GUEST_PATH_SIZE, "%s", path);
    _cleanup_close_ int deepest = open_deepest(root, path, &length);
    if (deepest < 0 || name_of(root, base) < 0 || name_of(deepest, folder) < 0)
        return;
    size_t above = strcmp(base, "/") == 0 ? 0 : strlen(base);
    const char *inside = strcmp(folder, "/") == 0 ? "" : folder + above;
    if (strncmp(folder, base, above) == 0 && strlen(inside) + strlen(path + length) < GUEST_PATH_SIZE)
        snprintf(settled, GUEST_PATH_SIZE, "%s%s", inside, path + length);
}
