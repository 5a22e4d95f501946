/* What a new volume that several containers mount is filled from (SEMANTICS 13): the first of its mounts whose image has
 * something at the path. All of them are asked in one order, whoever comes first: those that can be written to before those
 * that cannot, each by the container's name and the path. */
#pragma once

#include "reconciler/target.h"

struct fill_source {
    const char *volume; /* full name */
    const struct object *container;
    const struct mount *mount;
};

struct fill_sources {
    const struct fill_source *items;
    size_t count;
};

/* Every mount of the set, looked for when one is asked for first. */
struct fills {
    bool known;
    struct fill_source *items;
    size_t count;
};

/* Empty where the spec says that the volume is not filled, and where only one mount is: that one fills it. */
struct fill_sources fills_of(const struct target *target, struct fills *fills, const char *volume);

/* Digests of images by their full names, as far as they are known. */
struct fill_digests {
    const char *(*of)(const void *context, const char *image);
    const void *context;
    const struct object *container; /* stands on `own`, whatever its image is by now; the step is about it */
    const char *own;
};
/* As a step has them: see struct root_volume. */
struct texts fills_list(const struct target *target, struct fills *fills, const char *volume,
                        const struct fill_digests *digests);
