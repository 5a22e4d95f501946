/* What a container has of its image: SEMANTICS 13, 37, 49. Pure.
 *
 * What the container says itself wins: variables one by one, its list of ports and its command as wholes, volumes by path.
 * A container that has no volume at, above or below a VOLUME gets one: of the image's name for it, or, where that names
 * none, one of its own, known by container and path. Of a command come its user and its folder; an init has neither. */
#pragma once

#include "specs/image_config.h"

struct inherited {     /* one thing, for a plan */
    const char *field; /* "env.PATH", "ports", "volumes./data" */
    const char *value; /* as a plan shows it */
    const char *from;  /* "image shop/app: PORT 80" */
};

struct inheritance {
    struct container *body; /* a copy of the container's with all of it */
    struct inherited *items;
    size_t count;
    struct object **volumes; /* implicit ones that it mounts, of the container's project, place and source */
    size_t volume_count;
    bool ports; /* its ports are the image's */
};

void image_inherit(struct arena *arena, const struct object *container, const char *image,
                   const struct image_config *config, struct inheritance *out);
/* The other way round: a copy of a recorded container's body without what it has as the image says it. */
struct container *image_disinherit(struct arena *arena, const struct object *container,
                                   const struct image_config *config);
/* The full name of its volume of that path. */
const char *image_volume_name(struct arena *arena, const char *container, const char *path);
