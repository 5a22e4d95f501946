/* What the command line says of a build: arguments, the stage that becomes the image, secrets.
 *
 * All of it is for the images that are named there, and for none below them. It is not written into what is recorded of
 * the spec: with an image only which flags it was made with is recorded ("VERSION by --build-arg"), so that the plan after
 * that can say why the spec alone asks for another image. */
#pragma once

#include "lib/fields.h"
#include "reconciler/options.h"

struct build_flags {
    struct texts images;             /* as targets: "image/NAME"; */
    struct texts names;              /* the same, as full names of the set that is loaded */
    struct pairs args;               /* before those of the spec */
    const char *stage;               /* instead of the spec's; NULL */
    struct pairs secrets;            /* files of the host by id, before those of the spec */
    const struct unlisted *unlisted; /* what is built is in no spec; NULL */
    const char
        *told; /* "VERSION by --build-arg, stage dev by --target"; NULL: nothing that changes an image */
};

/* Of the options, whose targets are parted: stages have no '/'. Values of secrets that come from the environment are moved
 * out of it into a file of memory, which only this process and its workers reach (/proc/PID/fd/N); on no disk, and in no
 * environment of what is started from here on. -EINVAL, -ENOENT. */
int build_flags_read(const struct options *options, struct arena *arena, struct build_flags *flags,
                     struct error *error);
bool build_flags_any(const struct build_flags *flags);
