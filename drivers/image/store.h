/* An image on its way into the store, whatever it is made of. */
#pragma once

#include <limits.h>

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/cleanup.h"
#include "lib/digest.h"

struct error;
struct image_made;

struct image_making {
    const struct paths *paths;
    const struct call *call;
    const char *name;   /* full name that it is made for */
    const char *lower;  /* digest of the whole image that its root is a delta on; NULL: the root is whole */
    const char *config; /* JSON; NULL: none */
    const char *origin; /* for the result; NULL */
    const char *epoch;  /* that no file is newer than, in digits: another one is another image; NULL */
    char squashed
        [DIGEST_TEXT_SIZE];       /* of the squashfs that the root is kept as, over its bytes; "": a folder */
    int store;                    /* folder images/ */
    char temporary[NAME_MAX + 1]; /* name of its folder in it */
    int folder;                   /* that folder, locked as long as it is open */
    int root;                     /* the folder "root" in it: to be filled */
};

/* Removes what crashes left and makes the folders; paths, call and name are set. */
int image_making_begin(struct image_making *making, struct error *error);
/* Digests the root, notes what it is, syncs, and names it. Whoever was quicker with the same one has won. */
int image_making_finish(struct image_making *making, struct image_made *made, struct error *error);
/* Throws away what is not finished. */
void image_making_end(struct image_making *making);
#define _cleanup_image_making_ _cleanup_(image_making_end)
#define NO_IMAGE_MAKING        ((struct image_making){.store = -1, .folder = -1, .root = -1})

/* -EBUSY when an image of the store is a delta on this one. */
int image_check_no_delta(const struct paths *paths, const char *digest, struct error *error);
