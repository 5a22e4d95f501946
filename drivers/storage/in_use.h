/* Whether anything of a store is mounted, in any mount namespace that /proc shows. */
#pragma once

#include <stdbool.h>

#include "drivers/paths.h"

struct error;

/* -EBUSY, naming a process that has it mounted; else 0. */
int image_check_unused(const struct paths *paths, const char *digest, struct error *error);
int layer_check_unused(const struct paths *paths, const char *file, struct error *error);
int volume_check_unused(const struct paths *paths, const char *file, struct error *error);
