/* How much a layer or volume holds on disk. */
#pragma once

#include <stdint.h>

int64_t view_measure(const char *store, const char *file);
