/* Looking at what is bound into a container. */
#pragma once

#include "drivers/storage/storage.h"

/* The view's look_binds. */
void bind_look(const struct paths *paths, int64_t init_pid, struct observed_bind *binds, size_t count);
