#include "drivers/image/tar_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/packing.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/view_image.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"

const char *tar_export_compression(const char *path)
{
    static const char *const ends[][2] = {
        {".tar", "none"}, {".tar.gz", "gzip"}, {".tar.xz", "xz"}, {".tar.zst", "zstd"}};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const size_t end = strlen(ends[i][0]);
        if (length > end && strcmp(path + length - end, ends[i][0]) == 0)
            return ends[i][1];
    }
    return NULL;
}

static int pack(const struct paths *paths, const struct image_export *request, int file,
                const struct call *call, struct packed *packed, struct error *error)
{
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    _cleanup_json_ struct json *asked = json_new_object();
    struct json *opaque = json_set(asked, "opaque", json_new_array());
    int result = image_trees_open(paths->store, request->digest, &trees, error);
    if (result == 0 && trees.delta >= 0)
        result = delta_list_opaque(trees.delta, opaque, error);
    json_set(asked, "compression", json_new_text(tar_export_compression(request->path)));
    json_set(asked, "devices", json_new_bool(true));
    json_set(asked, "lists", json_new_bool(true));
    return result < 0 ? result : pack_trees(&trees, file, asked, call, packed, error);
}

/* It has no name before it is whole. */
static int give_name(int folder, int file, const char *path, struct error *error)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    if (fchmod(file, 0600) < 0 || fsync(file) < 0 ||
        linkat(AT_FDCWD, link, folder, strrchr(path, '/') + 1, AT_SYMLINK_FOLLOW) < 0 || fsync(folder) < 0)
        return error_errno(error, -errno, "%s", path);
    return 0;
}

int tar_export(const struct paths *paths, const struct image_export *request, const struct call *call,
               struct image_exported *exported, struct error *error)
{
    const char *path = request->path;
    struct packed packed;
    if (*path != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", path);
    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(error, -EEXIST, "%s is there already", path);
    const char *above = arena_strndup(call->arena, path, (size_t)(strrchr(path, '/') - path) + 1);
    _cleanup_close_ int folder = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int file = folder < 0 ? -1 : openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0)
        return error_errno(error, -errno, "%s", above);
    int result = pack(paths, request, file, call, &packed, error);
    if (result == 0)
        result = give_name(folder, file, path, error);
    if (result < 0)
        return result;
    if (packed.skipped && call->progress)
        call->progress(call->context,
                       arena_printf(call->arena,
                                    "left out %lld sockets, and access lists that cannot be read",
                                    (long long)packed.skipped));
    exported->digest = arena_printf(call->arena, "sha256:%s", packed.digest);
    exported->bytes = packed.size;
    described_whole(&image_exported_table, exported);
    return 0;
}
