/* What is put into a layout: files that are whole when they bear their names. */
#pragma once

#include <stdint.h>

#include "drivers/call.h"

struct error;
struct image_export;
struct image_exported;
struct json;
struct packed;
struct paths;

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define OCI_TAG           "org.opencontainers.image.ref.name"

/* "mediaType", "digest" and "size" of a descriptor. */
void oci_describe(struct json *descriptor, struct arena *arena, const char *type, const char *digest,
                  int64_t size);
/* A file of the layout, in the place of what is there. */
int oci_write_file(int layout, const char *name, const char *text, struct error *error);
/* A blob, and its descriptor. */
int oci_write_document(int layout, struct arena *arena, const struct json *document, const char *type,
                       struct json *descriptor, struct error *error);

/* A tree into a blob, by fpsync-fetch; `request` is that of its word `pack`. */
int oci_pack(int layout, int tree, const struct json *request, const struct call *call, struct packed *packed,
             struct error *error);

/* The effect. */
int oci_export(const struct paths *paths, const struct image_export *request, const struct call *call,
               struct image_exported *exported, struct error *error);
