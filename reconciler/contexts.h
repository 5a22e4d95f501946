/* The folder that a build takes its recipe and files from: one of the host, or what an archive holds, once that was fetched.
 *
 * Which archive is meant is a digest: the spec's pin; of a file of the host that of its content; and of what lies on a
 * server the one that the image was bound to when it was fetched (SEMANTICS 12). The record keeps that binding. */
#pragma once

#include "reconciler/builds.h"

struct context_found {
    const char *folder; /* NULL: it has to be fetched */
    const char
        *digest; /* of the archive, 64 hex digits; NULL: it is a folder of the host, or whatever comes */
    bool is_archive;
};

/* Reads the host and the store. -EINVAL and others: what the spec names is not there, or not what it says. */
int context_find(const struct builds_request *request, const struct object *image, struct arena *arena,
                 struct context_found *found, struct error *error);

/* What is recorded of a fetch: `origin` ends in "sha256:" and the digest. */
const char *context_note(struct arena *arena, const char *origin, const char *source);
/* Of that note: NULL where it is of another source, or there is none. */
const char *context_digest(struct arena *arena, const char *note, const char *source);
const char *context_origin(struct arena *arena, const char *note, const char *source);
