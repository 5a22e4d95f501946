/* `plan --out FILE` and `apply --plan FILE`: a plan on disk, and whether another one is the same. */
#pragma once

#include "reconciler/plan.h"

struct spec_set;
struct json;
/* All that apply goes by: actions with causes, held changes, fresh leases, and the digest of the files. The caller frees
 * it. */
struct json *plan_document(const struct plan *plan, const struct spec_set *set);
/* Beside itself first, then renamed; readable for its owner alone. */
int plan_file_write(const char *path, const struct json *document, struct error *error);
int plan_file_read(const char *path, struct json **document, struct error *error);
/* Where the two differ first, for people; NULL when they do not. */
const char *plan_difference(const struct json *shown, const struct json *now, struct arena *arena);
