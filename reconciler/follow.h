/* Whether a container's layer is put on another image than the one it stands on: SEMANTICS 10.
 *
 * An image that changed has another digest; a layer stands on the digest it was made on until its container starts
 * again. Where nothing speaks against it the layer follows: what was written is frozen and put on the new image. */
#pragma once

#include "reconciler/builds.h"
#include "reconciler/target.h"

enum following {
    FOLLOW_STAY,    /* nothing changed, or it is not to follow */
    FOLLOW_RESTACK, /* what was written moves along */
    FOLLOW_RESET,   /* what was written is kept as a snapshot, and the layer begins anew */
    FOLLOW_HELD,    /* `reason` speaks against it */
};

struct follow {
    enum following how;
    const char *image;  /* name */
    const char *from;   /* digest that the layer stands on */
    const char *to;     /* NULL: the image is made in this run, and the worker looks whether it fits */
    const char *reason; /* of FOLLOW_HELD */
    bool checked;       /* `auto`: only where nothing speaks against it */
};

/* The name of the layer that the container had and that is not in the store any more unless it is `there`, so that it
 * would come up on an empty one; NULL: there is none. Declared ones have an action of their own that says so. */
const char *layer_lost(const struct actual *actual, const struct object *container, const struct entry *entry,
                       bool there);
/* Whether the container's root is a copy of its image. */
bool root_is_copy(const struct container *container);
/* `changing`: the image is made anew in this run. */
struct follow follow_of(const struct target *target, const struct actual *actual, const struct world *world,
                        const struct object *container, bool changing);
/* Whether an image is going to be made: as what it was not before, or after its name was forgotten. */
bool image_is_made(const struct object_set *desired, const struct builds *builds, const struct world *world,
                   const char *name, const struct entry *image, struct arena *arena);
/* The layer of a container that was made on an image of another name and is to go on all the same; NULL: there is none. */
const struct entry *layer_of_other_image(const struct actual *actual, const struct object *container,
                                         const char *image);
/* What of it has an effect when the container is started. */
bool follow_moves(const struct follow *follow);
/* "3f2a9b01c2d3", for people. */
const char *digest_brief(struct arena *arena, const char *digest);
/* The name of the snapshot that keeps a root when it becomes one of the other kind (layer, copy): "before-KIND-GENERATION"
 * with what it becomes. */
const char *root_kept_as(struct arena *arena, const struct container *now, int64_t generation);

/* Looks into every layer that stands on another digest than its image has, or is going to have: the plan needs to know,
 * and may not look. */
void follow_look(const struct paths *paths, const struct object_set *desired, const struct builds *builds,
                 const struct actual *actual, struct arena *arena, struct world *world);
