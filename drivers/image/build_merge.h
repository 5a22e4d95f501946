/* Uppers on each other as one. */
#pragma once

#include <stddef.h>

#include "drivers/call.h"

struct error;

/* Fills the empty folder `out` with what `uppers` (handles of folders in overlay's upper format, newest first) show on
 * `base`, itself as an upper on that: nothing is in it twice, and nothing that hides nothing. `base` -1: on nothing, and
 * `out` becomes a plain tree. Files are hard links of those in the uppers, which so may never be written to again. */
int build_merge(const int *uppers, size_t count, int base, int out, const struct call *call,
                struct error *error);
