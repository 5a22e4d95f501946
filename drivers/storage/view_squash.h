/* Which images that are kept as a squashfs are mounted, as the kernel's loop devices tell. */
#pragma once

#include "drivers/paths.h"
#include "lib/fields.h"

#define SQUASH_FILE "image.squashfs" /* in an image's folder */

/* Their digests. */
struct texts *squash_mounted(const struct paths *paths, struct arena *arena);
