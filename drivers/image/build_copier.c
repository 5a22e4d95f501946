#include "drivers/image/build_copier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/xattrs.h"
#include "lib/error.h"
#include "lib/folder.h"

#define COPY_SIZE ((size_t)256 * 1024)

static int copy_entry(struct build_copier *copier, int from, const char *from_name, int to, const char *name,
                      bool is_excluded);
static int copy_contents(struct build_copier *copier, int from, int to, bool is_excluded);
static int copy_attributes(const struct build_copier *copier, int from, int to, const struct stat *status);
static int fail(const struct build_copier *copier, int code);

int build_copier_contents(struct build_copier *copier, int from, int to)
{
    struct stat status;
    snprintf(copier->path, sizeof(copier->path), ".");
    int result = copy_contents(copier, from, to, false);
    if (result == 0 && copier->takes_attributes &&
        (fstat(from, &status) < 0 || copy_attributes(copier, from, to, &status) < 0))
        result = fail(copier, -errno);
    return result;
}

static int fail(const struct build_copier *copier, int code)
{
    return error_errno(copier->error, code, "cannot copy %s",
                       strcmp(copier->path, ".") == 0 ? "it" : copier->path + 2);
}

/* ---- attributes ---- */

/* What a folder of the host says of its files beside their bytes and modes is no input of a step: it is not in its key, and a
 * clone of the folder lacks it. */
static bool xattr_is_kept(const void *context, const char *name)
{
    const struct build_copier *copier = context;
    return copier->keeps_owner && xattr_is_of_file(name);
}

static void owner_of(const struct build_copier *copier, const struct stat *status, uid_t *uid, gid_t *gid)
{
    *uid = copier->owner ? (uid_t)copier->owner->uid : copier->keeps_owner ? status->st_uid : 0;
    *gid = copier->owner ? (gid_t)copier->owner->gid : copier->keeps_owner ? status->st_gid : 0;
}

static void times_of(const struct build_copier *copier, const struct stat *status, struct timespec times[2])
{
    const struct timespec given = {.tv_sec = copier->time ? *copier->time : 0};
    times[0] = copier->time ? given : status->st_atim;
    times[1] = copier->time ? given : status->st_mtim;
}

/* Owner first: chown(2) clears what stands for privilege. */
static int copy_attributes(const struct build_copier *copier, int from, int to, const struct stat *status)
{
    struct timespec times[2];
    uid_t uid;
    gid_t gid;
    times_of(copier, status, times);
    owner_of(copier, status, &uid, &gid);
    if (fchown(to, uid, gid) < 0 ||
        fchmod(to, copier->mode < 0 ? status->st_mode & 07777 : (mode_t)copier->mode) < 0)
        return -errno;
    int result = xattrs_copy(from, to, xattr_is_kept, copier);
    return result == 0 && futimens(to, times) < 0 ? -errno : result;
}

/* ---- kinds of files ---- */

/* What stands in the way of a file goes, unless it is a folder. */
static int make_room(const struct build_copier *copier, int to, const char *name)
{
    if (unlinkat(to, name, 0) == 0 || errno == ENOENT)
        return 0;
    return errno == EISDIR ? error_set(copier->error, -EISDIR, "cannot copy a file over the folder %s", name)
                           : fail(copier, -errno);
}

static int copy_bytes(struct build_copier *copier, int from, int to)
{
    _cleanup_free_ char *bytes = malloc(COPY_SIZE);
    if (!bytes)
        return fail(copier, -ENOMEM);
    for (;;) {
        int result = call_check(copier->call);
        if (result < 0)
            return fail(copier, result);
        ssize_t got = read(from, bytes, COPY_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? fail(copier, -errno) : 0;
        if ((result = bytes_write(to, bytes, (size_t)got)) < 0)
            return fail(copier, result);
    }
}

int build_copier_file(struct build_copier *copier, int source, int to, const char *name)
{
    struct stat status = {0};
    if (fstat(source, &status) < 0 || !S_ISREG(status.st_mode))
        return fail(copier, status.st_mode ? -EAGAIN : -errno);
    int result = make_room(copier, to, name);
    if (result < 0)
        return result;
    _cleanup_close_ int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return fail(copier, -errno);
    result = copy_bytes(copier, source, target);
    if (result < 0)
        return result;
    result = copy_attributes(copier, source, target, &status);
    return result < 0 ? fail(copier, result) : 0;
}

static int copy_regular(struct build_copier *copier, int from, const char *from_name, int to,
                        const char *name)
{
    _cleanup_close_ int source =
        openat(from, from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return source < 0 ? fail(copier, -errno) : build_copier_file(copier, source, to, name);
}

static int copy_symlink(struct build_copier *copier, const struct stat *status, int from,
                        const char *from_name, int to, const char *name)
{
    char target[PATH_MAX];
    struct timespec times[2];
    uid_t uid;
    gid_t gid;
    times_of(copier, status, times);
    ssize_t length = readlinkat(from, from_name, target, sizeof(target) - 1);
    if (length < 0)
        return fail(copier, -errno);
    target[length] = '\0';
    owner_of(copier, status, &uid, &gid);
    int result = make_room(copier, to, name);
    if (result < 0)
        return result;
    if (symlinkat(target, to, name) < 0 || fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(copier, -errno);
    return 0;
}

static int copy_pipe(struct build_copier *copier, const struct stat *status, int to, const char *name)
{
    uid_t uid;
    gid_t gid;
    owner_of(copier, status, &uid, &gid);
    int result = make_room(copier, to, name);
    if (result < 0)
        return result;
    mode_t mode = copier->mode < 0 ? status->st_mode & 07777 : (mode_t)copier->mode;
    if (mkfifoat(to, name, 0600) < 0 || fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to, name, mode, 0) < 0)
        return fail(copier, -errno);
    return 0;
}

static int copy_folder(struct build_copier *copier, int from, const char *from_name, int to, const char *name,
                       bool is_excluded)
{
    struct stat status;
    _cleanup_close_ int source = openat(from, from_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0)
        return fail(copier, -errno);
    bool made = mkdirat(to, name, 0700) == 0;
    if (!made && errno != EEXIST)
        return fail(copier, -errno);
    _cleanup_close_ int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? error_set(copier->error, -ENOTDIR, "cannot copy a folder over %s, which is none", name)
                   : fail(copier, -errno);
    int result = copy_contents(copier, source, target, is_excluded);
    if (result == 0 && (result = copy_attributes(copier, source, target, &status)) < 0)
        result = fail(copier, result);
    return result;
}

/* ---- the walk ---- */

static int copy_contents(struct build_copier *copier, int from, int to, bool is_excluded)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char **names = NULL;
    size_t count = 0, length = strlen(copier->path);
    int result = folder_names(from, arena, &names, &count);
    if (result < 0)
        return fail(copier, result);
    names_sort(names, &count);
    for (size_t i = 0; result == 0 && i < count; i++) {
        int room = snprintf(copier->path + length, sizeof(copier->path) - length, "/%s", names[i]);
        if ((size_t)room >= sizeof(copier->path) - length)
            result = fail(copier, -ENAMETOOLONG);
        else
            result = copy_entry(copier, from, names[i], to, names[i], is_excluded);
        copier->path[length] = '\0';
    }
    return result;
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

/* Path of the present entry in its context. */
static void path_in_context(const struct build_copier *copier, char path[static PATH_MAX * 2])
{
    const char *below = copier->path[1] ? copier->path + 2 : "";
    bool is_top = !copier->base || strcmp(copier->base, ".") == 0;
    snprintf(path, PATH_MAX * 2, "%s%s%s", is_top ? "" : copier->base, is_top || !*below ? "" : "/", below);
}

/* Whether it is left out; and then, whether something below it is not. */
static bool is_left_out(const struct build_copier *copier, bool above, bool *descends)
{
    char path[PATH_MAX * 2];
    const struct texts *included = copier->included;
    if (!above && !copier->excluded.count)
        return false;
    path_in_context(copier, path);
    *descends = false;
    for (size_t i = 0; included && i < included->count; i++) {
        if (strcmp(included->items[i], path) == 0)
            return false;
        *descends = *descends || is_at_or_below(included->items[i], path);
    }
    return above || map_get(&copier->excluded, path);
}

static int copy_entry(struct build_copier *copier, int from, const char *from_name, int to, const char *name,
                      bool is_excluded)
{
    struct stat status;
    bool descends = true;
    is_excluded = is_left_out(copier, is_excluded, &descends);
    if (is_excluded && !descends)
        return 0;
    if (fstatat(from, from_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(copier, -errno);
    if (is_excluded && !S_ISDIR(status.st_mode))
        return 0;
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_regular(copier, from, from_name, to, name);
    case S_IFDIR:
        return copy_folder(copier, from, from_name, to, name, is_excluded);
    case S_IFLNK:
        return copy_symlink(copier, &status, from, from_name, to, name);
    case S_IFIFO:
        return copy_pipe(copier, &status, to, name);
    default:
        return 0; /* sockets and device nodes have no place in an image */
    }
}
