/* Base64 (RFC 4648, section 4), with padding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/arena.h"

/* Of exactly `size` bytes, up to the end of the line. */
bool base64_read(const char *text, void *bytes, size_t size);
char *base64_text(struct arena *arena, const void *bytes, size_t size);
