/* ADD of addresses: what they hold is fetched into a folder of the builds, under its digest. It is not synced, and so its
 * digest is looked at again by who takes it from there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/build_effects.h"
#include "drivers/image/build_making.h"
#include "drivers/image/remote.h"
#include "lib/digest.h"
#include "lib/error.h"

#define PIECE_SIZE ((size_t)64 * 1024)

static int digest_file(int file, const struct call *call, char text[static DIGEST_TEXT_SIZE])
{
    _cleanup_free_ char *piece = malloc(PIECE_SIZE);
    _cleanup_digest_ struct digest *digest = digest_new();
    for (ssize_t got = 1; got > 0;) {
        int result = piece ? call_check(call) : -ENOMEM;
        if (result < 0)
            return result;
        got = read(file, piece, PIECE_SIZE);
        if (got < 0)
            return -errno;
        digest_add(digest, piece, (size_t)got);
    }
    digest_finish(digest, text);
    return lseek(file, 0, SEEK_SET) < 0 ? -errno : 0;
}

int build_fetched_open(const struct paths *paths, const char *digest, const struct call *call,
                       struct error *error)
{
    char found[DIGEST_TEXT_SIZE];
    _cleanup_close_ int folder = build_folder_open(paths, BUILD_FOLDER_FETCHED, error);
    int result = folder < 0 ? folder : build_check_key(digest, error);
    if (result < 0)
        return result;
    _cleanup_close_ int file = openat(folder, digest, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return error_errno(error, -errno, "what was fetched");
    result = digest_file(file, call, found);
    if (result < 0)
        return error_errno(error, result, "what was fetched");
    if (strcmp(found, digest) != 0) {
        unlinkat(folder, digest, 0);
        return error_set(error, -EBADMSG, "what was fetched is damaged: build again");
    }
    return TAKE_FD(file);
}

static int keep(const struct paths *paths, int file, const char *digest, struct error *error)
{
    char link[64];
    _cleanup_close_ int folder = build_folder_open(paths, BUILD_FOLDER_FETCHED, error);
    if (folder < 0)
        return folder;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, link, folder, digest, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST
               ? error_errno(error, -errno, "cannot keep what was fetched")
               : 0;
}

int build_address_fetch(const struct paths *paths, const struct build_address *request,
                        const struct call *call, struct build_fetched *fetched, struct error *error)
{
    const struct remote_request get = {.url = request->url,
                                       .limit = INT64_MAX,
                                       .bounds = request->downloads,
                                       .guarded = request->guarded,
                                       .offline = request->offline};
    struct remote_answer answer = {0};
    int there = request->digest ? build_fetched_open(paths, request->digest, call, NULL) : -1, file = -1;
    fetched->digest = request->digest;
    if (there >= 0) {
        close(there);
        described_whole(&build_fetched_table, fetched);
        return 0;
    }
    int result = remote_download(paths, &get, request->digest, call, &answer, &file, error);
    _cleanup_close_ int got = file;
    if (result == 0)
        result = keep(paths, got, answer.digest, error);
    if (result < 0)
        return error_wrap(error, result, "ADD %.*s", (int)strcspn(request->url, "?"), request->url);
    remote_drop(paths, request->url);
    fetched->digest = arena_strdup(call->arena, answer.digest);
    described_whole(&build_fetched_table, fetched);
    return 0;
}
