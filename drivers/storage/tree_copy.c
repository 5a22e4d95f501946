/* Copies of whole trees: a volume's first content out of its image, an image out of a folder.
 *
 * The source may belong to somebody hostile, so every entry is opened by handle without following and what was
 * opened is what is copied. Hard links are kept by remembering (device, inode) of files with more than one link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "drivers/storage/tree.h"
#include "drivers/storage/xattrs.h"
#include "lib/error.h"

#define PROGRESS_EVERY 500 /* milliseconds */
#define COPY_SIZE      (1024 * 1024)

struct linked {
    dev_t device;
    ino_t inode;
    const char *path; /* below the target */
    struct linked *next;
};

#define LINK_BUCKETS 1024

struct copier {
    const struct call *call;
    const char *label;
    int target;
    enum tree_what what;
    struct arena *arena;
    struct linked *links[LINK_BUCKETS];
    struct tree_copied copied;
    int64_t told;        /* when progress was last reported */
    char path[PATH_MAX]; /* of the present entry, below the roots */
    struct error *error;
};

static int copy_folder(struct copier *copier, int from, int to);

static int fail(struct copier *copier, int code)
{
    return error_errno(copier->error, code, "cannot copy %s", *copier->path ? copier->path : "/");
}

static int tell(struct copier *copier)
{
    int result = call_check(copier->call);
    if (result < 0)
        return fail(copier, result);
    int64_t now = now_milliseconds();
    if (!copier->call->progress || now - copier->told < PROGRESS_EVERY)
        return 0;
    char line[128];
    snprintf(line, sizeof(line), "%s %lld files, %lld MiB", copier->label, (long long)copier->copied.entries,
             (long long)(copier->copied.bytes >> 20));
    copier->call->progress(copier->call->context, line);
    copier->told = now;
    return 0;
}

static bool xattr_is_kept(const void *context, const char *name)
{
    (void)context;
    return xattr_is_of_file(name);
}

/* Owner first: chown(2) clears setuid and security.capability. */
static int copy_attributes(int from, int to, const struct stat *status, bool exact)
{
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    if (fchown(to, status->st_uid, status->st_gid) < 0 || fchmod(to, status->st_mode & 07777) < 0)
        return -errno;
    int result = xattrs_copy(from, to, exact ? NULL : xattr_is_kept, NULL);
    if (result == 0 && futimens(to, times) < 0)
        result = -errno;
    return result;
}

/* Shared blocks where the file system can; between two of them the kernel refuses, and bytes are copied. */
static ssize_t copy_some(int from, int to, size_t size)
{
    ssize_t done = copy_file_range(from, NULL, to, NULL, size, 0);
    if (done < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL))
        done = sendfile(to, from, NULL, size);
    return done;
}

static int copy_data(struct copier *copier, int from, int to, off_t at, off_t end)
{
    if (lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
        return fail(copier, -errno);
    while (at < end) {
        ssize_t done = copy_some(from, to, end - at > COPY_SIZE ? COPY_SIZE : (size_t)(end - at));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(copier, -errno);
        if (done == 0)
            return 0; /* it became shorter meanwhile */
        at += done;
        copier->copied.bytes += done;
        int result = tell(copier);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Holes stay holes: a guest's file may be larger than the host. */
static int copy_content(struct copier *copier, int from, int to, off_t size)
{
    if (ftruncate(to, size) < 0)
        return fail(copier, -errno);
    int result = 0;
    for (off_t end = 0; result == 0;) {
        off_t begin = lseek(from, end, SEEK_DATA);
        if (begin < 0 && errno == ENXIO)
            break;
        end = begin < 0 ? -1 : lseek(from, begin, SEEK_HOLE);
        result = end < 0 ? fail(copier, -errno) : copy_data(copier, from, to, begin, end);
    }
    return result;
}

/* 1 when the file was linked to an earlier copy of itself, 0 when it is to be copied. */
static int link_again(struct copier *copier, const struct stat *status, int to, const char *name)
{
    if (status->st_nlink < 2)
        return 0;
    struct linked **bucket = &copier->links[(status->st_ino ^ status->st_dev) % LINK_BUCKETS];
    for (struct linked *link = *bucket; link; link = link->next)
        if (link->inode == status->st_ino && link->device == status->st_dev)
            return linkat(copier->target, link->path, to, name, 0) < 0 ? -errno : 1;
    struct linked *link = arena_new_of(copier->arena, struct linked);
    *link = (struct linked){.device = status->st_dev,
                            .inode = status->st_ino,
                            .path = arena_strdup(copier->arena, copier->path),
                            .next = *bucket};
    *bucket = link;
    return 0;
}

static int copy_regular(struct copier *copier, int from, int to, const char *name)
{
    struct stat status;
    _cleanup_close_ int source =
        openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0 || !S_ISREG(status.st_mode))
        return fail(copier, source < 0 ? -errno : -EAGAIN);
    int result = link_again(copier, &status, to, name);
    if (result != 0)
        return result < 0 ? fail(copier, result) : 0;
    _cleanup_close_ int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target < 0)
        return fail(copier, -errno);
    result = copy_content(copier, source, target, status.st_size);
    if (result < 0)
        return result;
    result = copy_attributes(source, target, &status, copier->what == TREE_EXACT);
    return result < 0 ? fail(copier, result) : 0;
}

static int copy_symlink(struct copier *copier, const struct stat *status, int from, int to, const char *name)
{
    char text[PATH_MAX];
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    ssize_t length = readlinkat(from, name, text, sizeof(text) - 1);
    if (length < 0)
        return fail(copier, -errno);
    text[length] = '\0';
    if (symlinkat(text, to, name) < 0 ||
        fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(copier, -errno);
    return 0;
}

/* A pipe, a socket, a device. */
static int copy_node(struct copier *copier, const struct stat *status, int to, const char *name)
{
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    if (mknodat(to, name, (status->st_mode & S_IFMT) | 0600, status->st_rdev) < 0 ||
        fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to, name, status->st_mode & 07777, 0) < 0 ||
        utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(copier, -errno);
    return 0;
}

static int copy_directory(struct copier *copier, int from, int to, const char *name)
{
    _cleanup_close_ int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0 || mkdirat(to, name, 0700) < 0)
        return fail(copier, -errno);
    _cleanup_close_ int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return target < 0 ? fail(copier, -errno) : copy_folder(copier, source, target);
}

static int copy_entry(struct copier *copier, int from, int to, const char *name)
{
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(copier, -errno);
    copier->copied.entries++;
    int result = tell(copier);
    if (result < 0)
        return result;
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_regular(copier, from, to, name);
    case S_IFDIR:
        return copy_directory(copier, from, to, name);
    case S_IFLNK:
        return copy_symlink(copier, &status, from, to, name);
    case S_IFIFO:
        return copy_node(copier, &status, to, name);
    case S_IFSOCK:
        if (copier->what >= TREE_NODES)
            return copy_node(copier, &status, to, name);
        break;
    default:
        if (copier->what >= TREE_DEVICES)
            return copy_node(copier, &status, to, name);
    }
    copier->copied.skipped++;
    return 0;
}

static int copy_folder(struct copier *copier, int from, int to)
{
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int code = -errno;
        if (copy >= 0)
            close(copy);
        return fail(copier, code);
    }
    size_t length = strlen(copier->path);
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        int room = snprintf(copier->path + length, sizeof(copier->path) - length, "%s%s", length ? "/" : "",
                            item->d_name);
        if ((size_t)room >= sizeof(copier->path) - length)
            result = fail(copier, -ENAMETOOLONG);
        else
            result = copy_entry(copier, from, to, item->d_name);
    }
    closedir(directory);
    copier->path[length] = '\0';
    struct stat status;
    if (result == 0 && fstat(from, &status) < 0)
        result = fail(copier, -errno);
    if (result == 0 && (result = copy_attributes(from, to, &status, copier->what == TREE_EXACT)) < 0)
        result = fail(copier, result);
    return result;
}

int tree_copy_what(int from, int to, enum tree_what what, const char *label, const struct call *call,
                   struct tree_copied *copied, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct copier *copier = arena_new_of(arena, struct copier);
    *copier = (struct copier){.call = call,
                              .label = label,
                              .target = to,
                              .what = what,
                              .arena = arena,
                              .error = error,
                              .told = now_milliseconds()};
    int result = copy_folder(copier, from, to);
    if (result == 0)
        *copied = copier->copied;
    return result;
}

int tree_copy(int from, int to, const char *label, const struct call *call, struct tree_copied *copied,
              struct error *error)
{
    return tree_copy_what(from, to, TREE_PLAIN, label, call, copied, error);
}

void tree_tell_devices(const struct call *call, int64_t skipped)
{
    char line[128];
    snprintf(line, sizeof(line), "left out %lld device node%s: an unprivileged container may not have any",
             (long long)skipped, skipped == 1 ? "" : "s");
    if (skipped && call->progress)
        call->progress(call->context, line);
}

int tree_copy_exact(int from, int to, const char *label, const struct call *call, struct tree_copied *copied,
                    struct error *error)
{
    return tree_copy_what(from, to, TREE_EXACT, label, call, copied, error);
}
