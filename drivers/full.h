/* Whether a file system has no room left: what was to be written there may fail with other words than that. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct statvfs;

bool is_full(const struct statvfs *system);
/* That on which the file or folder lies; false where nobody can tell. */
bool is_on_full(const char *path);
int64_t room_on(const char *path); /* bytes that are free to us; INT64_MAX where that cannot be told */
