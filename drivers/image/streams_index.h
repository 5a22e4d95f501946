/* Between the files of drivers/image/streams.h. */
#pragma once

#include "drivers/image/streams.h"

/* The index at `path` below the remote, checked against its key, in a file in memory. */
int streams_index(const struct image_make *, const char *path, const struct call *, bool *is_public,
                  int *file, struct error *);
