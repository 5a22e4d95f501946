/* Images of the store into OCI layouts that skopeo, umoci and others read: a layer for the whole image, or for base and
 * delta each.
 *
 * Blobs are written beside their names and renamed to their digests; the index, which makes an image visible, comes last.
 * The same image gives the same blobs, byte by byte: there is no time in them but those of the files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/oci.h"
#include "drivers/image/oci_write.h"
#include "drivers/image/packing.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/view_image.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/machine.h"
#include "specs/image_config.h"

#define TAG_LENGTH 128

struct exporting {
    const struct paths *paths;
    const struct image_export *request;
    const struct call *call;
    int layout;
    struct json *layers, *diffs; /* of the manifest, of the config */
    int64_t bytes;
};

/* ---- the layout ---- */

static bool is_empty(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), others = 0;
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *item; directory && (item = readdir(directory));)
        others += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
    if (directory)
        closedir(directory);
    return directory && !others;
}

/* Somebody else's folder is not written to. */
static int open_layout(struct exporting *exporting, struct error *error)
{
    const char *path = exporting->request->path;
    if (*path != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", path);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "%s", path);
    _cleanup_close_ int layout = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (layout < 0)
        return error_errno(error, -errno, "%s", path);
    if (flock(layout, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, -EBUSY, "%s: another export writes it", path);
    if (faccessat(layout, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && !is_empty(layout))
        return error_set(error, -EEXIST, "%s is neither empty nor an OCI layout", path);
    if ((mkdirat(layout, "blobs", 0755) < 0 && errno != EEXIST) ||
        (mkdirat(layout, "blobs/sha256", 0755) < 0 && errno != EEXIST))
        return error_errno(error, -errno, "%s/blobs", path);
    exporting->layout = TAKE_FD(layout);
    return oci_write_file(exporting->layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", error);
}

/* ---- layers ---- */

static int add_layer(struct exporting *exporting, int tree, bool delta, struct error *error)
{
    struct packed packed;
    _cleanup_json_ struct json *request = json_new_object();
    struct json *opaque = json_set(request, "opaque", json_new_array());
    const char *compression = exporting->request->compression ? exporting->request->compression : "gzip";
    json_set(request, "compression", json_new_text(compression));
    int result = delta ? delta_list_opaque(tree, opaque, error) : 0;
    if (result == 0)
        result = oci_pack(exporting->layout, tree, request, exporting->call, &packed, error);
    if (result < 0)
        return result;
    struct json *layer = json_append(exporting->layers, json_new_object());
    const char *suffix = strcmp(compression, "none") == 0 ? "" : compression;
    oci_describe(layer, exporting->call->arena,
                 arena_printf(exporting->call->arena, "application/vnd.oci.image.layer.v1.tar%s%s",
                              *suffix ? "+" : "", suffix),
                 packed.digest, packed.size);
    json_append(exporting->diffs,
                json_new_text(arena_printf(exporting->call->arena, "sha256:%s", packed.diff)));
    exporting->bytes += packed.size;
    return 0;
}

static int add_layers(struct exporting *exporting, struct error *error)
{
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    int result = image_trees_open(exporting->paths->store, exporting->request->digest, &trees, error);
    if (result == 0)
        result = add_layer(exporting, trees.base, false, error);
    return result == 0 && trees.delta >= 0 ? add_layer(exporting, trees.delta, true, error) : result;
}

/* ---- documents ---- */

/* What the image says about being run; an image without a config says nothing. */
static int read_config(const struct exporting *exporting, struct json **config, struct error *error)
{
    char path[PATH_MAX];
    _cleanup_buffer_ struct buffer text = {0};
    snprintf(path, sizeof(path), "%s/images/%s/config", exporting->paths->store, exporting->request->digest);
    if (access(path, F_OK) < 0) {
        *config = json_new_object();
        return 0;
    }
    int result = buffer_read_file(&text, AT_FDCWD, path, IMAGE_CONFIG_SIZE, error);
    return result < 0 ? result : json_parse(text.bytes, text.length, config, error);
}

static int write_config(const struct exporting *exporting, struct json *descriptor, struct error *error)
{
    struct json *config = NULL;
    int result = read_config(exporting, &config, error);
    if (result < 0)
        return result;
    _cleanup_json_ struct json *document = json_new_object();
    json_set(document, "architecture", json_new_text(machine_architecture()));
    json_set(document, "os", json_new_text("linux"));
    json_set(document, "config", config);
    struct json *root = json_set(document, "rootfs", json_new_object());
    json_set(root, "type", json_new_text("layers"));
    struct json *diffs = json_set(root, "diff_ids", json_new_array());
    struct json *history = json_set(document, "history", json_new_array());
    for (size_t i = 0; i < json_length(exporting->diffs); i++) {
        json_append(diffs, json_new_text(json_as_text(json_at(exporting->diffs, i))));
        struct json *step = json_append(history, json_new_object());
        json_set(step, "created_by", json_new_text("fpsync"));
    }
    return oci_write_document(exporting->layout, exporting->call->arena, document,
                              "application/vnd.oci.image.config.v1+json", descriptor, error);
}

static int write_manifest(struct exporting *exporting, struct json *descriptor, struct error *error)
{
    _cleanup_json_ struct json *manifest = json_new_object();
    json_set(manifest, "schemaVersion", json_new_number(2));
    json_set(manifest, "mediaType", json_new_text(OCI_MANIFEST_TYPE));
    struct json *config = json_set(manifest, "config", json_new_object());
    int result = write_config(exporting, config, error);
    json_set(manifest, "layers", exporting->layers);
    exporting->layers = NULL;
    return result < 0 ? result
                      : oci_write_document(exporting->layout, exporting->call->arena, manifest,
                                           OCI_MANIFEST_TYPE, descriptor, error);
}

static const char *tag_of(const struct json *item)
{
    const char *tag = json_as_text(json_get(json_get(item, "annotations"), OCI_TAG));
    return tag ? tag : "";
}

/* The other images of the layout stay in it. */
static int keep_others(const struct exporting *exporting, const char *tag, struct json *list,
                       struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_json_ struct json *before = NULL;
    if (faccessat(exporting->layout, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int result = buffer_read_file(&text, exporting->layout, "index.json", OCI_DOCUMENT_LIMIT, error);
    if (result == 0)
        result = json_parse(text.bytes, text.length, &before, error);
    if (result < 0)
        return error_wrap(error, result, "index.json");
    const struct json *items = json_get(before, "manifests");
    for (size_t i = 0; i < json_length(items); i++)
        if (strcmp(tag_of(json_at(items, i)), tag) != 0)
            json_append(list, json_clone(json_at(items, i)));
    return 0;
}

static int write_index(const struct exporting *exporting, struct json *manifest, struct error *error)
{
    const char *tag = exporting->request->tag ? exporting->request->tag : "latest";
    _cleanup_json_ struct json *index = json_new_object();
    _cleanup_buffer_ struct buffer text = {0};
    json_set(index, "schemaVersion", json_new_number(2));
    json_set(index, "mediaType", json_new_text(OCI_INDEX_TYPE));
    struct json *list = json_set(index, "manifests", json_new_array());
    int result = keep_others(exporting, tag, list, error);
    struct json *platform = json_set(manifest, "platform", json_new_object());
    json_set(platform, "architecture", json_new_text(machine_architecture()));
    json_set(platform, "os", json_new_text("linux"));
    struct json *annotations = json_set(manifest, "annotations", json_new_object());
    json_set(annotations, OCI_TAG, json_new_text(tag));
    json_append(list, manifest);
    if (result < 0)
        return result;
    json_print(index, false, &text);
    return oci_write_file(exporting->layout, "index.json", text.bytes, error);
}

/* As registries have them. */
static int check_tag(const char *tag, struct error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t first = strspn(tag, letters);
    char rest[128];
    snprintf(rest, sizeof(rest), "%s.-", letters);
    if (first == 0 || strlen(tag) > TAG_LENGTH || tag[strspn(tag, rest)])
        return error_set(error, -EINVAL,
                         "\"%.64s\" is not a tag: letters, digits, '_', '.' and '-', at most %d", tag,
                         TAG_LENGTH);
    return 0;
}

static int export(struct exporting *exporting, struct image_exported *exported, struct error *error)
{
    int result = open_layout(exporting, error);
    if (result == 0)
        result = add_layers(exporting, error);
    if (result < 0)
        return result;
    struct json *manifest = json_new_object();
    result = write_manifest(exporting, manifest, error);
    if (result < 0) {
        json_free(manifest);
        return result;
    }
    exported->digest = arena_strdup(exporting->call->arena, json_as_text(json_get(manifest, "digest")));
    exported->bytes = exporting->bytes;
    return write_index(exporting, manifest, error);
}

int oci_export(const struct paths *paths, const struct image_export *request, const struct call *call,
               struct image_exported *exported, struct error *error)
{
    struct exporting exporting = {.paths = paths,
                                  .request = request,
                                  .call = call,
                                  .layout = -1,
                                  .layers = json_new_array(),
                                  .diffs = json_new_array()};
    int result = request->tag ? check_tag(request->tag, error) : 0;
    if (result == 0)
        result = export(&exporting, exported, error);
    json_free(exporting.layers);
    json_free(exporting.diffs);
    cleanup_close(&exporting.layout);
    if (result < 0)
        return error_wrap(error, result, "export of image %.12s", request->digest);
    field_mark(&image_exported_table, exported, offsetof(struct image_exported, digest));
    field_mark(&image_exported_table, exported, offsetof(struct image_exported, bytes));
    return 0;
}
