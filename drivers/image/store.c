/* The image store: made under a temporary name, digested, synced, renamed to the digest.
 *
 * Who makes an image holds a lock of its ".tmp-" folder as long as he lives; a ".tmp-" folder that nobody holds is a
 * leftover of a crash and goes before the next image is made. */
#include "drivers/image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/storage/data.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "drivers/storage/view_system.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define TEMPORARY_PREFIX ".tmp-"

static int remove_leftovers(int store, struct error *error);
static int open_temporary(struct image_making *making, struct error *error);

int image_making_begin(struct image_making *making, struct error *error)
{
    int result = folder_make(making->paths->images, 0700, error);
    if (result < 0)
        return result;
    making->store = open(making->paths->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (making->store < 0)
        return error_errno(error, -errno, "%s", making->paths->images);
    result = remove_leftovers(making->store, error);
    if (result == 0)
        result = open_temporary(making, error);
    if (result < 0)
        return result;
    making->root = openat(making->folder, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return making->root < 0 ? error_errno(error, -errno, "images/%s/root", making->temporary) : 0;
}

void image_making_end(struct image_making *making)
{
    if (*making->temporary)
        tree_remove(making->store, making->temporary, NULL);
    cleanup_close(&making->root);
    cleanup_close(&making->folder);
    cleanup_close(&making->store);
    *making = NO_IMAGE_MAKING;
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
static int open_temporary(struct image_making *making, struct error *error)
{
    static unsigned number;
    char name[NAME_MAX + 1];
    for (int tries = 0; tries < 100; tries++) {
        struct stat named, locked;
        snprintf(name, sizeof(name), TEMPORARY_PREFIX "%d-%u", getpid(), number++);
        if (mkdirat(making->store, name, 0700) < 0 && errno != EEXIST)
            return error_errno(error, -errno, "cannot make images/%s", name);
        _cleanup_close_ int folder =
            openat(making->store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0)
            continue;
        if (fstatat(making->store, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || fstat(folder, &locked) < 0 ||
            named.st_ino != locked.st_ino)
            continue;
        if (mkdirat(folder, "root", 0755) < 0 || fchmodat(folder, "root", 0755, 0) < 0)
            return error_errno(error, -errno, "cannot make images/%s/root", name);
        snprintf(making->temporary, sizeof(making->temporary), "%s", name);
        making->folder = TAKE_FD(folder);
        return 0;
    }
    return error_set(error, -EAGAIN, "cannot make a folder in %s", making->paths->images);
}

/* ---- the end ---- */

static int write_file(const struct image_making *making, const char *file, const char *text,
                      struct error *error)
{
    _cleanup_close_ int fd = openat(making->folder, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, text, strlen(text));
    return result < 0 ? error_errno(error, result, "cannot write the image's %s", file) : 0;
}

/* What views cannot look at without mounting it: view_system.h. */
static int write_system(const struct image_making *making, struct error *error)
{
    struct image_system system;
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_image_trees_ struct image_trees below = NO_IMAGE_TREES;
    struct arena *arena = making->call->arena;
    bool hidden =
        *making->squashed || (making->lower && lower_needs_mount(making->paths->store, making->lower, arena));
    if (!hidden)
        return 0;
    int result = making->lower ? image_trees_open(making->paths->store, making->lower, &below, error) : 0;
    if (result < 0)
        return result;
    const struct image_trees trees = {.delta = making->lower ? making->root : -1,
                                      .base = making->lower ? below.base : making->root};
    image_system_find(&trees, arena, &system);
    image_system_print(&system, &text);
    return write_file(making, IMAGE_SYSTEM, text.bytes, error);
}

/* One sync of the whole file system instead of one a file. */
static int write_notes(const struct image_making *making, int64_t bytes, struct error *error)
{
    _cleanup_buffer_ struct buffer note = {0};
    buffer_printf(&note, "bytes %lld\nname %s\n", (long long)bytes, making->name);
    if (making->lower)
        buffer_printf(&note, "lower %s\n", making->lower);
    if (*making->squashed)
        buffer_printf(&note, "squashfs %s\n", making->squashed);
    int result = making->config ? write_file(making, "config", making->config, error) : 0;
    if (result == 0)
        result = write_system(making, error);
    if (result == 0)
        result = write_file(making, "complete", note.bytes, error);
    if (result == 0 && syncfs(making->folder) < 0)
        result = error_errno(error, -errno, "cannot sync the image");
    return result;
}

static int publish(struct image_making *making, const char *digest, struct error *error)
{
    char note[DIGEST_TEXT_SIZE + 16];
    snprintf(note, sizeof(note), "%s/complete", digest);
    for (int tries = 0; tries < 2; tries++) {
        if (renameat(making->store, making->temporary, making->store, digest) == 0) {
            *making->temporary = '\0';
            return fsync(making->store) < 0 ? error_errno(error, -errno, "%s", making->paths->images) : 0;
        }
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
        if (faccessat(making->store, note, F_OK, 0) == 0)
            return 0;
        int result = tree_remove(making->store, digest, error); /* without its note it is no image */
        if (result < 0)
            return result;
    }
    return error_errno(error, -errno, "cannot name image %s", digest);
}

int image_making_finish(struct image_making *making, struct image_made *made, struct error *error)
{
    char tree[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
    int64_t bytes;
    int result = image_digest(making->root, making->call, tree, &bytes, error);
    if (result < 0)
        return result;
    image_name_digest(making->lower, tree, making->config, making->epoch, digest);
    result = write_notes(making, bytes, error);
    if (result == 0)
        result = publish(making, digest, error);
    if (result < 0)
        return result;
    made->digest = arena_strdup(making->call->arena, digest);
    made->bytes = bytes;
    made->config = making->config;
    made->origin = making->origin;
    made->lower = making->lower;
    described_whole(&image_made_table, made);
    return 0;
}

/* ---- who stands on whom ---- */

int image_check_no_delta(const struct paths *paths, const char *digest, struct error *error)
{
    DIR *directory = opendir(paths->images);
    int result = 0;
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", paths->images);
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        char lower[DIGEST_TEXT_SIZE];
        if (item->d_name[0] != '.' && image_lower(paths->store, item->d_name, lower, NULL) == 0 &&
            strcmp(lower, digest) == 0)
            result = error_set(error, -EBUSY, "image %s stands on image %s", item->d_name, digest);
    }
    closedir(directory);
    return result;
}
