/* What can be seen of an image's source before it is read. */
#pragma once

#include <stdbool.h>

#include "lib/digest.h"

struct error;

/* Whether the file or folder looks as OCI layouts and what docker save writes do, which tell how they are to be run. A
 * compressed archive is not looked into. */
bool image_source_is_layout(const char *path);

#define IMAGE_ARCHIVE_LIMIT (256 << 20) /* bytes of the archive of a build's context */
/* SHA-256 of a file of the host. -EFBIG. */
int image_archive_digest(const char *path, char digest[static DIGEST_TEXT_SIZE], struct error *error);
