#include "drivers/image/packing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/json.h"

struct hearing { /* what fpsync-fetch said */
    struct error *error;
    struct packed packed;
    bool done, failed;
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    struct packed *packed = &hearing->packed;
    long long skipped, size;
    if (sscanf(line, "done %*d %*d %lld %64[0-9a-f] %64[0-9a-f] %lld", &skipped, packed->digest, packed->diff,
               &size) == 4) {
        packed->skipped = skipped;
        packed->size = size;
        hearing->done = true;
    } else if (strncmp(line, "error ", 6) == 0) {
        error_set(hearing->error, -EIO, "%s", line + 6);
        hearing->failed = true;
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

int pack_trees(const struct image_trees *trees, int file, const struct json *request, const struct call *call,
               struct packed *packed, struct error *error)
{
    char program[PATH_MAX];
    struct hearing hearing = {.error = error};
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    _cleanup_close_ int asked = request_file(request, error);
    if (asked < 0)
        return asked;
    char *const arguments[] = {program, (char[]){"pack"}, NULL};
    const bool merges = trees->delta >= 0;
    const struct program run = {.arguments = arguments,
                                .input = asked,
                                .target = file,
                                .second = merges ? trees->delta : trees->base,
                                .third = merges ? trees->base : 0,
                                .line = hear,
                                .context = &hearing};
    result = program_run(&run, call, error);
    if (result < 0 || hearing.failed)
        return result < 0 ? result : -EIO;
    *packed = hearing.packed;
    return result != 0 || !hearing.done
               ? error_set(error, -EIO, "fpsync-fetch ended with status %d and no result", result)
               : 0;
}

/* ---- folders of a delta that hide what the base has there ---- */

static int add_opaque(int folder, const char *path, struct json *list, int depth, struct error *error);

static int look_into(int folder, const char *name, const char *path, struct json *list, int depth,
                     struct error *error)
{
    char value[1], own[PATH_MAX];
    _cleanup_close_ int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : error_errno(error, -errno, "%s", path);
    int length = snprintf(own, sizeof(own), "%s%s%s", path, *path ? "/" : "", name);
    if ((size_t)length >= sizeof(own) || depth > 256)
        return error_set(error, -ENAMETOOLONG, "%.200s: too deep", path);
    if (fgetxattr(inner, "trusted.overlay.opaque", value, 1) == 1 && *value == 'y')
        json_append(list, json_new_text(own));
    return add_opaque(inner, own, list, depth + 1, error);
}

static int add_opaque(int folder, const char *path, struct json *list, int depth, struct error *error)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "%s", path);
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (item->d_type == DT_DIR && strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            result = look_into(folder, item->d_name, path, list, depth, error);
    closedir(directory);
    return result;
}

int delta_list_opaque(int delta, struct json *list, struct error *error)
{
    return add_opaque(delta, "", list, 0, error);
}
