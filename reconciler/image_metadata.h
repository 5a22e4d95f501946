/* Desired containers, with what their images say about being run (image_inherit.h). Pure.
 *
 * Which image that is follows from where the container's layer stands after this run: on the image as it is, or on the one
 * that it was made on. Of an image that is made in this run it is known only afterwards; where its source may tell
 * something about that, what hangs on it waits: SEMANTICS 26. Recorded containers have it in their bodies already. */
#pragma once

#include "lib/map.h"
#include "reconciler/follow.h"
#include "reconciler/image_inherit.h"

struct metadata {
    struct map inherited; /* container -> struct inheritance */
    struct map awaited;   /* container -> name of the image that has to be made first */
    struct map refused;   /* container -> why what it has of its image cannot be */
};

struct metadata_request {
    const struct paths *paths;
    const struct object_set *desired;
    const struct actual *actual;
    const struct world *world;
    const struct renames *renames;
    const struct builds *builds;
    struct texts layouts; /* images whose source was seen to have one: full names */
};

/* Whether any of it could concern the set: else nothing of it needs to be done. */
bool metadata_is_needed(const struct metadata_request *request);
/* `merged`: the set with such containers in place of those that the specs have, and with the volumes that images name. */
void metadata_merge(const struct metadata_request *request, struct arena *arena, struct object_set *merged,
                    struct metadata *metadata);
void metadata_clear(struct metadata *metadata);
