/* Merged roots and what is mounted into them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct mount_entry;
struct root_mount;
struct root_reference;
struct root_write;

int root_mount_whole(const struct paths *, const struct root_mount *, const struct call *, struct error *);
/* Whether it can be mounted, as far as that can be known while another one is; changes nothing. */
int root_check(const struct paths *, const struct root_mount *, const struct call *, struct error *);
int root_unmount_whole(const struct paths *, const struct root_reference *, const struct call *,
                       struct error *);
int root_write_files(const struct paths *, const struct root_write *, const struct call *, struct error *);

/* Puts a volume's detached tree onto its place, in a root before its start. */
int volume_move(int tree, int target, const char *path, struct error *error);

/* Mounts fpsync's small init at /.fpsync/init of a root; `id_base` as it was mounted with. */
int root_mount_init(int root, int64_t id_base, struct error *error);

/* "NAME" or "NAME.TAG" as paths_lxc_name() makes it. -EINVAL. */
int root_check_name(const char *lxc_name, struct error *error);
/* And that of its image, which is to be whole in the store; paths and names of all else. -EINVAL, -ENOENT. */
int root_check_request(const struct paths *, const struct root_mount *, struct error *);

/* Lazily unmounts what a mount table shows below `base`, found by handle: guests may swap what leads to it. */
int unmount_inside(const char *base, const struct mount_entry *entry, struct error *error);
