/* What lies below a root: the lower folders of an overlay, and the copy that some roots are. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/fields.h"

struct error;
struct image_trees;
struct root_mount;

/* One option of an overlay that is being made (fsconfig(2)). */
int lower_option(int context, const char *key, const char *value, struct error *error);
struct lower_place {
    const char *store; /* the path of the store, or of a copy of its mount */
    const char *layer; /* file name */
    bool limited;      /* the layer lies in a file, which is mounted in its folder there: disk.h */
};

/* Its lower folders: the frozen uppers of the layer, newest first, and below them the image. */
int lower_set(int context, const struct lower_place *place, const char *digest, const struct texts *frozen,
              struct arena *arena, struct error *error);
/* Makes the superblock of it (FSCONFIG_CMD_CREATE). Kernels before 6.7 look up lower folders only now: relative ones are so
 * to `folder`. -errno. */
int lower_create(int context, const char *folder);
/* Lower folders, newest first; relative ones to the folder that the caller is in. -E2BIG. */
int lower_set_paths(int context, const struct texts *paths, struct error *error);
/* Adds the folders that an image of the store is made of, as "BESIDE/images/DIGEST/root": itself, and its lower. */
int lower_add_image(const char *store, const char *beside, const char *digest, struct texts *paths,
                    struct arena *arena, struct error *error);
/* Opens the root of what these folders, relative to `folder`, show together: for reading. It needs no mount point, and
 * what is mounted goes with its last handle. `what` is for messages. */
int lower_open(const char *folder, const struct texts *paths, const char *what, struct error *error);
/* The detached mount of two folders or more. */
int lower_mount(const char *folder, const struct texts *paths, const char *what, struct error *error);
/* Mounts what is kept as a squashfs of an image and of what it is a delta on, over their folders in the attached copy
 * `copy` of the store: squash.h. */
int lower_attach_image(const char *store, const char *copy, const char *digest, int user_namespace,
                       struct arena *arena, struct error *error);
/* Whether anything of it is kept so. */
bool lower_needs_mount(const char *store, const char *digest, struct arena *arena);
/* What images are freed by that nobody uses: when a root was last mounted on this one, and on what it is a delta on. It is
 * the time of its folder, which is no part of the image. */
void image_note_use(const char *store, const char *digest);
/* As lower_open(), of an image. */
int lower_open_image(const char *store, const char *digest, struct arena *arena, struct error *error);
/* The trees that it is made of, whichever way they are kept: view_image.h. -ENOENT when it is not whole. */
int image_trees_open(const char *store, const char *digest, struct image_trees *trees, struct error *error);
/* Makes "root" in `data`, what the layer holds, when there is none: a copy of the image or of what a snapshot shows above
 * it. A crash leaves none. `layer` is the layer's folder. */
int copy_make(const struct lower_place *place, int layer, int data, const struct root_mount *request,
              const struct call *call, struct error *error);
