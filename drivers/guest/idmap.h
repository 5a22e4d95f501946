/* Id-mapped mounts and the credentials that go with them.
 *
 * On disk everything carries container ids 0-65535. A detached copy of a tree, mapped through a user namespace
 * whose map is "0 BASE 65536", shows them as the container's range on the host (mount_setattr(2)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/cleanup.h"

struct error;

#define ID_RANGE 65536

struct user_namespace {
    int fd;       /* -1: none */
    pid_t holder; /* the process that it began with: killed, and reaped when it is closed; 0: none */
};
#define NO_USER_NAMESPACE ((struct user_namespace){.fd = -1})

/* One that maps 0-65535 to `base` and up. Only one at a time may be open. */
int user_namespace_make(struct user_namespace *made, int64_t base, struct error *error);
void user_namespace_close(struct user_namespace *made);
#define _cleanup_user_namespace_ _cleanup_(user_namespace_close)

/* A detached copy of the mount at `path` (relative to `directory` when not absolute; "" for that itself), without what is
 * mounted below it, with `attributes` (MOUNT_ATTR_*) and, when `user_namespace` is not -1, its ids mapped. */
int tree_clone(int directory, const char *path, uint64_t attributes, int user_namespace, struct error *error);

/* What is said of it above, of a detached mount: for one that is no copy. */
int tree_set_up(int tree, uint64_t attributes, int user_namespace, struct error *error);

/* While taken, this thread makes files as `base`:`base` and keeps its capabilities: inodes come out as 0:0 on
 * disk, and an overlay mounted so can write through an id-mapped upper. Base 0 changes nothing. */
struct identity {
    bool taken;
    int securebits;
    int death_signal; /* what the death of the parent sends */
};
int identity_take(struct identity *identity, int64_t base, struct error *error);
void identity_drop(struct identity *identity);
#define _cleanup_identity_ _cleanup_(identity_drop)
