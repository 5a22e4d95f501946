/* The word `resolve`: what of an image server's index is meant (simplestreams 1.0, as LXD and Incus read it).
 *
 * The request is a JSON object. {"want": "products"}: descriptor 3 is streams/v1/index.json, and the answer
 * {"paths": [PATH, ...]} of the lists of images in it. {"want": "image", "alias", "arch", "fingerprint"}: descriptor 3 is
 * such a list, and the answer
 *
 *   {"product", "version", "fingerprint", "items": [{"role", "path", "sha256", "size"}, ...]}
 *
 * with items of the roles "image" (metadata and root in one archive), or "metadata" and "root", of the newest version
 * that has them, or of the one with that fingerprint: SHA-256 over the items' files one after another.
 * {"none": TEXT} when nothing fits, {"error": TEXT, "code": ERRNO} when it is no index. What comes out is a stranger's
 * word: paths and digests are checked by who uses them. */
#pragma once

#include "lib/json.h"

struct error;

/* Both return the answer. NULL after an error. */
struct json *resolve_products(const struct json *index, struct error *error);
struct json *resolve_image(const struct json *list, const char *alias, const char *arch,
                           const char *fingerprint, struct error *error);
