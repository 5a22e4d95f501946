/* Images as OCI has them (image-spec: image-layout.md, image-index.md, manifest.md, config.md, layer.md), and as `docker
 * save` wrote them before: out of a layout, which is a folder, or out of a registry, whose answers are the same objects.
 *
 * All of it was written by others. What is read into memory is bounded, and verified before it is looked into: every
 * blob by the digest that named it, every layer's tar by the config's diff_ids. Digests are 64 hex digits here, checked,
 * and therefore fit to be names of files; what `docker save` calls its files is looked for beneath the layout. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "lib/buffer.h"
#include "lib/digest.h"

struct error;
struct image_making;
struct json;

#define OCI_DOCUMENT_LIMIT                                                                                   \
    ((size_t)4 << 20) /* bytes of an index, manifest or config, as registries bound them */
#define OCI_LAYERS_LIMIT 256

struct oci_descriptor {
    const char *type; /* media type; "" */
    char digest[DIGEST_TEXT_SIZE];
    int64_t size;
};

/* Where blobs come from. */
struct oci_source {
    void *context;
    /* A blob, open for reading at its begin; not yet verified. */
    int (*open)(void *context, const struct oci_descriptor *, struct error *);
    const char *what; /* for messages: the path, or the name in the registry */
    const char *arch; /* "amd64", "arm64" */
};

int oci_descriptor_of(const struct json *value, struct oci_descriptor *descriptor, struct error *error);
bool oci_is_index(const char *type);
bool oci_is_manifest(const char *type);
bool oci_is_config(const char *type);
/* The one of the index that this machine (or `arch`) runs; of a layout's index, the one with the tag. */
int oci_select(const struct json *index, const char *tag, const char *arch, struct arena *arena,
               struct oci_descriptor *descriptor, struct error *error);
/* Reads and verifies a document. `value` is the caller's. */
int oci_read(const struct oci_source *, const struct oci_descriptor *, struct json **value, struct error *);

/* From a manifest, or an index of such: layers into the root, config and origin into `making`. */
int oci_make(struct image_making *making, const struct oci_source *source, struct oci_descriptor top,
             struct error *error);

/* A layer as it lies there, unverified: over what is in the root. Digests of its bytes and of its tar. */
int oci_unpack_layer(const struct oci_source *source, int blob, int root, const struct call *call,
                     char digest[static DIGEST_TEXT_SIZE], char diff[static DIGEST_TEXT_SIZE],
                     struct error *error);
/* The config into `making`, and its diff_ids, as many as there are layers. */
int oci_take_config(struct image_making *making, const struct oci_source *source, const struct json *config,
                    size_t layers, const char (**diffs)[DIGEST_TEXT_SIZE], struct error *error);

/* Of what strangers wrote, no control character goes to anybody's terminal. Returns `result`. */
int oci_told(struct error *error, int result);

/* Of the source "oci:NAME" (specs/oci_name.h), or "REMOTE:PATH[:TAG]" of a remote that is a registry. */
struct fetching;
struct image_looked;
struct image_make;
struct paths;
int oci_registry_make(struct fetching *fetching, struct error *error);
/* What its tag or digest leads to today. */
int oci_registry_look(const struct paths *paths, const struct image_make *request, const struct call *call,
                      struct image_looked *looked, struct error *error);

/* Whether the folder is a layout, or what `docker save` makes. */
bool oci_is_layout(int folder);
/* `path` is a layout, as a folder or in a tar archive, with or without ":TAG"; `strict`: it must be one, else what
 * it holds is the image itself, as in file_make(). */
int oci_layout_make(struct image_making *making, const char *path, bool strict, const char *arch,
                    struct error *error);
