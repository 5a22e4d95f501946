/* An ext4 file system of a size, in the sparse file "image" of a folder: what sized volumes and layers lie in. */
#pragma once

#include <stdint.h>

#include "drivers/call.h"

struct error;

/* "image.new", whole and empty: its descriptor. What is put into it takes the old one's place by sized_put(). */
int sized_new(int folder, int64_t size, const struct call *call, struct error *error);
int sized_put(int folder, struct error *error);
/* The descriptor of "image"; -1 and errno. */
int sized_open(int folder);
/* Makes it at least as large, mounted or not; -EPERM where it is mounted and CAP_SYS_RESOURCE is missing. */
int sized_grow(int folder, int image, int64_t size, const struct call *call, struct error *error);
