#include "drivers/image/build_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/build_copier.h"
#include "drivers/storage/xattrs.h"
#include "lib/error.h"
#include "lib/folder.h"

struct merging {
    const struct call *call;
    struct error *error;
};

struct level {         /* one folder of the result, and what it is made of */
    const int *uppers; /* newest first */
    size_t count;
    int base; /* -1: nothing below shows */
    int out;
};

static int merge_folder(struct merging *merging, const struct level *place);

static int fail(const struct merging *merging, const char *name)
{
    return error_errno(merging->error, -errno, "cannot merge %s", name);
}

static bool is_whiteout(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

/* ---- attributes of folders ---- */

static int take_attributes(int from, int to)
{
    struct stat status;
    if (fstat(from, &status) < 0 || fchown(to, status.st_uid, status.st_gid) < 0 ||
        fchmod(to, status.st_mode & 07777) < 0)
        return -errno;
    int result = xattrs_copy(from, to, xattr_is_not_of_overlay, NULL);
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    return result == 0 && futimens(to, times) < 0 ? -errno : result;
}

/* Neither has attributes beside owner and mode, and those are the same. */
static bool is_like(int left, int right)
{
    struct stat a, b;
    return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_mode == b.st_mode && a.st_uid == b.st_uid &&
           a.st_gid == b.st_gid && flistxattr(left, NULL, 0) <= 0 && flistxattr(right, NULL, 0) <= 0;
}

/* ---- entries ---- */

static int link_file(const struct merging *merging, int from, const char *name, const struct stat *status,
                     int to)
{
    if (linkat(from, name, to, name, 0) == 0)
        return 0;
    if (errno != EMLINK || !S_ISREG(status->st_mode))
        return fail(merging, name);
    struct build_copier *copier = arena_new_of(merging->call->arena, struct build_copier);
    *copier = (struct build_copier){
        .call = merging->call, .keeps_owner = true, .mode = -1, .error = merging->error};
    _cleanup_close_ int source =
        openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return source < 0 ? fail(merging, name) : build_copier_file(copier, source, to, name);
}

/* A whiteout, with the time of the step's. */
static int hide(const struct merging *merging, const struct level *place, const char *name,
                const struct stat *whiteout)
{
    struct stat status;
    const struct timespec times[2] = {whiteout->st_atim, whiteout->st_mtim};
    if (place->base < 0 || fstatat(place->base, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return mknodat(place->out, name, S_IFCHR, makedev(0, 0)) < 0 ||
                   utimensat(place->out, name, times, AT_SYMLINK_NOFOLLOW) < 0
               ? fail(merging, name)
               : 0;
}

struct stacked { /* the folders of one name that show through each other */
    int *folders;
    size_t count;
    bool hides; /* what lies below the last of them */
};

static void close_all(struct stacked *stacked)
{
    for (size_t i = 0; i < stacked->count; i++)
        close(stacked->folders[i]);
    free(stacked->folders);
}

static int stack_folders(const struct merging *merging, const struct level *place, size_t first,
                         const char *name, struct stacked *stacked)
{
    stacked->folders = calloc(place->count - first, sizeof(int));
    if (!stacked->folders)
        return error_errno(merging->error, -ENOMEM, "cannot merge");
    for (size_t i = first; i < place->count && !stacked->hides; i++) {
        struct stat status;
        if (fstatat(place->uppers[i], name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!S_ISDIR(status.st_mode)) {
            stacked->hides = true;
            break;
        }
        int folder = openat(place->uppers[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0)
            return fail(merging, name);
        stacked->folders[stacked->count++] = folder;
        stacked->hides = folder_is_opaque(folder);
    }
    return 0;
}

/* One that holds nothing and says nothing is left out. */
static int end_folder(const struct merging *merging, const struct level *place, const char *name,
                      const struct level *inside, bool is_hidden)
{
    if (is_hidden && fsetxattr(inside->out, OVERLAY_OPAQUE, "y", 1, 0) < 0)
        return fail(merging, name);
    int result = take_attributes(inside->uppers[0], inside->out);
    if (result < 0)
        return error_errno(merging->error, result, "cannot merge %s", name);
    if (!is_hidden && inside->base >= 0 && is_like(inside->out, inside->base))
        unlinkat(place->out, name, AT_REMOVEDIR);
    return 0;
}

static int merge_stacked(struct merging *merging, const struct level *place, const char *name,
                         const struct stacked *stacked)
{
    _cleanup_close_ int below =
        place->base < 0 ? -1 : openat(place->base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (mkdirat(place->out, name, 0700) < 0)
        return fail(merging, name);
    _cleanup_close_ int out = openat(place->out, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0)
        return fail(merging, name);
    const struct level inside = {
        .uppers = stacked->folders, .count = stacked->count, .base = stacked->hides ? -1 : below, .out = out};
    int result = merge_folder(merging, &inside);
    return result < 0 ? result : end_folder(merging, place, name, &inside, stacked->hides && below >= 0);
}

static int merge_entry(struct merging *merging, const struct level *place, const char *name)
{
    struct stat status;
    size_t first = 0;
    while (first < place->count && fstatat(place->uppers[first], name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        first++;
    if (first == place->count)
        return error_errno(merging->error, -ENOENT, "cannot merge %s", name);
    if (is_whiteout(&status))
        return hide(merging, place, name, &status);
    if (!S_ISDIR(status.st_mode))
        return link_file(merging, place->uppers[first], name, &status, place->out);
    struct stacked stacked = {0};
    int result = stack_folders(merging, place, first, name, &stacked);
    if (result == 0)
        result = merge_stacked(merging, place, name, &stacked);
    close_all(&stacked);
    return result;
}

/* ---- the walk ---- */

static int merge_folder(struct merging *merging, const struct level *place)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char **names = NULL;
    size_t count = 0;
    int result = call_check(merging->call);
    for (size_t i = 0; result == 0 && i < place->count; i++)
        result = folder_names(place->uppers[i], arena, &names, &count);
    if (result < 0)
        return error_errno(merging->error, result, "cannot merge");
    names_sort(names, &count);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = merge_entry(merging, place, names[i]);
    return result;
}

int build_merge(const int *uppers, size_t count, int base, int out, const struct call *call,
                struct error *error)
{
    struct merging merging = {.call = call, .error = error};
    const struct level place = {.uppers = uppers, .count = count, .base = base, .out = out};
    int result = merge_folder(&merging, &place);
    if (result < 0)
        return result;
    result = count || base >= 0 ? take_attributes(count ? uppers[0] : base, out) : 0;
    return result < 0 ? error_errno(error, result, "cannot merge the roots") : 0;
}
