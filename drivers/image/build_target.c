#include "drivers/image/build_target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define LINK_LIMIT 40 /* as the kernel follows */

static int make_one(int root, const char *path, const struct build_user *owner, struct error *error)
{
    _cleanup_close_ int made = guest_open_folder(root, path, error);
    if (made < 0)
        return made;
    if (owner && fchownat(made, "", (uid_t)owner->uid, (gid_t)owner->gid, AT_EMPTY_PATH) < 0)
        return error_errno(error, -errno, "%s", path);
    return 0;
}

/* As long as a link stands in its place: what that points to, be it there or not. */
static int follow(int root, char path[static PATH_MAX], struct error *error)
{
    char link[PATH_MAX], joined[PATH_MAX];
    for (int i = 0; i < LINK_LIMIT; i++) {
        struct stat status;
        _cleanup_close_ int found = guest_open(root, path, O_NOFOLLOW, NULL);
        if (found < 0 || fstat(found, &status) < 0 || !S_ISLNK(status.st_mode))
            return 0;
        ssize_t length = readlinkat(found, "", link, sizeof(link) - 1);
        if (length < 0)
            return error_errno(error, -errno, "%s", path);
        link[length] = '\0';
        int folder = *link == '/' ? 0 : (int)(strrchr(path, '/') - path);
        if (snprintf(joined, sizeof(joined), "%.*s/%s", folder, path, link) >= (int)sizeof(joined))
            return error_errno(error, -ENAMETOOLONG, "%s", path);
        memcpy(path, joined, sizeof(joined));
    }
    return error_errno(error, -ELOOP, "%s", path);
}

static int open_made(int root, const char *path, const struct build_user *owner, int depth,
                     struct error *error);

/* A link in its place may lead to where nothing is yet. */
static int make_missing(int root, const char *path, const struct build_user *owner, int depth,
                        struct error *error)
{
    char led[PATH_MAX];
    snprintf(led, sizeof(led), "%s", path);
    int result = follow(root, led, error);
    if (result < 0 || strcmp(led, path) == 0)
        return result < 0 ? result : make_one(root, path, owner, error);
    if (depth == LINK_LIMIT)
        return error_errno(error, -ELOOP, "%s", path);
    _cleanup_close_ int made = open_made(root, led, owner, depth + 1, error);
    return made < 0 ? made : 0;
}

static int open_made(int root, const char *path, const struct build_user *owner, int depth,
                     struct error *error)
{
    char prefix[PATH_MAX];
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        if ((size_t)(at - path) >= sizeof(prefix))
            return error_errno(error, -ENAMETOOLONG, "%s", path);
        snprintf(prefix, sizeof(prefix), "%.*s", (int)(at - path), path);
        _cleanup_close_ int there = guest_open(root, prefix, O_DIRECTORY, NULL);
        int result = there < 0 ? make_missing(root, prefix, owner, depth, error) : 0;
        if (result < 0)
            return result;
    }
    return guest_open(root, *path ? path : "/", O_DIRECTORY, error);
}

int build_target_folder(int root, const char *path, const struct build_user *owner, struct error *error)
{
    return open_made(root, path, owner, 0, error);
}

static bool is_folder(int root, const char *path)
{
    _cleanup_close_ int there = guest_open(root, path, O_DIRECTORY, NULL);
    return there >= 0;
}

int build_target_file(int root, const char *target, const char *name, const struct build_user *owner,
                      char *as, struct error *error)
{
    char path[PATH_MAX];
    size_t length = strlen(target);
    if (*target != '/' || length >= sizeof(path))
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", target);
    bool inside = target[length - 1] == '/' || is_folder(root, target);
    snprintf(path, sizeof(path), "%s", target);
    int result = inside ? 0 : follow(root, path, error);
    if (result < 0)
        return result;
    char *slash = strrchr(path, '/');
    const char *last = inside ? name : slash + 1;
    if (!*last || strlen(last) > NAME_MAX || strchr(last, '/') || strcmp(last, ".") == 0 ||
        strcmp(last, "..") == 0)
        return error_set(error, -EINVAL, "\"%s\" is no name of a file", last);
    snprintf(as, NAME_MAX + 1, "%s", last);
    if (!inside)
        *slash = '\0';
    return build_target_folder(root, path, owner, error);
}
