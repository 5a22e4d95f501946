#include "drivers/image/oci_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/packing.h"
#include "drivers/storage/view_image.h"
#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/json.h"

#define PART "blobs/.part" /* what is being written; a later export begins it anew */

void oci_describe(struct json *descriptor, struct arena *arena, const char *type, const char *digest,
                  int64_t size)
{
    json_set(descriptor, "mediaType", json_new_text(type));
    json_set(descriptor, "digest", json_new_text(arena_printf(arena, "sha256:%s", digest)));
    json_set(descriptor, "size", json_new_number(size));
}

static int open_part(int layout, struct error *error)
{
    if (unlinkat(layout, PART, 0) < 0 && errno != ENOENT)
        return error_errno(error, -errno, PART);
    int fd = openat(layout, PART, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 || fchmod(fd, 0644) < 0 ? error_errno(error, -errno, PART) : fd;
}

static int name_part(int layout, int fd, const char *name, struct error *error)
{
    if (fsync(fd) < 0 || renameat(layout, PART, layout, name) < 0)
        return error_errno(error, -errno, "%s", name);
    return 0;
}

int oci_write_file(int layout, const char *name, const char *text, struct error *error)
{
    _cleanup_close_ int fd = open_part(layout, error);
    if (fd < 0)
        return fd;
    int result = bytes_write(fd, text, strlen(text));
    if (result < 0)
        return error_errno(error, result, "%s", name);
    result = name_part(layout, fd, name, error);
    return result == 0 && fsync(layout) < 0 ? error_errno(error, -errno, "%s", name) : result;
}

static const char *blob_path(struct arena *arena, const char *digest)
{
    return arena_printf(arena, "blobs/sha256/%s", digest);
}

int oci_write_document(int layout, struct arena *arena, const struct json *document, const char *type,
                       struct json *descriptor, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    json_print(document, false, &text);
    digest_of(text.bytes, text.length, digest);
    oci_describe(descriptor, arena, type, digest, (int64_t)text.length);
    return oci_write_file(layout, blob_path(arena, digest), text.bytes, error);
}

int oci_pack(int layout, int tree, const struct json *request, const struct call *call, struct packed *packed,
             struct error *error)
{
    const struct image_trees trees = {.delta = -1, .base = tree};
    _cleanup_close_ int part = open_part(layout, error);
    if (part < 0)
        return part;
    int result = pack_trees(&trees, part, request, call, packed, error);
    if (result == 0)
        result = name_part(layout, part, blob_path(call->arena, packed->digest), error);
    if (result < 0)
        unlinkat(layout, PART, 0);
    return result;
}
