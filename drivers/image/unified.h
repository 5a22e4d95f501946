/* The root of an archive that holds metadata beside it. */
#pragma once

#include <stdbool.h>

struct error;
struct image_making;

/* Whether a root is such a one as a whole. */
bool unified_is(int root);
/* Where the unpacked root is metadata.yaml, rootfs and perhaps templates and nothing else, rootfs becomes the root, and the
 * rest goes. */
int unified_settle(struct image_making *making, struct error *error);
