/* Documents of OCI: which manifest of an index it is, and what a manifest says. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/image/oci.h"
#include "drivers/image/store.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"
#include "specs/image_config.h"

static const char algorithm[] = "sha256:";

int oci_told(struct error *error, int result)
{
    for (char *at = error ? error->text : NULL; result < 0 && at && *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return result;
}

static const char *text_of(const struct json *value, const char *key)
{
    const char *text = json_as_text(json_get(value, key));
    return text ? text : "";
}

static bool take_digest(const char *text, char digest[static DIGEST_TEXT_SIZE])
{
    if (strncmp(text, algorithm, strlen(algorithm)) != 0)
        return false;
    text += strlen(algorithm);
    if (strspn(text, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1 || text[DIGEST_TEXT_SIZE - 1])
        return false;
    memcpy(digest, text, DIGEST_TEXT_SIZE);
    return true;
}

int oci_descriptor_of(const struct json *value, struct oci_descriptor *descriptor, struct error *error)
{
    descriptor->type = text_of(value, "mediaType");
    descriptor->size = json_as_number(json_get(value, "size"), -1);
    if (!take_digest(text_of(value, "digest"), descriptor->digest))
        return error_set(error, -EBADMSG, "a descriptor without a sha256 digest");
    if (descriptor->size < 0)
        return error_set(error, -EBADMSG, "a descriptor without a size");
    return 0;
}

bool oci_is_index(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.index.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0;
}

bool oci_is_manifest(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.manifest.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.distribution.manifest.v2+json") == 0;
}

bool oci_is_config(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.config.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.container.image.v1+json") == 0;
}

/* ---- selection ---- */

/* Without a platform it is whatever it is: the config is asked later. */
static bool runs_here(const struct json *item, const char *arch)
{
    const struct json *platform = json_get(item, "platform");
    const char *variant = text_of(platform, "variant");
    if (!json_holds_object(platform))
        return true;
    return strcmp(text_of(platform, "os"), "linux") == 0 &&
           strcmp(text_of(platform, "architecture"), arch) == 0 &&
           (!*variant || strcmp(variant, "v8") == 0 || strcmp(variant, "v1") == 0);
}

/* The tag as the layout's writer put it, or at the end of a whole name (docker). */
static bool has_tag(const struct json *item, const char *tag)
{
    const char *name = text_of(json_get(item, "annotations"), "org.opencontainers.image.ref.name");
    const char *colon = strrchr(name, ':');
    return strcmp(name, tag) == 0 || (colon && strcmp(colon + 1, tag) == 0);
}

/* "amd64", or the tags that there are: what to choose from. */
static const char *choices(struct arena *arena, const struct json *items, bool tags)
{
    const char *list = "";
    for (size_t i = 0; i < json_length(items) && i < 16; i++) {
        const struct json *item = json_at(items, i);
        const char *name = tags ? text_of(json_get(item, "annotations"), "org.opencontainers.image.ref.name")
                                : text_of(json_get(item, "platform"), "architecture");
        if (*name)
            list = arena_printf(arena, "%s%s%.64s", list, *list ? ", " : "", name);
    }
    return *list ? list : "nothing";
}

int oci_select(const struct json *index, const char *tag, const char *arch, struct arena *arena,
               struct oci_descriptor *descriptor, struct error *error)
{
    const struct json *items = json_get(index, "manifests"), *found = NULL;
    size_t tagged = 0, fitting = 0;
    for (size_t i = 0; i < json_length(items); i++) {
        const struct json *item = json_at(items, i);
        const char *type = text_of(item, "mediaType");
        if ((!oci_is_index(type) && !oci_is_manifest(type)) || (tag && !has_tag(item, tag)))
            continue;
        tagged++;
        if (!runs_here(item, arch))
            continue;
        if (fitting++ == 0)
            found = item;
    }
    if (tag && !tagged)
        return error_set(error, -ENOENT, "no image is called \"%.64s\": there is %s", tag,
                         choices(arena, items, true));
    if (!found)
        return error_set(error, -ENOENT, "no image for linux on %s: there is %s", arch,
                         choices(arena, items, false));
    if (!tag && fitting > 1)
        return error_set(error, -EINVAL, "it holds several images; put :TAG after it, of %s",
                         choices(arena, items, true));
    return oci_descriptor_of(found, descriptor, error);
}

/* ---- documents ---- */

static int read_blob(int blob, size_t size, struct buffer *buffer)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(blob, bytes, sizeof(bytes))) > 0) {
        if (buffer->length + (size_t)got > size)
            return -EFBIG;
        buffer_add(buffer, bytes, (size_t)got);
    }
    return got < 0 ? -errno : 0;
}

int oci_read(const struct oci_source *source, const struct oci_descriptor *descriptor, struct json **value,
             struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    if (descriptor->size > (int64_t)OCI_DOCUMENT_LIMIT)
        return error_set(error, -EFBIG, "document sha256:%.12s is larger than 4 MiB", descriptor->digest);
    _cleanup_close_ int blob = source->open(source->context, descriptor, error);
    if (blob < 0)
        return blob;
    int result = read_blob(blob, (size_t)descriptor->size, &text);
    if (result < 0 && result != -EFBIG)
        return error_errno(error, result, "document sha256:%.12s", descriptor->digest);
    digest_of(text.bytes ? text.bytes : "", text.length, digest);
    if (result < 0 || (int64_t)text.length != descriptor->size || strcmp(digest, descriptor->digest) != 0)
        return error_set(error, -EBADMSG, "document sha256:%.12s holds something else", descriptor->digest);
    result = json_parse(text.bytes, text.length, value, error);
    return result < 0 ? error_wrap(error, result, "document sha256:%.12s", descriptor->digest) : 0;
}

/* ---- images ---- */

/* The manifest itself, at most three indexes deep. */
static int find_manifest(const struct oci_source *source, struct arena *arena, struct oci_descriptor *at,
                         struct json **manifest, struct error *error)
{
    for (int depth = 0; depth < 4; depth++) {
        _cleanup_json_ struct json *document = NULL;
        int result = oci_read(source, at, &document, error);
        if (result < 0)
            return result;
        const char *type = text_of(document, "mediaType");
        bool is_index =
            oci_is_index(*type ? type : at->type) && json_holds_array(json_get(document, "manifests"));
        if (!is_index) {
            *manifest = document;
            document = NULL;
            return 0;
        }
        result = oci_select(document, NULL, source->arch, arena, at, error);
        at->type = arena_strdup(arena, at->type);
        if (result < 0)
            return result;
    }
    return error_set(error, -ELOOP, "its indexes lie too deep in each other");
}

static bool is_layer(const char *type)
{
    static const char *const known[] = {"application/vnd.oci.image.layer.v1.tar",
                                        "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                        "application/vnd.docker.image.rootfs.diff.tar",
                                        "application/vnd.docker.image.rootfs.foreign.diff.tar"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t length = strlen(known[i]);
        if (strncmp(type, known[i], length) == 0 &&
            (!type[length] || strcmp(type + length, "+gzip") == 0 || strcmp(type + length, ".gzip") == 0 ||
             strcmp(type + length, "+zstd") == 0))
            return true;
    }
    return false;
}

static int make_layer(struct image_making *making, const struct oci_source *source, const struct json *layer,
                      const char *expected, struct error *error);

static int make_layers(struct image_making *making, const struct oci_source *source,
                       const struct json *layers, const char (*diffs)[DIGEST_TEXT_SIZE], struct error *error)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < json_length(layers); i++) {
        result = make_layer(making, source, json_at(layers, i), diffs[i], error);
        if (result < 0)
            error_wrap(error, result, "layer %zu of %zu", i + 1, json_length(layers));
    }
    return result;
}

int oci_take_config(struct image_making *making, const struct oci_source *source, const struct json *config,
                    size_t layers, const char (**diffs)[DIGEST_TEXT_SIZE], struct error *error)
{
    struct arena *arena = making->call->arena;
    const struct json *ids = json_get(json_get(config, "rootfs"), "diff_ids");
    const char *arch = text_of(config, "architecture"), *system = text_of(config, "os");
    struct image_config *taken;
    if ((*arch && strcmp(arch, source->arch) != 0) || (*system && strcmp(system, "linux") != 0))
        return error_set(error, -EINVAL, "it is an image for %.32s on %.32s, and not for linux on %s", system,
                         arch, source->arch);
    if (layers > OCI_LAYERS_LIMIT)
        return error_set(error, -EINVAL, "it has %zu layers, and %d may be", layers, OCI_LAYERS_LIMIT);
    if (json_length(ids) != layers)
        return error_set(error, -EBADMSG, "it has %zu layers and %zu diff_ids", layers, json_length(ids));
    char(*list)[DIGEST_TEXT_SIZE] = arena_alloc(arena, (layers + 1) * sizeof(*list));
    for (size_t i = 0; i < layers; i++) {
        const char *text = json_as_text(json_at(ids, i));
        if (!text || !take_digest(text, list[i]))
            return error_set(error, -EBADMSG, "a diff_id that is no sha256 digest");
    }
    *diffs = (const char(*)[DIGEST_TEXT_SIZE])list;
    int result = image_config_from_json(arena, json_get(config, "config"), &taken, error);
    if (result < 0)
        return error_wrap(error, result, "config");
    making->config = image_config_to_text(arena, taken);
    return 0;
}

static int make_layer(struct image_making *making, const struct oci_source *source, const struct json *layer,
                      const char *expected, struct error *error)
{
    struct oci_descriptor descriptor;
    char digest[DIGEST_TEXT_SIZE], diff[DIGEST_TEXT_SIZE];
    int result = oci_descriptor_of(layer, &descriptor, error);
    if (result == 0 && !is_layer(descriptor.type))
        result = error_set(error, -EINVAL, "it is of the type \"%.100s\"", descriptor.type);
    if (result < 0)
        return result;
    _cleanup_close_ int blob = source->open(source->context, &descriptor, error);
    if (blob < 0)
        return blob;
    result = oci_unpack_layer(source, blob, making->root, making->call, digest, diff, error);
    if (result < 0)
        return result;
    if (strcmp(digest, descriptor.digest) != 0)
        return error_set(error, -EBADMSG, "sha256:%.12s holds something else", descriptor.digest);
    return strcmp(diff, expected) != 0
               ? error_set(error, -EBADMSG, "its tar is not the one of the config's diff_ids")
               : 0;
}

int oci_make(struct image_making *making, const struct oci_source *source, struct oci_descriptor top,
             struct error *error)
{
    struct arena *arena = making->call->arena;
    struct oci_descriptor place;
    const char(*diffs)[DIGEST_TEXT_SIZE];
    _cleanup_json_ struct json *manifest = NULL, *config = NULL;
    int result = find_manifest(source, arena, &top, &manifest, error);
    if (result < 0)
        return result;
    const struct json *layers = json_get(manifest, "layers");
    if (json_as_number(json_get(manifest, "schemaVersion"), 0) != 2 || !json_length(layers))
        return error_set(error, -EBADMSG, "sha256:%.12s is not the manifest of an image", top.digest);
    result = oci_descriptor_of(json_get(manifest, "config"), &place, error);
    if (result == 0)
        result = oci_read(source, &place, &config, error);
    if (result == 0)
        result = oci_take_config(making, source, config, json_length(layers), &diffs, error);
    if (result == 0)
        result = make_layers(making, source, layers, diffs, error);
    making->origin = arena_printf(arena, "sha256:%s", top.digest);
    return result;
}
