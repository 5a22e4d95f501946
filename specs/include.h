/* `include:`: which files a document brings in beside its own. */
#pragma once

#include "lib/map.h"
#include "specs/sources.h"
#include "specs/tree.h"

/* Bounds over all that includes and drop-ins bring in. */
#define INCLUDE_DEPTH 16
#define INCLUDE_FILES 1000
#define INCLUDE_EDGES 10000              /* entries of all `include` together, matches counted one by one */
#define INCLUDE_SIZE  ((size_t)64 << 20) /* bytes */

struct include_edge {
    size_t from, to;         /* numbers in the list of files */
    const struct node *root; /* of the including document */
};

struct inclusion {
    struct arena *arena;
    struct problems *problems;
    bool by_hand;            /* as of spec_file_read() */
    struct file_list *files; /* grows */
    struct map known;        /* of size_t, number + 1, by clean path */
    struct include_edge *edges;
    size_t edge_count;
    size_t count, size; /* files and bytes that nobody named on the command line */
    bool full;          /* a bound was reached and told */
};

void inclusion_begin(struct inclusion *inclusion);
void inclusion_end(struct inclusion *inclusion);

/* Adds the files of the document's `include` to the list, each once. A missing file is a problem, a pattern without a
 * match is none. */
void inclusion_follow(struct inclusion *inclusion, size_t from, const struct node *root);

/* One file more, of so many bytes, brought in at `place`. False, after one problem, beyond the bounds. */
bool inclusion_fits(struct inclusion *inclusion, struct place place, size_t size);
