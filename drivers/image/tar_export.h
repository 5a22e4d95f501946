/* An image as one tar: what image import, file: sources, tar(1) and other programs read. The tree alone is in it; what the
 * image says about being run is in an OCI layout only. */
#pragma once

#include "drivers/image/image.h"

/* "none", "gzip", "xz", "zstd" by the end of the path; NULL: it names no tar. */
const char *tar_export_compression(const char *path);
/* The effect `export` where the path names one. -EEXIST when something is there. */
int tar_export(const struct paths *paths, const struct image_export *request, const struct call *call,
               struct image_exported *exported, struct error *error);
