/* Images as their readers have them: a whole tree, or a delta on one.
 *
 * The note of a delta, images/DIGEST/complete, has a line "lower DIGEST", and its root is what overlay keeps in an upper
 * folder: a character device 0:0 where something of the lower is gone, "trusted.overlay.opaque" on a folder that hides the
 * lower's. The lower of a delta is whole: nothing ever stands on more than two trees. Whoever mounts, copies or opens an
 * image asks here, or lower.h, and nobody else. */
#pragma once

#include "lib/arena.h"
#include "lib/digest.h"

struct error;

#define IMAGE_NOTE_LIMIT ((size_t)4096)

/* The digest in a note's line "lower", or "" where there is none. */
void image_note_lower(const char *note, char lower[static DIGEST_TEXT_SIZE]);
/* The same of an image in the store at `store`; -ENOENT when it is not whole there. */
int image_lower(const char *store, const char *digest, char lower[static DIGEST_TEXT_SIZE],
                struct error *error);

struct image_trees { /* handles of the folders that it is made of */
    int delta;       /* -1: it is whole */
    int base;
};
#define NO_IMAGE_TREES ((struct image_trees){-1, -1})
/* Without mounting anything; what is kept as a squashfs has nothing in it then, see view_system.h. Effects ask
 * image_trees_open() of lower.h. */
int image_trees_look(const char *store, const char *digest, struct image_trees *trees, struct error *error);
void image_trees_close(struct image_trees *trees);
#define _cleanup_image_trees_ _cleanup_(image_trees_close)

/* Opens for reading what the image shows at `path`, without mounting anything; symbolic links lead where they lead with
 * the image as root. -errno. */
int image_trees_file(const struct image_trees *trees, const char *path);
