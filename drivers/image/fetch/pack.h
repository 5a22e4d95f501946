/* A tree into a layer of an OCI image: the word `pack`.
 *
 *   stdin         a JSON object: "compression" ("none", "gzip", "zstd"), "opaque" (paths of folders of a delta
 *                 that hide what lies below them, which nobody but the host's root can see in the tree)
 *   descriptor 3  the file, open for writing; 4: the tree
 *
 * The last line is "done ENTRIES BYTES SKIPPED BLOB-DIGEST DIFF-ID SIZE" or "error TEXT". */
#pragma once

#include <stdint.h>

#include "lib/digest.h"

struct error;

#define PACK_FILE_FD 3
#define PACK_TREE_FD 4

struct packed {
    int64_t entries, bytes, skipped;
    int64_t size;                                          /* of the file */
    char written[DIGEST_TEXT_SIZE], tar[DIGEST_TEXT_SIZE]; /* digests: of the file, and of the tar in it */
};

/* `request` is the JSON text. Equal trees give equal files. */
int pack(const char *request, int tree, int file, struct packed *packed, struct error *error);
