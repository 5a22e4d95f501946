#include "drivers/storage/view_image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/storage/xattrs.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define LINK_LIMIT 40 /* as the kernel follows */

static bool is_digest(const char *text)
{
    return strlen(text) == DIGEST_TEXT_SIZE - 1 && strspn(text, "0123456789abcdef") == DIGEST_TEXT_SIZE - 1;
}

void image_note_lower(const char *note, char lower[static DIGEST_TEXT_SIZE])
{
    const char *line = strstr(note, "\nlower ");
    if (!line || sscanf(line, "\nlower %64[0-9a-f]", lower) != 1 || !is_digest(lower))
        *lower = '\0';
}

int image_lower(const char *store, const char *digest, char lower[static DIGEST_TEXT_SIZE],
                struct error *error)
{
    char path[PATH_MAX];
    _cleanup_buffer_ struct buffer note = {0};
    if (!digest)
        return error_set(error, -EINVAL, "no image is named");
    if (!is_digest(digest))
        return error_set(error, -EINVAL, "\"%s\" is not the digest of an image", digest);
    snprintf(path, sizeof(path), "%s/images/%s/complete", store, digest);
    int result = buffer_read_file(&note, AT_FDCWD, path, IMAGE_NOTE_LIMIT, error);
    if (result < 0)
        return error_wrap(error, result, "image %.12s", digest);
    image_note_lower(note.bytes ? note.bytes : "", lower);
    return 0;
}

static int open_root(const char *store, const char *digest, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/images/%s/root", store, digest);
    int root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return root < 0 ? error_errno(error, -errno, "image %.12s", digest) : root;
}

int image_trees_look(const char *store, const char *digest, struct image_trees *trees, struct error *error)
{
    char lower[DIGEST_TEXT_SIZE];
    int result = image_lower(store, digest, lower, error);
    if (result < 0)
        return result;
    _cleanup_close_ int top = open_root(store, digest, error);
    if (top < 0)
        return top;
    if (!*lower) {
        *trees = (struct image_trees){.delta = -1, .base = TAKE_FD(top)};
        return 0;
    }
    int base = open_root(store, lower, error);
    if (base < 0)
        return base;
    *trees = (struct image_trees){.delta = TAKE_FD(top), .base = base};
    return 0;
}

void image_trees_close(struct image_trees *trees)
{
    cleanup_close(&trees->delta);
    cleanup_close(&trees->base);
    *trees = NO_IMAGE_TREES;
}

/* ---- looking into both ---- */

/* What one tree has at a path without links in it. -ENOENT: nothing; then `hides` tells whether the trees below it may
 * have something there. */
static int look(int tree, const char *path, bool *hides)
{
    char part[NAME_MAX + 1];
    struct stat status;
    int current = openat(tree, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (current >= 0 && *path) {
        size_t length = strcspn(path, "/");
        char value[4], link[64];
        if (length > NAME_MAX) {
            close(current);
            return -ENAMETOOLONG;
        }
        memcpy(part, path, length);
        part[length] = '\0';
        path += length + (path[length] == '/');
        int next = openat(current, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        int code = -errno;
        close(current);
        if (next < 0)
            return code == -ENOTDIR ? -ENOENT : code;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", next);
        bool known = fstat(next, &status) == 0;
        bool gone = known && S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
        *hides =
            *hides || gone || (known && !S_ISDIR(status.st_mode)) ||
            (known && S_ISDIR(status.st_mode) && getxattr(link, OVERLAY_OPAQUE, value, sizeof(value)) == 1);
        if (!known || gone || (*path && !S_ISDIR(status.st_mode))) {
            close(next);
            return -ENOENT;
        }
        current = next;
    }
    return current < 0 ? -errno : current;
}

static int look_in_both(const struct image_trees *trees, const char *path)
{
    bool hides = false;
    int found = trees->delta < 0 ? -ENOENT : look(trees->delta, path, &hides);
    return found != -ENOENT || hides ? found : look(trees->base, path, &hides);
}

/* `path` and then `more`, without "." and ".." components; what led here has no links left in it. */
static int join(char path[static PATH_MAX], const char *more)
{
    if (*more == '/')
        *path = '\0';
    for (; *more; more += strcspn(more, "/"), more += strspn(more, "/")) {
        size_t length = strcspn(more, "/"), have = strlen(path);
        if (length == 0 || (length == 1 && *more == '.'))
            continue;
        if (length == 2 && strncmp(more, "..", 2) == 0) {
            char *slash = strrchr(path, '/');
            *(slash ? slash : path) = '\0';
            continue;
        }
        if (have + length + 2 > PATH_MAX)
            return -ENAMETOOLONG;
        snprintf(path + have, PATH_MAX - have, "%s%.*s", have ? "/" : "", (int)length, more);
    }
    return 0;
}

static int open_handle(int handle)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
    int fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int image_trees_file(const struct image_trees *trees, const char *path)
{
    char done[PATH_MAX] = "", rest[PATH_MAX], target[PATH_MAX];
    int links = 0;
    if (snprintf(rest, sizeof(rest), "%s", path) >= (int)sizeof(rest))
        return -ENAMETOOLONG;
    for (const char *at = rest;;) {
        struct stat status;
        at += strspn(at, "/");
        size_t length = strcspn(at, "/"), before = strlen(done);
        char component[NAME_MAX + 1];
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        snprintf(component, sizeof(component), "%.*s", (int)length, at);
        int result = join(done, component);
        _cleanup_close_ int found = result < 0 ? result : look_in_both(trees, done);
        if (found < 0)
            return found;
        at += length;
        if (fstat(found, &status) < 0)
            return -errno;
        if (!S_ISLNK(status.st_mode)) {
            if (!at[strspn(at, "/")])
                return open_handle(found);
            continue;
        }
        ssize_t size = readlinkat(found, "", target, sizeof(target) - 1);
        if (size < 0 || ++links > LINK_LIMIT)
            return size < 0 ? -errno : -ELOOP;
        target[size] = '\0';
        char whole[PATH_MAX];
        if (snprintf(whole, sizeof(whole), "%s/%s", target, at) >= (int)sizeof(whole))
            return -ENAMETOOLONG;
        done[before] = '\0';
        if (*target == '/')
            *done = '\0';
        memcpy(rest, whole, sizeof(rest));
        at = rest;
    }
}
