/* Layers of a limited size (limits.disk): what one holds lies in a file system of that size.
 *
 *   layers/FILE/image      that file system: upper, work, root and frozen, which else lie beside it
 *   layers/FILE/disk       an empty folder that stands as long as any of these do: where it is mounted, for a moment
 *   layers/FILE/upper, /root    empty; they tell whoever may not mount anything which of the two it is
 *   layers/FILE/image.new  half made: thrown away
 *   layers/FILE/plain.new  half of what goes back into the folder: thrown away
 *   layers/FILE/plain      all of it: from now on this is what the layer holds, and the file goes
 *
 * Notes (stack, snapshots) stay in the folder, where they can be read. A move either way, and one into a smaller file, is
 * a copy that takes the place of the old one by one rename; a crash leaves the one or the other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct volume_source;

#define DISK_FOLDER "disk"

/* For all of these: `folder` is the layer's, locked, and nothing of it is mounted. */

/* Finishes what was interrupted, then has the layer lie in a file of `size` bytes, or, 0, in its folder. -ENOSPC when what
 * it holds does not fit; it stays as it is then. */
int disk_settle(int folder, int64_t size, const struct call *call, struct error *error);
/* What is in it: a copy of `folder`, or the root of a mount that lives as long as the descriptor. */
int disk_open(int folder, struct error *error);
/* Throws the file away, and what is in it. */
int disk_remove(int folder, struct error *error);
/* A detached mount of the file system; -ENOENT when it has none. */
int disk_tree(int folder, uint64_t attributes, int user_namespace, struct error *error);
/* The effect: for one that is mounted, too. */
int disk_grow_layer(const struct paths *, const struct volume_source *, const struct call *, struct error *);
/* Whether it lies in a file, or is on its way there or back. One system call. */
bool disk_is_limited(int folder);
