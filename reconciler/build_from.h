/* Which image a name in FROM, or in --from, is: pure.
 *
 * In this order: an image that the spec declares, or that is recorded and does not go in this run, by the name that a spec
 * would call it; an alias of fpsync.conf; a source in so many words, "bootstrap:bookworm" or "images:debian/12" of a remote that is known; and what is
 * none of these is looked for in a registry, as docker does.
 *
 * A recipe may come from a stranger: it names no file of the host. An alias may, which is root's. */
#pragma once

#include "reconciler/actual.h"
#include "specs/policy.h"
#include "specs/specs.h"

enum build_from {
    BUILD_FROM_SPEC,  /* declared */
    BUILD_FROM_STORE, /* recorded, by an earlier run or for another source */
    BUILD_FROM_ALIAS,
    BUILD_FROM_SOURCE, /* a remote, or what else a source may say */
    BUILD_FROM_REGISTRY,
};

struct build_from_request {
    const char *reference; /* expanded */
    const char *project;   /* of the image that is built */
    const struct object_set *desired;
    const struct actual *actual;
    const struct policy *policy;
    const struct spec_source *sources; /* of this run: what it prunes of them is no answer */
    size_t source_count;
};

struct build_from_choice {
    enum build_from kind;
    const struct object *image; /* of the spec or the store; NULL */
    const char *source;         /* as struct image has it; NULL where there is an image */
    const char *why; /* for the plan: "image shop/base of the spec", "alias debian:* of fpsync.conf" */
};

/* -ENOENT, with a hint in the text: it is nothing. -EPERM: a file of the host. */
int build_from(const struct build_from_request *request, struct arena *arena,
               struct build_from_choice *choice, struct error *error);

/* Declared no more, the image is forgotten by the run that would build on it, and the next one would build on something
 * else. Asked of what is not desired. */
bool build_from_forgets(const struct build_from_request *request, const struct entry *entry);
