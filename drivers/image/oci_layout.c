/* Layouts: folders with blobs in them, or tar archives of such. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "drivers/image/store.h"
#include "drivers/storage/tree.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/machine.h"

/* A regular file below the layout; O_NONBLOCK: a FIFO there must not hold us. Links within it are followed, as older
 * dockers have some. */
static int open_file(int layout, const char *path, struct error *error)
{
    struct stat status;
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    _cleanup_close_ int fd = (int)syscall(SYS_openat2, layout, path, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, -errno, "%s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, -EINVAL, "%s is not a file", path);
    return TAKE_FD(fd);
}

static int open_blob(void *context, const struct oci_descriptor *descriptor, struct error *error)
{
    char path[128];
    snprintf(path, sizeof(path), "blobs/sha256/%s", descriptor->digest);
    return open_file(*(const int *)context, path, error);
}

bool oci_is_layout(int folder)
{
    _cleanup_close_ int index = open_file(folder, "index.json", NULL);
    _cleanup_close_ int mark = open_file(folder, "oci-layout", NULL);
    _cleanup_close_ int saved = open_file(folder, "manifest.json", NULL);
    return (index >= 0 && mark >= 0) || saved >= 0;
}

static int read_json(int layout, const char *name, struct json **value, struct error *error)
{
    char path[64];
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_close_ int fd = open_file(layout, name, error);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int result = buffer_read_file(&text, AT_FDCWD, path, OCI_DOCUMENT_LIMIT, error);
    if (result == 0)
        result = json_parse(text.bytes, text.length, value, error);
    return result < 0 ? error_wrap(error, result, "%s", name) : 0;
}

static int make_of_index(struct image_making *making, const struct oci_source *source, int layout,
                         const char *tag, struct error *error)
{
    struct oci_descriptor top;
    _cleanup_json_ struct json *mark = NULL, *index = NULL;
    int result = read_json(layout, "oci-layout", &mark, error);
    if (result < 0)
        return result;
    const char *version = json_as_text(json_get(mark, "imageLayoutVersion"));
    if (!version || strncmp(version, "1.", 2) != 0)
        return error_set(error, -EINVAL, "it is a layout of the version %.16s, and 1.0.0 is known",
                         version ? version : "(none)");
    result = read_json(layout, "index.json", &index, error);
    if (result == 0)
        result = oci_select(index, tag, source->arch, making->call->arena, &top, error);
    return result < 0 ? result : oci_make(making, source, top, error);
}

/* ---- what `docker save` wrote before it wrote layouts ---- */

static const struct json *find_saved(const struct json *list, const char *tag, struct error *error)
{
    if (!tag && json_length(list) > 1) {
        error_set(error, -EINVAL, "it holds several images; put :TAG after it");
        return NULL;
    }
    for (size_t i = 0; i < json_length(list); i++) {
        const struct json *item = json_at(list, i), *names = json_get(item, "RepoTags");
        if (!tag)
            return item;
        for (size_t j = 0; j < json_length(names); j++) {
            const char *name = json_as_text(json_at(names, j)), *colon = name ? strrchr(name, ':') : NULL;
            if (colon && strcmp(colon + 1, tag) == 0)
                return item;
        }
    }
    error_set(error, -ENOENT, "no image is called \"%.64s\"", tag ? tag : "");
    return NULL;
}

static int make_saved_layer(struct image_making *making, const struct oci_source *source, int layout,
                            const char *path, const char *expected, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE], diff[DIGEST_TEXT_SIZE];
    if (!path)
        return error_set(error, -EBADMSG, "a layer has no name");
    _cleanup_close_ int blob = open_file(layout, path, error);
    if (blob < 0)
        return blob;
    int result = oci_unpack_layer(source, blob, making->root, making->call, digest, diff, error);
    if (result == 0 && strcmp(diff, expected) != 0)
        return error_set(error, -EBADMSG, "layer %.80s is not the one of the config's diff_ids", path);
    return result;
}

static int make_of_saved(struct image_making *making, const struct oci_source *source, int layout,
                         const char *tag, struct error *error)
{
    const char(*diffs)[DIGEST_TEXT_SIZE];
    _cleanup_json_ struct json *list = NULL, *config = NULL;
    int result = read_json(layout, "manifest.json", &list, error);
    const struct json *item = result < 0 ? NULL : find_saved(list, tag, error);
    if (!item)
        return result < 0 ? result : error->code;
    const char *name = json_as_text(json_get(item, "Config"));
    result = name ? read_json(layout, name, &config, error) : error_set(error, -EBADMSG, "it has no config");
    const struct json *layers = json_get(item, "Layers");
    if (result == 0)
        result = oci_take_config(making, source, config, json_length(layers), &diffs, error);
    for (size_t i = 0; result == 0 && i < json_length(layers); i++) {
        result = make_saved_layer(making, source, layout, json_as_text(json_at(layers, i)), diffs[i], error);
        if (result < 0)
            error_wrap(error, result, "layer %zu of %zu", i + 1, json_length(layers));
    }
    return result;
}

static int make_of_folder(struct image_making *making, const char *path, int layout, const char *tag,
                          const char *arch, struct error *error)
{
    const struct oci_source source = {
        .context = &layout, .open = open_blob, .what = path, .arch = arch ? arch : machine_architecture()};
    _cleanup_close_ int index = open_file(layout, "index.json", NULL);
    int result = index >= 0 ? make_of_index(making, &source, layout, tag, error)
                            : make_of_saved(making, &source, layout, tag, error);
    return result < 0 ? error_wrap(error, result, "%s", path) : 0;
}

/* What was unpacked as a root is a layout: it goes aside, and a root is made of it. */
static int make_of_unpacked(struct image_making *making, const char *path, const char *tag, const char *arch,
                            struct error *error)
{
    _cleanup_close_ int layout = making->root;
    making->root = -1;
    if (renameat(making->folder, "root", making->folder, "layout") < 0 ||
        mkdirat(making->folder, "root", 0755) < 0 || fchmodat(making->folder, "root", 0755, 0) < 0)
        return error_errno(error, -errno, "cannot make a root of %s", path);
    making->root = openat(making->folder, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (making->root < 0)
        return error_errno(error, -errno, "cannot make a root of %s", path);
    int result = make_of_folder(making, path, layout, tag, arch, error);
    return result < 0 ? result : tree_remove(making->folder, "layout", error);
}

/* "PATH:TAG", unless there is something of the whole name. */
static const char *split_tag(struct arena *arena, const char **path)
{
    const char *colon = strrchr(*path, ':');
    if (!colon || strchr(colon, '/') || !colon[1] || access(*path, F_OK) == 0)
        return NULL;
    *path = arena_strndup(arena, *path, (size_t)(colon - *path));
    return colon + 1;
}

static int not_a_layout(const char *path, struct error *error)
{
    return error_set(error, -EINVAL, "%s is not an OCI layout: it has no index.json and oci-layout", path);
}

int oci_layout_make(struct image_making *making, const char *path, bool strict, const char *arch,
                    struct error *error)
{
    if (*path != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", path);
    const char *tag = strict ? split_tag(making->call->arena, &path) : NULL;
    _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 && oci_is_layout(folder))
        return oci_told(error, make_of_folder(making, path, folder, tag, arch, error));
    if (folder >= 0 && strict)
        return not_a_layout(path, error);
    int result = file_make(making, path, error);
    if (result == 0 && folder < 0 && oci_is_layout(making->root))
        return oci_told(error, make_of_unpacked(making, path, tag, arch, error));
    return result == 0 && strict ? not_a_layout(path, error) : result;
}
