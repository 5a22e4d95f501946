/* What is mounted, as /proc/PID/mountinfo tells it (proc_pid_mountinfo(5)), and which of it is ours. */
#pragma once

#include <stdbool.h>

#include "drivers/paths.h"
#include "lib/arena.h"
#include "lib/fields.h"

struct error;

struct mount_entry {
    int id;
    unsigned major, minor;
    const char *root;  /* of the mount, within its file system */
    const char *point; /* as the process of the table sees it */
    const char *type;
    const char *options; /* of the superblock */
};

struct mount_entries {
    struct mount_entry *items; /* in the order of mounting */
    size_t count;
};

/* `table` is "/proc/self/mountinfo" or that of another process. */
int mounts_read(const char *table, struct arena *arena, struct mount_entries *entries, struct error *error);

/* The layer on which an overlay of this fpsync stands; NULL when it is not one of ours. */
const char *mount_layer(const struct paths *paths, struct arena *arena, const struct mount_entry *entry);
/* Adds the images below it: a delta and its lower are two. */
void mount_images(const struct paths *paths, struct arena *arena, const struct mount_entry *entry,
                  struct texts *images);

/* A folder as mount tables name it: device and path within its file system. `found` false: it does not exist. */
struct mount_origin {
    bool found;
    unsigned major, minor;
    const char *root;
    const char *real; /* its path here, without symlinks */
};
int mount_origin_of(const char *folder, struct arena *arena, struct mount_origin *origin,
                    struct error *error);

/* The layer behind a mount of its copy of an image; NULL when it is not one of the store at `layers`. */
const char *mount_copied_layer(const struct mount_origin *layers, struct arena *arena,
                               const struct mount_entry *entry);
/* The volume behind a mount, by its file name; NULL when it is not one of the store at `volumes`. */
const char *mount_volume(const struct mount_origin *volumes, struct arena *arena,
                         const struct mount_entry *entry);
