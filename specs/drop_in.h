/* Drop-ins: NAME.yaml.d/\*.yaml, in byte order, say something else than NAME.yaml, value by value. */
#pragma once

#include "lib/digest.h"
#include "specs/include.h"
#include "specs/interpolate.h"

struct drop_ins {
    struct inclusion *inclusion; /* whose bounds hold */
    struct digest *digest;
    struct variables *variables; /* of the file */
    bool incomplete;             /* one could not be read */
};

/* Lays those of `path` over its documents, which are not interpolated yet. */
void drop_ins_apply(struct drop_ins *drop_ins, const char *path, struct documents *documents);
