#include "drivers/image/oci_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
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

struct fetch { /* what fpsync-fetch said */
    struct error *error;
    struct oci_packed packed;
    bool done, failed;
};

static void hear(void *context, const char *line)
{
    struct fetch *fetch = context;
    long long size;
    if (sscanf(line, "done %*d %*d %*d %64[0-9a-f] %64[0-9a-f] %lld", fetch->packed.digest,
               fetch->packed.diff, &size) == 3) {
        fetch->packed.size = size;
        fetch->done = true;
    } else if (strncmp(line, "error ", 6) == 0) {
        error_set(fetch->error, -EIO, "%s", line + 6);
        fetch->failed = true;
    }
}

static int request_file(const struct json *request, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_close_ int fd = memfd_create("request", MFD_CLOEXEC);
    json_print(request, false, &text);
    if (fd < 0)
        return error_errno(error, -errno, "cannot write a request");
    int result = bytes_write(fd, text.bytes, text.length);
    if (result < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot write a request");
    return TAKE_FD(fd);
}

static int run_pack(int part, int tree, int request, const struct call *call, struct fetch *fetch,
                    struct error *error)
{
    char program[PATH_MAX];
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    char *const arguments[] = {program, (char[]){"pack"}, NULL};
    const struct program run = {.arguments = arguments,
                                .input = request,
                                .target = part,
                                .second = tree,
                                .line = hear,
                                .context = fetch};
    result = program_run(&run, call, error);
    if (result < 0)
        return result;
    if (fetch->failed)
        return -EIO;
    return result != 0 || !fetch->done
               ? error_set(error, -EIO, "fpsync-fetch ended with status %d and no result", result)
               : 0;
}

int oci_pack(int layout, int tree, const struct json *request, const struct call *call,
             struct oci_packed *packed, struct error *error)
{
    struct fetch fetch = {.error = error};
    _cleanup_close_ int part = open_part(layout, error);
    if (part < 0)
        return part;
    _cleanup_close_ int asked = request_file(request, error);
    int result = asked < 0 ? asked : run_pack(part, tree, asked, call, &fetch, error);
    if (result == 0)
        result = name_part(layout, part, blob_path(call->arena, fetch.packed.digest), error);
    if (result < 0)
        unlinkat(layout, PART, 0);
    *packed = fetch.packed;
    return result;
}
