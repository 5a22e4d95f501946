/* Trees into tars, by fpsync-fetch's word `pack` (drivers/image/fetch/pack.h). */
#pragma once

#include <stdint.h>

#include "drivers/call.h"
#include "lib/digest.h"

struct error;
struct image_trees;
struct json;

struct packed {
    char digest[DIGEST_TEXT_SIZE], diff[DIGEST_TEXT_SIZE]; /* of the file, and of the tar in it */
    int64_t size;                                          /* bytes of the file */
    int64_t skipped;                                       /* what has no place in it */
};

/* The base alone, or what delta and base show together, into the open file; `request` is that of the word. */
int pack_trees(const struct image_trees *trees, int file, const struct json *request, const struct call *call,
               struct packed *packed, struct error *error);
/* Paths of folders of a delta that hide what its base has there: what the word `pack` is told as "opaque". */
int delta_list_opaque(int delta, struct json *list, struct error *error);
