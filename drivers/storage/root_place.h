/* Where the merged root of a container is mounted: mounts/NAME/root, in a folder that the container's own root user
 * alone gets through. What a guest makes setuid, or readable for all, is so for the host's users, too. */
#pragma once

#include <stdint.h>

#include "drivers/paths.h"
#include "lib/arena.h"

struct error;

/* Makes the folder and the mount point in it; `id_base` 0: of a privileged container. */
int root_place_make(const char *place, int64_t id_base, struct error *error);
/* When nothing is mounted there any more. */
int root_place_remove(const char *place, struct error *error);
/* Path of the mount point as mount tables have it. Fpsync mounted on mounts/NAME itself before: a root that is there
 * stays there until its container starts next. NULL with errno when there is no folder of roots. */
char *root_point(const struct paths *paths, struct arena *arena, const char *lxc_name);
