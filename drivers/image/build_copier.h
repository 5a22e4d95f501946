/* Files from one tree into another that is there already, as COPY and ADD do it. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "drivers/call.h"
#include "drivers/image/build_users.h"
#include "lib/fields.h"
#include "lib/map.h"

struct error;

struct build_copier {
    const struct call *call;
    bool keeps_owner; /* and extended attributes, of a root's own; else all belongs to 0:0 and has none */
    const struct build_user *owner; /* instead; NULL */
    int64_t mode;                   /* of files and folders; -1: as it is */
    const int64_t *time;            /* of all that is made, seconds since 1970; NULL: as it is */
    const char *base;               /* path of the source in its context, for these: */
    struct map excluded;            /* paths that are not copied, nor what is below them */
    const struct texts *included;   /* but these are, and what is below them */
    bool takes_attributes;          /* the folder that is copied into becomes like the source, too */
    char path[PATH_MAX];            /* of the present entry: "." or "./a/b" */
    struct error *error;
};

/* All that is in the folder `from` into the folder `to`. A folder is united with one that is there and makes it like itself; a
 * file takes the place of what is no folder. By handles: no symbolic link is followed on either side. -ENOTDIR, -EISDIR where
 * one would hide the other. */
int build_copier_contents(struct build_copier *copier, int from, int to);
/* One regular file, open for reading, as `name` in the folder `to`. */
int build_copier_file(struct build_copier *copier, int source, int to, const char *name);
