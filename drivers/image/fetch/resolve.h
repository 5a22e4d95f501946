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
 * {"want": "recipe", "alias", "arch", "fingerprint"} is the same for a recipe (ftype fpsync-recipe): one item of the role
 * "recipe", whose sha256 is its fingerprint. {"want": "list", "arch", "words"}: what there is for that architecture,
 *
 *   {"product": {"name", "aliases", "arch", "version", "release", "description", "ports", "volumes", "env", "size", "fingerprint",
 *     "recipe"}}
 *
 * a line each, then {"more": COUNT} of those that are left out; every word is found in name, aliases or description;
 * `version` is that of the index, `release` what the publisher calls it.
 *
 * {"none": TEXT} when nothing fits, {"error": TEXT, "code": ERRNO} when it is no index. What comes out is a stranger's
 * word: paths and digests are checked by who uses them. */
#pragma once

#include "lib/json.h"

struct error;

#define RESOLVE_RECIPE "fpsync-recipe" /* ftype of the folder that a recipe was in */

/* All return the answer. NULL after an error. */
struct json *resolve_products(const struct json *index, struct error *error);
struct json *resolve_image(const struct json *list, const char *alias, const char *arch,
                           const char *fingerprint, struct error *error);
struct json *resolve_recipe(const struct json *list, const char *alias, const char *arch,
                            const char *fingerprint, struct error *error);
/* resolve_list.c. `words` is an array of texts, or NULL; `each` takes the lines before the answer over. */
struct json *resolve_list(const struct json *list, const char *arch, const struct json *words,
                          void (*each)(struct json *line), struct error *error);

/* Between its files: the product's newest version that an image can be made of, and the SHA-256 and size of all that is
 * fetched for it; NULL: none. */
const char *resolve_newest(const struct json *product, const char **fingerprint, int64_t *size);
const struct json *resolve_item(const struct json *items, const char *type); /* by ftype; NULL */
