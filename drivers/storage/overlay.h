/* Overlays whose upper and lower folders lie in the store, and the ways to the places where roots are.
 *
 * One with ids of its own is mounted from an id-mapped copy of the whole store, attached for that moment where the root
 * will be: the kernel before 6.15 takes overlay's folders from attached mounts only. The overlay keeps private copies of what
 * it needs of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/paths.h"

struct error;

/* The store, mapped where `user_namespace` is not -1, attached at `place`; and taken away again. */
int overlay_attach_store(const struct paths *paths, const char *place, int user_namespace,
                         struct error *error);
int overlay_detach_store(const char *place, struct error *error);

/* A file system context of an overlay that is written to; lower folders are set by lower.h. `passing`: neither fsync(2) nor
 * its unmounting writes anything to the disk ("volatile"), and this upper is never mounted again with its work folder. */
int overlay_begin(const char *upper, const char *work, bool passing, struct error *error);
/* The detached mount of it. Relative lower folders are so to `folder`. Whoever mounts an overlay lends it his credentials
 * for good: it is made with the file identity of `id_base`. `what` is for messages. */
int overlay_end(int context, const char *folder, int64_t id_base, const char *what, struct error *error);

int overlay_attach(int tree, const char *place, struct error *error);
/* As a container's root: in a peer group of its own, so that an unmount here reaches the container's copy. */
int overlay_attach_root(int tree, const char *point, struct error *error);
