/* A tree into a layer of an OCI image, or the whole of an image into a tar: the word `pack`.
 *
 *   stdin         a JSON object: "compression" ("none", "gzip", "zstd", "xz"), "opaque" (paths of folders of a delta
 *                 that hide what lies below them, which nobody but the host's root can see in the tree), "devices"
 *                 (device nodes are written, too), "lists" (false: no POSIX ACLs), "time" (of all entries, seconds since
 *                 1970; else each has its own)
 *   descriptor 3  the file, open for writing; 4: the tree; 5, where it is open: the tree that that one is a delta on, and
 *                 what both show together is written
 *
 * The last line is "done ENTRIES BYTES SKIPPED BLOB-DIGEST DIFF-ID SIZE" or "error TEXT". */
#pragma once

#include <stdint.h>

#include "lib/digest.h"

struct error;

#define PACK_FILE_FD 3
#define PACK_TREE_FD 4
#define PACK_BASE_FD 5

struct pack_trees { /* handles of folders */
    int top, base;  /* -1: there is none */
};

struct packed {
    int64_t entries, bytes, skipped;
    int64_t size;                                          /* of the file */
    char written[DIGEST_TEXT_SIZE], tar[DIGEST_TEXT_SIZE]; /* digests: of the file, and of the tar in it */
};

/* `request` is the JSON text. Equal trees give equal files. */
int pack(const char *request, const struct pack_trees *trees, int file, struct packed *packed,
         struct error *error);
