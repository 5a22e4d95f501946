/* Contexts of builds that are archives: fetched, digested, and unpacked into build/contexts/DIGEST, DIGEST being that of
 * the archive.
 *
 * What comes from a server lies under downloads/ until it is unpacked, as images' files do; a file of the host is copied
 * first, so that what is digested is what is unpacked. Made under a temporary name that is locked as long as its maker
 * lives; the next one removes those that nobody holds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/build_effects.h"
#include "drivers/image/build_making.h"
#include "drivers/image/make.h"
#include "drivers/image/remote.h"
#include "drivers/image/streams.h"
#include "drivers/image/view_source.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

#define ARCHIVE_LIMIT ((int64_t)IMAGE_ARCHIVE_LIMIT)
#define TEMPORARY     ".tmp-"
#define WHOLE         "whole" /* what was unpacked, in the temporary folder */

struct context_making {
    const struct paths *paths;
    const struct image_make *request;
    const struct call *call;
    int store;                    /* build/contexts */
    int folder;                   /* the temporary one, locked */
    char temporary[NAME_MAX + 1]; /* its name; "": there is none */
    const char *url;              /* of the download; NULL */
    int archive;
    char digest[DIGEST_TEXT_SIZE];
    const char *origin;
    int64_t bytes;
};

/* ---- where it comes from ---- */

static const char *pinned(const struct image_make *request)
{
    return request->pin ? request->pin + strlen("sha256:") : NULL;
}

static int copy_archive(struct context_making *making, int source, struct error *error)
{
    static char piece[256 * 1024];
    const char *path = making->request->source;
    int64_t total = 0;
    ssize_t got;
    int copy = openat(making->store, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    _cleanup_digest_ struct digest *digest = digest_new();
    if (copy < 0)
        return error_errno(error, -errno, "build/contexts");
    making->archive = copy;
    while ((got = read(source, piece, sizeof(piece))) > 0) {
        int result = call_check(making->call);
        if ((total += got) > ARCHIVE_LIMIT)
            return error_set(error, -EFBIG, "%s: it has more than %lld bytes", path,
                             (long long)ARCHIVE_LIMIT);
        digest_add(digest, piece, (size_t)got);
        if (result == 0)
            result = bytes_write(copy, piece, (size_t)got);
        if (result < 0)
            return error_errno(error, result, "%s", path);
    }
    if (got < 0 || lseek(copy, 0, SEEK_SET) < 0)
        return error_errno(error, -errno, "%s", path);
    digest_finish(digest, making->digest);
    return 0;
}

static int take_file(struct context_making *making, struct error *error)
{
    const char *path = making->request->source, *wanted = pinned(making->request);
    struct stat status;
    /* O_NONBLOCK: a FIFO there must not hold us. */
    _cleanup_close_ int source = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0)
        return error_errno(error, -errno, "%s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, -EINVAL, "%s is no archive", path);
    int result = copy_archive(making, source, error);
    if (result == 0 && wanted && strcmp(wanted, making->digest) != 0)
        return error_set(error, -EBADMSG, "%s: expected sha256:%s, and it has sha256:%s", path, wanted,
                         making->digest);
    making->origin = arena_printf(making->call->arena, "sha256:%s", making->digest);
    return result;
}

static int download(struct context_making *making, const struct remote_request *get, const char *digest,
                    struct remote_answer *answer, struct error *error)
{
    making->url = get->url;
    int result = remote_download(making->paths, get, digest, making->call, answer, &making->archive, error);
    if (result == 0)
        snprintf(making->digest, sizeof(making->digest), "%s", answer->digest);
    return result;
}

static int take_address(struct context_making *making, struct error *error)
{
    const struct image_make *request = making->request;
    const struct remote_request get = {.url = request->source,
                                       .limit = ARCHIVE_LIMIT,
                                       .bounds = request->downloads,
                                       .offline = request->offline};
    struct remote_answer answer;
    int result = download(making, &get, pinned(request), &answer, error);
    if (result == 0 && strncasecmp(answer.type, "text/html", strlen("text/html")) == 0)
        return error_set(error, -EBADMSG, "%s: the server sends a web page and no archive", request->source);
    making->origin = arena_printf(making->call->arena, "sha256:%s", making->digest);
    return result;
}

/* What the index says vouches for it, and a key for the index, where the remote has one. */
static int take_published(struct context_making *making, struct error *error)
{
    const struct image_make *request = making->request;
    struct stream_image image;
    struct remote_answer answer;
    if (!request->remote->name || !request->remote->url)
        return error_set(error, -EINVAL, "%s: no remote is called so", request->source);
    int result = streams_resolve_recipe(request, making->call, &image, error);
    if (result < 0)
        return result;
    if (image.recipe.size > ARCHIVE_LIMIT)
        return error_set(error, -EFBIG, "%s: its recipe has more than %lld bytes", request->source,
                         (long long)ARCHIVE_LIMIT);
    const struct remote_request get = {.url = image.recipe.url,
                                       .ca = request->remote->ca,
                                       .limit = image.recipe.size,
                                       .bounds = request->downloads,
                                       .plain = remote_is_signed(request->remote),
                                       .guarded = image.is_public,
                                       .offline = request->offline};
    result = download(making, &get, image.recipe.digest, &answer, error);
    making->origin = arena_printf(making->call->arena, "%s sha256:%s", image.version, making->digest);
    return result;
}

static int take_archive(struct context_making *making, struct error *error)
{
    const char *source = making->request->source;
    return *source == '/'                                         ? take_file(making, error)
           : strncmp(source, "https://", strlen("https://")) == 0 ? take_address(making, error)
                                                                  : take_published(making, error);
}

/* ---- the folder ---- */

static bool has_name(int store, const char *name, int folder)
{
    struct stat named, opened;
    return fstatat(store, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(folder, &opened) == 0 &&
           named.st_ino == opened.st_ino;
}

static int remove_leftover(int store, const char *name, struct error *error)
{
    _cleanup_close_ int folder = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    if (flock(folder, LOCK_EX | LOCK_NB) < 0 || !has_name(store, name, folder))
        return 0; /* in the making */
    return tree_remove(store, name, error);
}

int build_contexts_settle(int store, struct error *error)
{
    int copy = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "build/contexts");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strncmp(item->d_name, TEMPORARY, strlen(TEMPORARY)) == 0)
            result = remove_leftover(store, item->d_name, error);
    closedir(directory);
    return result;
}

static int open_temporary(struct context_making *making, struct error *error)
{
    for (int tries = 0; tries < 100; tries++) {
        char name[NAME_MAX + 1];
        snprintf(name, sizeof(name), TEMPORARY "%d-%d", getpid(), tries);
        if (mkdirat(making->store, name, 0700) < 0 && errno != EEXIST)
            return error_errno(error, -errno, "cannot make build/contexts/%s", name);
        _cleanup_close_ int folder =
            openat(making->store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0 || !has_name(making->store, name, folder) ||
            mkdirat(folder, WHOLE, 0755) < 0)
            continue;
        snprintf(making->temporary, sizeof(making->temporary), "%s", name);
        making->folder = TAKE_FD(folder);
        return 0;
    }
    return error_set(error, -EAGAIN, "cannot make a folder in build/contexts");
}

/* The one folder that is all there is, as archives of a release have it; else NULL. */
static const char *only_folder(int whole, char name[static NAME_MAX + 1])
{
    int copy = openat(whole, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    size_t count = 0;
    struct stat status;
    if (!directory)
        return NULL;
    for (struct dirent *item; (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0) {
            snprintf(name, NAME_MAX + 1, "%s", item->d_name);
            count++;
        }
    closedir(directory);
    return count == 1 && fstatat(whole, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)
               ? name
               : NULL;
}

static int unpack_context(struct context_making *making, struct error *error)
{
    struct unpack_answer answer;
    char name[NAME_MAX + 1];
    int result = open_temporary(making, error);
    if (result < 0)
        return result;
    _cleanup_close_ int whole =
        openat(making->folder, WHOLE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (whole < 0)
        return error_errno(error, -errno, "build/contexts/%s", making->temporary);
    result =
        unpack_by("context", making->request->source, making->archive, whole, making->call, &answer, error);
    if (result < 0)
        return result;
    unpack_tell_skipped(making->call, answer.skipped);
    making->bytes = answer.bytes;
    const char *only = only_folder(whole, name);
    if ((only ? renameat(whole, only, making->folder, BUILD_CONTEXT_FOLDER)
              : renameat(making->folder, WHOLE, making->folder, BUILD_CONTEXT_FOLDER)) < 0)
        return error_errno(error, -errno, "cannot put the context in its place");
    return 0;
}

/* The note is written last, and all of it synced before it has its name. */
static int publish(struct context_making *making, struct error *error)
{
    const char *note = arena_printf(making->call->arena, "from %s\n", making->request->source);
    _cleanup_close_ int file =
        openat(making->folder, "note", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = file < 0 ? -errno : bytes_write(file, note, strlen(note));
    if (result < 0 || syncfs(making->folder) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot write the context's note");
    for (int tries = 0; tries < 2; tries++) {
        if (renameat(making->store, making->temporary, making->store, making->digest) == 0) {
            *making->temporary = '\0';
            return fsync(making->store) < 0 ? error_errno(error, -errno, "build/contexts") : 0;
        }
        if (build_view.context(making->paths, making->call->arena, making->digest))
            return 0; /* another was quicker */
        if ((result = tree_remove(making->store, making->digest, error)) <
            0) /* without its note it is none */
            return result;
    }
    return error_errno(error, -errno, "cannot name context %s", making->digest);
}

static void end(struct context_making *making, int result)
{
    if (*making->temporary)
        tree_remove(making->store, making->temporary, NULL);
    if (making->url && result != -ECANCELED && result != -ETIMEDOUT)
        remote_drop(making->paths, making->url);
    cleanup_close(&making->folder);
    cleanup_close(&making->archive);
    cleanup_close(&making->store);
}

static int make(struct context_making *making, struct error *error)
{
    making->store = build_folder_open(making->paths, BUILD_FOLDER_CONTEXTS, error);
    int result = making->store < 0 ? making->store : build_contexts_settle(making->store, error);
    if (result == 0)
        result = take_archive(making, error);
    if (result < 0 || build_view.context(making->paths, making->call->arena, making->digest))
        return result;
    result = unpack_context(making, error);
    return result < 0 ? result : publish(making, error);
}

int build_fetch_context(const struct paths *paths, const struct image_make *request, const struct call *call,
                        struct image_made *made, struct error *error)
{
    struct context_making making = {
        .paths = paths, .request = request, .call = call, .store = -1, .folder = -1, .archive = -1};
    int result = make(&making, error);
    end(&making, result);
    if (result < 0)
        return error_wrap(error, result, "recipe of image %s", request->name);
    made->digest = arena_strdup(call->arena, making.digest);
    made->origin = making.origin;
    made->bytes = making.bytes;
    described_whole(&image_made_table, made);
    return 0;
}
