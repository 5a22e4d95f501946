/* Volumes: folders, sized file systems in a file, subvolumes.
 *
 *   volumes/FILE/data      dir, btrfs: what is in it
 *   volumes/FILE/image     loop: an ext4 file system of its size, sparse
 *   volumes/FILE/used      it was in a container once, and is filled no more
 *   volumes/FILE/....new   half made: thrown away by whoever makes it next
 *
 * A file system in a file is mounted nowhere on the host. Every use makes a mount of its own from the one loop device
 * that the kernel has for the file, and the device goes with the last of them: nothing can be left behind, whoever
 * dies. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct volume_source;

struct volume_kind { /* one of them a file: volume_dir.c and so on */
    const char *name;
    /* Makes it in its folder, of its size; already so is success, and a smaller one grows. */
    int (*make)(int folder, const struct volume_source *, const struct call *, struct error *);
    /* A new, empty one beside the old, opened: what is put into it takes the old one's place by commit(), unless there is
     * something in that already. */
    int (*begin)(int folder, const struct volume_source *, const struct call *, struct error *);
    int (*commit)(int folder, int filled, struct error *);
    /* A detached mount of it. */
    int (*tree)(int folder, uint64_t attributes, int user_namespace, struct error *);
};
extern const struct volume_kind volume_dir, volume_loop, volume_btrfs;
int volume_dir_commit(int folder, int filled, struct error *error); /* a subvolume is a folder, too */
int volume_dir_tree(int folder, uint64_t attributes, int user_namespace, struct error *error);

/* What a new volume is filled from: a path in an image; `digest` NULL: nothing. */
struct volume_filling {
    const char *digest, *path;
    const struct texts *others; /* unless empty, the first of these that is there: "DIGEST/path" */
};

int volume_make(const struct paths *paths, const struct volume_source *source, const struct call *call,
                struct error *error);
/* A detached mount of the volume, made and filled if need be, for a container: nosuid and nodev, with its ids mapped
 * unless `user_namespace` is -1. `fresh`: what is in it is thrown away first, unless another container has it. What is
 * detached is seen by nobody: `held` is to be closed when it is mounted, and keeps all others from the volume so long. */
int volume_use(const struct paths *paths, const struct volume_source *source,
               const struct volume_filling *filling, bool fresh, bool read_only, int user_namespace,
               const struct call *call, int *held, struct error *error);
/* A folder to read and write what is in it; for a sized one its mount lives as long as the descriptor. */
int volume_open(const struct paths *paths, const char *file, struct error *error);
