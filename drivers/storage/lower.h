/* What lies below a root: the lower folders of an overlay, and the copy that some roots are. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/fields.h"

struct error;
struct root_mount;

/* One option of an overlay that is being made (fsconfig(2)). */
int lower_option(int context, const char *key, const char *value, struct error *error);
/* Its lower folders: the frozen uppers of the layer, newest first, and below them the image. `store` is the path of the
 * store, or of an id-mapped copy of it. */
int lower_set(int context, const char *store, const char *layer, const char *digest,
              const struct texts *frozen, struct arena *arena, struct error *error);
/* Makes "root" in the layer's folder, when there is none: a copy of the image or of what a snapshot shows above it. A
 * crash leaves none. */
int copy_make(const struct paths *paths, int layer, const struct root_mount *request, const struct call *call,
              struct error *error);
