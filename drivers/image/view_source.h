/* What can be seen of an image's source before it is read. */
#pragma once

#include <stdbool.h>

/* Whether the file or folder looks as OCI layouts and what docker save writes do, which tell how they are to be run. A
 * compressed archive is not looked into. */
bool image_source_is_layout(const char *path);
