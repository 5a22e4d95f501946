/* What builds keep to make the next one quick: steps, and the caches of RUN. */
#pragma once

#include "reconciler/cli/cli.h"

struct build_cache {
    struct observed_build seen;
    bool *steps, *caches; /* of each that is seen: whether it goes, by age or budget */
    int64_t *cache_bytes;
};

/* The least recently used go first; with a step all goes that stands on it. The policy is loaded. */
int build_cache_look(struct session *session, struct build_cache *cache, struct error *error);
/* Before the first action of a run that holds the lock: ends what a build that was killed has left running, which no network
 * guards any more. Trouble is told on stderr, and left to gc. */
void build_cache_end_left(struct session *session);
/* After a run with builds in it, under its lock: what --no-cache made takes the places of what was cached, and what is more
 * than the budget goes. Trouble is told on stderr, and is nobody's failure: the images are made. */
void build_cache_tidy(struct session *session, const struct plan *plan);
