/* Merged roots and what is mounted into them. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct mount_entry;
struct root_mount;
struct root_reference;
struct root_write;

int root_mount_whole(const struct paths *, const struct root_mount *, const struct call *, struct error *);
int root_unmount_whole(const struct paths *, const struct root_reference *, const struct call *,
                       struct error *);
int root_write_files(const struct paths *, const struct root_write *, const struct call *, struct error *);

/* The one way a volume gets into a root, before start and into a running container alike: a detached tree with its
 * ids mapped, nosuid and nodev; the target below `root` is made, owned by the container's root (the caller's file
 * identity), and opened. volume_move() puts the one onto the other. */
int volume_tree(const struct paths *paths, const char *file, int user_namespace, bool read_only,
                struct error *error);
int volume_move(int tree, int target, const char *path, struct error *error);

/* "NAME" or "NAME.TAG" as paths_lxc_name() makes it. -EINVAL. */
int root_check_name(const char *lxc_name, struct error *error);

/* Lazily unmounts what a mount table shows below `base`, found by handle: guests may swap what leads to it. */
int unmount_inside(const char *base, const struct mount_entry *entry, struct error *error);
