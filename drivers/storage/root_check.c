/* What can be said of a root before anything is stopped for it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "drivers/storage/bind.h"
#include "drivers/storage/data.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/root.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/view_image.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/error.h"

#define FOLDERS ((off_t)64 * 1024) /* bytes on disk for folders on the way, and overlay's own */
#define BLOCK   ((off_t)4096)

int root_check_name(const char *lxc_name, struct error *error)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(lxc_name);
    if (length == 0 || length > 128 || strspn(lxc_name, legal) != length || *lxc_name == '.' ||
        *lxc_name == '-')
        return error_set(error, -EINVAL, "\"%s\" is not the name of a container", lxc_name);
    return 0;
}

static int is_whole(const struct paths *paths, const char *digest, struct error *error)
{
    char complete[PATH_MAX];
    if (!digest || strlen(digest) != DIGEST_TEXT_SIZE - 1 ||
        strspn(digest, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1)
        return error_set(error, -EINVAL, "\"%s\" is not the digest of an image", digest ? digest : "");
    snprintf(complete, sizeof(complete), "%s/%s/complete", paths->images, digest);
    if (access(complete, F_OK) == 0)
        return 0;
    return errno == ENOENT
               ? error_set(error, -ENOENT, "image %s is not whole in the store: fpsync apply brings it back",
                           digest)
               : error_errno(error, -errno, "image %s", digest);
}

int root_check_request(const struct paths *paths, const struct root_mount *request, struct error *error)
{
    int result = root_check_name(request->lxc_name, error);
    if (result == 0)
        result = data_check_name(request->layer, error);
    for (size_t i = 0; result == 0 && i < request->volumes.count; i++) {
        const struct root_volume *volume = request->volumes.items[i];
        result = data_check_name(volume->file, error);
        if (result == 0 && !guest_path_is_clean(volume->path))
            result = error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", volume->path);
    }
    for (size_t i = 0; result == 0 && i < request->binds.count; i++)
        if (!guest_path_is_clean(((const struct root_bind *)request->binds.items[i])->path))
            result = error_set(error, -EINVAL, "\"%s\" is not a clean absolute path",
                               ((const struct root_bind *)request->binds.items[i])->path);
    if (result < 0)
        return result;
    char lower[DIGEST_TEXT_SIZE];
    result = is_whole(paths, request->digest, error);
    if (result == 0)
        result = image_lower(paths->store, request->digest, lower, error);
    return result == 0 && *lower ? is_whole(paths, lower, error) : result;
}

/* Written with a name for nobody, and gone with its handle. Where the store cannot do that, the mount will tell. */
static int has_room(const struct paths *paths, const struct list *files, struct error *error)
{
    off_t needed = FOLDERS;
    for (size_t i = 0; i < files->count; i++) {
        const struct root_file *file = files->items[i];
        needed += (file->content ? (off_t)strlen(file->content) : 0) + BLOCK;
    }
    _cleanup_close_ int fd = open(paths->store, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    int failed = fd < 0 ? errno : posix_fallocate(fd, 0, needed);
    return failed == ENOSPC || failed == EDQUOT || failed == EROFS
               ? error_errno(error, -failed, "%s has no room for its files", paths->store)
               : 0;
}

static int open_image(const struct paths *paths, const char *digest, struct error *error)
{
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    return image_trees_open(paths->store, digest, &trees, error);
}

int root_check(const struct paths *paths, const struct root_mount *request, const struct call *call,
               struct error *error)
{
    (void)call;
    int result = root_check_request(paths, request, error);
    if (result == 0)
        result = open_image(paths, request->digest, error);
    for (size_t i = 0; result == 0 && i < request->binds.count; i++)
        result = bind_check(request->binds.items[i], error);
    if (result == 0)
        result = has_room(paths, &request->files, error);
    return result < 0 ? error_wrap(error, result, "root of %s", request->lxc_name) : 0;
}
