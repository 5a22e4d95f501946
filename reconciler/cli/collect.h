/* What can be freed, for gc and for image gc. */
#pragma once

#include "reconciler/cli/cli.h"
#include "reconciler/pool.h"

struct candidate {
    const char *kind, *name; /* an image's name is its digest */
    const char *why;
    struct entry *entry; /* NULL: not on record */
    struct steps steps;
    bool young;                               /* retained for less than the retention */
    bool freed;                               /* or would be */
    bool kept;                                /* retain: keep, or a person's snapshot */
    const struct observed_snapshot *snapshot; /* NULL: something else */
};

struct candidates {
    struct candidate *items;
    size_t count;
};

/* `entry` NULL: not on record. */
struct candidate *collect_add(struct session *session, struct candidates *to, const char *kind,
                              const char *name, const char *why, struct entry *entry);
void collect_add_step(struct session *session, struct candidate *item, enum step_kind kind,
                      const struct table *table, void *request);
/* Snapshots; those of a layer or volume of `data` that goes are gone with it. */
void collect_snapshots(struct session *session, const struct observed_snapshots *seen,
                       const struct candidates *data, struct candidates *to);
/* Images that nobody uses: neither a record, nor a layer, retained ones included, nor one of the snapshots that stay, nor an
 * image that is used. Deltas before what they stand on. */
void collect_images(struct session *session, const struct candidates *snapshots, struct candidates *to);
/* Of builds: the step cache and the caches of RUN, as two lots, of which what is within age and budget goes by --force alone;
 * the roots of commands that failed, once they have expired; logs; archives of recipes. */
int collect_builds(struct session *session, struct candidates *to, struct error *error);
/* Runs its steps, and drops its record where it has one. */
int collect_free(struct session *session, struct pool *pool, const struct candidate *item,
                 struct error *error);
struct json *collect_json(const struct candidate *item, bool chosen);
