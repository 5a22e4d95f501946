/* Images of simplestreams servers: the files are fetched and checked one by one and as a whole, the metadata is looked
 * at, and the root is unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/image/metadata.h"
#include "drivers/image/remote.h"
#include "drivers/image/squashed.h"
#include "drivers/image/store.h"
#include "drivers/image/streams.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

struct files {
    int whole, metadata, root;
};

static void close_files(struct files *files)
{
    cleanup_close(&files->whole);
    cleanup_close(&files->metadata);
    cleanup_close(&files->root);
}

/* ---- fetching ---- */

static int fetch_item(struct fetching *fetching, const struct stream_item *item, bool guarded, int *file,
                      struct error *error)
{
    const struct image_make *request = fetching->request;
    const struct remote_request get = {.url = item->url,
                                       .ca = request->remote->ca,
                                       .limit = item->size,
                                       .bounds = request->downloads,
                                       .plain = remote_is_signed(request->remote),
                                       .guarded = guarded,
                                       .offline = request->offline};
    const struct call *call = fetching->making->call;
    struct remote_answer answer;
    if (!item->url)
        return 0;
    *arena_append(call->arena, fetching->fetched.items, fetching->fetched.count) = item->url;
    int result = remote_download(fetching->making->paths, &get, item->digest, call, &answer, file, error);
    if (result == 0 && answer.bytes != item->size)
        result = error_set(error, -EBADMSG, "%s: expected %lld bytes, and %lld came", item->url,
                           (long long)item->size, (long long)answer.bytes);
    return result;
}

static int add_file(struct digest *digest, int file, const struct call *call)
{
    static char piece[256 * 1024];
    ssize_t got;
    for (int64_t at = 0; file >= 0 && (got = pread(file, piece, sizeof(piece), at)) != 0; at += got) {
        if (got < 0 || call_check(call) < 0)
            return got < 0 ? -errno : call_check(call);
        digest_add(digest, piece, (size_t)got);
    }
    return 0;
}

static int check_fingerprint(struct fetching *fetching, const struct stream_image *image,
                             const struct files *files, struct error *error)
{
    const struct image_make *request = fetching->request;
    const struct call *call = fetching->making->call;
    char fingerprint[DIGEST_TEXT_SIZE];
    _cleanup_digest_ struct digest *digest = digest_new();
    int result = add_file(digest, files->whole, call);
    if (result == 0)
        result = add_file(digest, files->metadata, call);
    if (result == 0)
        result = add_file(digest, files->root, call);
    digest_finish(digest, fingerprint);
    if (result < 0)
        return error_errno(error, result, "cannot read what was fetched");
    if (*image->fingerprint && strcmp(image->fingerprint, fingerprint) != 0)
        return error_set(error, -EBADMSG,
                         "%s: its files together have the fingerprint %s, and the server says %s",
                         request->source, fingerprint, image->fingerprint);
    if (request->pin && strcmp(request->pin + strlen("sha256:"), fingerprint) != 0)
        return error_set(error, -EBADMSG, "%s: expected %s, and what came has sha256:%s", request->source,
                         request->pin, fingerprint);
    fetching->making->origin = arena_printf(call->arena, "%s sha256:%s", image->version, fingerprint);
    return 0;
}

/* ---- unpacking ---- */

static int open_new(const struct image_making *making, const char *name, struct error *error)
{
    if (mkdirat(making->folder, name, 0755) < 0)
        return error_errno(error, -errno, "cannot make %s", name);
    int fd = openat(making->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(error, -errno, "%s", name) : fd;
}

static int take_metadata(struct fetching *fetching, int folder, struct error *error)
{
    struct arena *arena = fetching->making->call->arena;
    return metadata_take(folder, fetching->request->source, streams_machine(fetching->request, arena), arena,
                         &fetching->making->config, error);
}

static int unpack_metadata(struct fetching *fetching, int archive, struct error *error)
{
    struct image_making *making = fetching->making;
    _cleanup_close_ int folder = open_new(making, "metadata", error);
    int result =
        folder < 0 ? folder : unpack_archive(fetching->request->source, archive, folder, making->call, error);
    if (result == 0)
        result = take_metadata(fetching, folder, error);
    return result < 0 ? result : tree_remove(making->folder, "metadata", error);
}

/* The root lies in the archive's folder rootfs. */
static int unpack_whole(struct fetching *fetching, int archive, struct error *error)
{
    struct image_making *making = fetching->making;
    _cleanup_close_ int folder = open_new(making, "whole", error);
    int result =
        folder < 0 ? folder : unpack_archive(fetching->request->source, archive, folder, making->call, error);
    if (result == 0)
        result = take_metadata(fetching, folder, error);
    if (result < 0)
        return result;
    _cleanup_close_ int root = openat(folder, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_set(error, -EBADMSG, "%s: its rootfs is no folder", fetching->request->source);
    if (renameat(folder, "rootfs", making->folder, "root") < 0)
        return error_errno(error, -errno, "cannot put the root in its place");
    cleanup_close(&making->root);
    making->root = TAKE_FD(root);
    return tree_remove(making->folder, "whole", error);
}

static int check_remote(const struct image_make *request, struct error *error)
{
    return request->remote->name && request->remote->url
               ? 0
               : error_set(error, -EINVAL, "%s: no remote is called so", request->source);
}

int remote_image_look(const struct image_make *request, const struct call *call, struct image_looked *looked,
                      struct error *error)
{
    struct stream_image image;
    int result = check_remote(request, error);
    if (result == 0)
        result = streams_resolve(request, call, &image, error);
    if (result == 0)
        looked->origin = *image.fingerprint
                             ? arena_printf(call->arena, "%s sha256:%s", image.version, image.fingerprint)
                             : image.version;
    return result;
}

int remote_image_make(struct fetching *fetching, struct error *error)
{
    const struct image_make *request = fetching->request;
    struct image_making *making = fetching->making;
    struct files files = {-1, -1, -1};
    struct stream_image image;
    int result = check_remote(request, error);
    if (result == 0)
        result = streams_resolve(request, making->call, &image, error);
    if (result == 0)
        result = fetch_item(fetching, &image.whole, image.is_public, &files.whole, error);
    if (result == 0)
        result = fetch_item(fetching, &image.metadata, image.is_public, &files.metadata, error);
    if (result == 0)
        result = fetch_item(fetching, &image.root, image.is_public, &files.root, error);
    if (result == 0)
        result = check_fingerprint(fetching, &image, &files, error);
    if (result == 0 && image.whole.url)
        result = unpack_whole(fetching, files.whole, error);
    else if (result == 0 && (result = unpack_metadata(fetching, files.metadata, error)) == 0)
        result = squashed_make(making, request->source, files.root, error);
    close_files(&files);
    return result;
}
