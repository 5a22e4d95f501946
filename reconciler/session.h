/* One run: paths, lock, record, world, specs and plan, each opened when it is needed and released together. */
#pragma once

#include "reconciler/builds.h"
#include "reconciler/execute.h"
#include "reconciler/image_metadata.h"
#include "reconciler/looks.h"
#include "reconciler/options.h"
#include "specs/policy.h"
#include "specs/specs.h"
#include "state/state.h"

struct session {
    const struct options *options;
    struct arena *arena;
    struct paths paths;
    int lock; /* -1: not held */
    struct state *state;
    struct snapshot snapshot;
    struct actual actual;   /* after session_plan(): under the names that it goes on with */
    struct actual record;   /* as it was read; empty before session_plan() */
    struct renames renames; /* of the last session_plan() */
    struct world world;
    bool has_looked; /* the world was seen before the record was read; session_look() has nothing to do */
    bool settled;    /* there is nothing to do, and nothing was read: see settled.h */
    struct spec_set set;
    struct texts
        held_back; /* files of an automatic run that are broken, while the rest is fine: `problems` says why */
    struct problems problems;
    struct policy *
        policy; /* NULL until it is loaded, and where it cannot be: what is recorded was permitted when it was applied */
    struct lease_rules lease_rules;
    struct metadata metadata; /* of the last session_plan(): what containers have of their images */
    struct builds_request builds_request; /* and what the recipes of the set ask for: */
    struct builds builds;
    struct looks looks;             /* what servers say of images: asked once a run */
    struct build_flags build_flags; /* where the options have some: with names of this set */
    bool has_built;                 /* what is to be made whatever it is has been made: --no-cache */
    struct texts stops, starts;     /* full names of containers that a person's wish stops and starts */
    struct texts failed; /* ids of objects that this run could not act on, and of those that wait for them */
    bool has_fetched;    /* recipes: what is not here by now does not come in this run */
};

enum session_mode { SESSION_READ, SESSION_WRITE };

/* Paths and, for writing, the lock and the folders. -EWOULDBLOCK (exit 5) names the holder. */
int session_enter(const struct options *options, enum session_mode mode, struct session *session,
                  struct error *error);
/* A part of it: one writer a root. */
int session_lock(struct session *session, struct error *error);
/* Those that workers need, for who has one and takes no lock. */
int session_make_folders(const struct paths *paths, struct error *error);
int session_read(struct session *session, struct error *error); /* the record */
/* Whether anything in the record carries this source. */
bool session_holds(const struct session *session, const char *source);
/* Both. */
int session_open(const struct options *options, enum session_mode mode, struct session *session,
                 struct error *error);
/* The record is read first, even under the lock, and opened for writing only once there is something to write: a run
 * with nothing to do does not so much as open it for writing. What was read stays true, for the lock is held. */
int session_write(struct session *session, struct error *error);
void session_close(struct session *session);
#define _cleanup_session_ _cleanup_(session_close)

/* Record, then world. */
int session_look(struct session *session, struct error *error);
/* Specs of -f or the default folder, checked against what other sources hold. -EINVAL: see problems. */
int session_load(struct session *session, struct error *error);
/* Parts of that: all but recipes; */
int session_load_declared(struct session *session, struct error *error);
/* and what recipes ask for, compared with the record as it was read last. */
int session_load_builds(struct session *session, struct error *error);
/* "retained for 3 days, 12MiB": walks over all that is in it. */
const char *session_left(struct session *session, const struct entry *entry);
/* "12MiB", "500 bytes". */
const char *session_size(struct session *session, int64_t bytes);
/* For commands that start what is recorded: what the host permits today. -EINVAL: see problems. */
int session_load_policy(struct session *session, struct error *error);
/* Whether the container may start: it is permitted (else -EPERM) and its values are known (else -ENODATA). */
int session_check_start(const struct session *session, const struct entry *container, struct error *error);
/* And, once the session has looked, whether what it wrote is there (else -ENOENT): layer_lost(). */
int session_check_layer(const struct session *session, const struct entry *container, struct error *error);
/* And its volumes: a start would make those that are not. */
int session_check_volumes(const struct session *session, const struct entry *container, struct error *error);
void session_plan(struct session *session, struct plan *plan);
/* Plans as if the recorded objects were what is declared: what is left is drift. */
void session_plan_recorded(struct session *session, struct plan *plan);
/* And this, that what is recorded stays but for networks that nobody declared and nobody uses any more: of the drift there is
 * nothing in it. */
void session_plan_needless(struct session *session, struct plan *plan);
/* Reasons to refuse the plan (exit 4): other sources' objects, mass delete, lost database. 0 or -EPERM. */
int session_guard(const struct session *session, const struct plan *plan, struct error *error);

/* "container/shop/web", "shop/web", "web" (project default, else the only one of that name); -ENOENT with the
 * nearest name. */
int session_find_container(struct session *session, const char *argument, struct entry **entry,
                           struct error *error);
/* "volume/shop/data", "volume/data", of any kind. */
int session_find_object(struct session *session, const char *argument, struct entry **entry,
                        struct error *error);
