/* Mounts that were in a container before it started are locked in it: its namespace belongs to its user namespace
 * (mount_namespaces(7)), for guest and host alike. They go by unmounting them below the merged root on the host, from
 * where that propagates. */
#pragma once

#include "drivers/paths.h"

struct error;

/* Unmounts what is mounted at `path` below the container's root on the host, if it is what `seen` is a handle of: the
 * guest may have led the path elsewhere since. -EBUSY when it is not there. */
int locked_unmount(const struct paths *paths, const char *lxc_name, const char *path, int seen,
                   struct error *error);
