/* One running container as a place to mount things in.
 *
 * Everything of it is reached through one handle of /proc/PID, taken after the pidfd and checked against init's start
 * time, so that a recycled pid is noticed. Targets are resolved in its root before a child enters its mount
 * namespace; afterwards nothing is looked up by path any more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/cleanup.h"

struct error;

struct guest {
    const char *lxc_name; /* not owned */
    int pidfd, proc, root;
    int user_namespace; /* -1: the host's own */
    int64_t id_base;
};
#define NO_GUEST ((struct guest){.pidfd = -1, .proc = -1, .root = -1, .user_namespace = -1})

/* -ESRCH when that init is gone, or the pid is another's now. */
int guest_enter(const char *lxc_name, int64_t init_pid, int64_t init_start, struct guest *guest,
                struct error *error);
void guest_leave(struct guest *guest);
#define _cleanup_guest_ _cleanup_(guest_leave)

/* -EBUSY when a file system in the guest would keep waiting who looks at the path; see view_look.h. */
int guest_check_answers(const struct guest *guest, int64_t init_pid, const char *path, struct error *error);

/* Puts a detached tree (a folder or not) at a place of the guest; `locked`: its root cannot lift its flags (read-only,
 * above all) by a remount, see lock_tree.h. -errno. */
int guest_move(const struct guest *guest, int tree, bool locked, int target);
/* Unmounts, lazily, what is mounted at `name` in the folder `target`, or (NULL) what `target` is the root of. -EINVAL:
 * it is locked, since it was there before the guest was. */
int guest_unmount(const struct guest *guest, int target, const char *name);
