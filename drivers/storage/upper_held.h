/* Whether an overlay stands on a layer, as the kernel has it, whatever mount tables say: a guest's root mounts overlays,
 * too, and chooses the paths that its table then shows. */
#pragma once

#include <stdbool.h>

#include "drivers/paths.h"

/* True also where it cannot be found out. For removals alone: the caller sees to it that nobody mounts it meanwhile, and a
 * layer that nothing stands on is written to, and looks the same afterwards. */
bool upper_is_held(const struct paths *paths, const char *layer);
