/* The root of an archive that holds metadata beside it. */
#pragma once

struct error;
struct image_making;

/* Where the unpacked root is metadata.yaml, rootfs and perhaps templates and nothing else, rootfs becomes the root, and the
 * rest goes. */
int unified_settle(struct image_making *making, struct error *error);
