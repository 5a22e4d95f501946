/* Asking servers what the sources of images stand for today (SEMANTICS 12 and 25).
 *
 * Asked is about an image that is on record, is made of what a server has, and says `pull: always`, or says `follow` and
 * was not asked about for so long, or that somebody pulls by hand. The answer is an observation like any other: the plan makes the image anew where it
 * is not what the record says, and leaves it where nobody answers.
 *
 * When a server was asked last lies in ROOT/run/fpsync/asked/NAME, as the time of an empty file: a run without an action
 * writes nothing to the record. Only runs that hold the lock write it, and only after an answer that asks for nothing. */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/world.h"
#include "specs/policy.h"

struct looks_request {
    const struct paths *paths;
    const struct object_set *desired;
    const struct actual *actual;
    const struct policy *policy; /* NULL: none */
    bool offline;
    bool writes;  /* the lock is held */
    bool by_hand; /* every image of `desired` that a server has is asked about, and now */
};

struct looks { /* of one run, which asks once */
    struct world_look *items;
    size_t count;
    bool asked;
};

void looks_ask(const struct looks_request *request, struct arena *arena, struct looks *looks);
