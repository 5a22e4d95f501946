/* Looks at the file that a limited layer lies in. */
#pragma once

#include "drivers/storage/storage.h"

bool view_grows_mounted(const struct paths *);
void view_disk(const struct paths *, const char *layer_file, int64_t init_pid, struct observed_disk *);
