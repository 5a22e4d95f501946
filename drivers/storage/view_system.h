/* What system an image holds: what speaks for and against another one below a layer (SEMANTICS 10).
 *
 * Views mount nothing. So an image that is kept as a squashfs, and a delta on one, has a note of it, images/DIGEST/system, of
 * lines "id TEXT", "version TEXT" and "machine NUMBER", written when the image is made. */
#pragma once

#include "lib/arena.h"

struct buffer;
struct error;
struct image_trees;

struct image_system {
    char id[64], version[64]; /* ID and VERSION_ID of os-release; "" */
    int machine;              /* e_machine of its programs; -1: none was found */
};

/* By its trees. */
void image_system_find(const struct image_trees *trees, struct arena *arena, struct image_system *system);
/* Of an image of the store, without mounting anything. -ENOENT when it is not there. */
int image_system_look(const char *store, const char *digest, struct arena *arena, struct image_system *system,
                      struct error *error);
/* The note's text. */
void image_system_print(const struct image_system *system, struct buffer *text);
#define IMAGE_SYSTEM "system"
