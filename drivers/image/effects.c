/* The image store's effects: made under a temporary name, digested, synced, renamed to the digest.
 *
 * Who makes an image holds a lock of its ".tmp-" folder as long as he lives; a ".tmp-" folder that nobody holds is a
 * leftover of a crash and goes before the next image is made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/storage/data.h"
#include "drivers/storage/in_use.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

#define TEMPORARY_PREFIX ".tmp-"

struct making {
    const struct paths *paths;
    const struct image_make *request;
    const struct call *call;
    int store;               /* folder images/ */
    char name[NAME_MAX + 1]; /* of the temporary folder in it */
    int folder;              /* that folder, locked */
};

static int check_digest(const char *digest, struct error *error)
{
    if (strlen(digest) != DIGEST_TEXT_SIZE - 1 || strspn(digest, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1)
        return error_set(error, -EINVAL, "\"%s\" is not the digest of an image", digest);
    return 0;
}

static int remove_leftover(int store, const char *name, struct error *error)
{
    _cleanup_close_ int folder = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    if (flock(folder, LOCK_EX | LOCK_NB) < 0)
        return 0; /* in the making */
    return tree_remove(store, name, error);
}

static int remove_leftovers(int store, struct error *error)
{
    int copy = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "images");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strncmp(item->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0)
            result = remove_leftover(store, item->d_name, error);
    closedir(directory);
    return result;
}

/* Another process may take the folder for a leftover between mkdir and flock: then it has no name any more. */
static int open_temporary(struct making *making, struct error *error)
{
    static unsigned number;
    for (int tries = 0; tries < 100; tries++) {
        struct stat named, locked;
        snprintf(making->name, sizeof(making->name), TEMPORARY_PREFIX "%d-%u", getpid(), number++);
        if (mkdirat(making->store, making->name, 0700) < 0 && errno != EEXIST)
            return error_errno(error, -errno, "cannot make images/%s", making->name);
        _cleanup_close_ int folder =
            openat(making->store, making->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0)
            continue;
        if (fstatat(making->store, making->name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            fstat(folder, &locked) < 0 || named.st_ino != locked.st_ino)
            continue;
        if (mkdirat(folder, "root", 0755) < 0 || fchmodat(folder, "root", 0755, 0) < 0)
            return error_errno(error, -errno, "cannot make images/%s/root", making->name);
        making->folder = TAKE_FD(folder);
        return 0;
    }
    return error_set(error, -EAGAIN, "cannot make a folder in %s", making->paths->images);
}

static int fill(const struct making *making, int root, struct error *error)
{
    static const char bootstrap[] = "bootstrap:", file[] = "file:";
    const char *source = making->request->source;
    if (strncmp(source, file, strlen(file)) == 0) {
        if (making->request->packages.count)
            return error_set(error, -EINVAL, "packages belong to bootstrap: sources only");
        return file_make(source + strlen(file), root, making->call, error);
    }
    if (strncmp(source, bootstrap, strlen(bootstrap)) != 0)
        return error_set(error, -EINVAL, "\"%s\" is not a source: expected bootstrap:SUITE or file:PATH",
                         source);
    char target[PATH_MAX];
    snprintf(target, sizeof(target), "%s/%s/root", making->paths->images, making->name);
    return bootstrap_make(source + strlen(bootstrap), &making->request->packages, target, making->call,
                          error);
}

static int write_note(const struct making *making, int64_t bytes, struct error *error)
{
    _cleanup_close_ int fd =
        openat(making->folder, "complete", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "bytes %lld\nname %s\n", (long long)bytes, making->request->name) < 0)
        return error_errno(error, -errno, "cannot write the image's note");
    /* One sync of the whole file system instead of one a file. */
    return syncfs(fd) < 0 ? error_errno(error, -errno, "cannot sync the image") : 0;
}

/* Under its digest; whoever was quicker with the same one has won, and ours goes. */
static int publish(const struct making *making, const char *digest, struct error *error)
{
    char note[DIGEST_TEXT_SIZE + 16];
    snprintf(note, sizeof(note), "%s/complete", digest);
    for (int tries = 0; tries < 2; tries++) {
        if (renameat(making->store, making->name, making->store, digest) == 0)
            return fsync(making->store) < 0 ? error_errno(error, -errno, "%s", making->paths->images) : 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
        if (faccessat(making->store, note, F_OK, 0) == 0)
            return tree_remove(making->store, making->name, error);
        int result = tree_remove(making->store, digest, error); /* without its note it is no image */
        if (result < 0)
            return result;
    }
    return error_errno(error, -errno, "cannot name image %s", digest);
}

static int make_into(struct making *making, struct image_made *made, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    int64_t bytes;
    int result = open_temporary(making, error);
    if (result < 0)
        return result;
    _cleanup_close_ int root =
        openat(making->folder, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "images/%s/root", making->name);
    result = fill(making, root, error);
    if (result == 0)
        result = image_digest(root, making->call, digest, &bytes, error);
    if (result == 0)
        result = write_note(making, bytes, error);
    if (result == 0)
        result = publish(making, digest, error);
    if (result < 0) {
        tree_remove(making->store, making->name, NULL);
        return result;
    }
    made->digest = arena_strdup(making->call->arena, digest);
    made->bytes = bytes;
    field_mark(&image_made_table, made, offsetof(struct image_made, digest));
    field_mark(&image_made_table, made, offsetof(struct image_made, bytes));
    return 0;
}

static int make(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_made *made, struct error *error)
{
    struct making making = {.paths = paths, .request = request, .call = call, .folder = -1};
    int result = folder_make(paths->images, 0700, error);
    if (result < 0)
        return result;
    _cleanup_close_ int store = open(paths->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store < 0)
        return error_errno(error, -errno, "%s", paths->images);
    making.store = store;
    result = remove_leftovers(store, error);
    if (result == 0)
        result = make_into(&making, made, error);
    cleanup_close(&making.folder);
    return result < 0 ? error_wrap(error, result, "image %s", request->name) : 0;
}

static int remove_image(const struct paths *paths, const struct image_reference *request,
                        const struct call *call, struct error *error)
{
    (void)call;
    int result = check_digest(request->digest, error);
    if (result == 0 && request->left)
        return tree_remove_leftovers(paths->images, request->digest, error);
    if (result == 0)
        result = image_check_unused(paths, request->digest, error);
    return result < 0 ? result : tree_remove_from_store(paths->images, request->digest, error);
}

const struct image_effects image_effects = {.make = make, .remove = remove_image};
