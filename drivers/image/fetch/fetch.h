/* fpsync-fetch: what is read of strangers is read here, in sandboxes; the only program with libcurl and libarchive.
 *
 * It is told by one word and descriptors, and answers on standard output.
 *
 *   fpsync-fetch unpack    stdin: the archive; descriptor 3: the target folder, empty
 *   fpsync-fetch context   the same for the context of a build, which is smaller than a root
 *   fpsync-fetch layer     the same for a layer of an OCI image, over what lower layers have left in the target
 *   fpsync-fetch check     stdin: a squashfs; descriptor 3: any empty folder; nothing is written: SKIPPED counts all that keeps
 *                          the kernel from showing exactly what unpacking would make of it
 *   fpsync-fetch pack      a tree into such a layer: see pack.h
 *   fpsync-fetch get       stdin: a JSON request (get.h); descriptor 3: the file that the body goes to
 *   fpsync-fetch resolve   stdin: a JSON request (resolve.h); descriptor 3: an index of an image server
 *
 * Who has the network has no file system but the file it writes; who unpacks has no network.
 *
 * Lines of `unpack`, `context`, `layer` and `check` are "progress PERCENT", then one of "done ENTRIES BYTES SKIPPED [BLOB-DIGEST DIFF-ID]"
 * (the digests, 64 hex digits each, of a layer) and "error TEXT"; those of all other words are JSON objects, one a
 * line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/digest.h"

struct error;
struct json;

#define TARGET_FD 3

struct unpacked {
    int64_t entries, bytes;
    int64_t skipped; /* device nodes, sockets and extended attributes that have no place in an image */
    char read[DIGEST_TEXT_SIZE],
        decoded[DIGEST_TEXT_SIZE]; /* of a layer: of the blob, and of the tar in it */
};

/* The words. Each returns the exit status. */
int unpack_main(void);
int layer_main(void);
int context_main(void);
int check_main(void);
int pack_main(void);
int get_main(void);
int resolve_main(void);

/* Whether progress may be told once more: nobody reads a line more often. *told is 0 at first, and then the time of the last. */
bool say_is_due(int64_t *told);
/* One line, in one piece; takes the object over. Ends the process when nobody listens any more. */
void say_object(struct json *line);
void say_text(const char *key, const char *text); /* an object of one text */

/* For who only reads: nothing but open descriptors is left. */
int reading_sandbox_enter(struct error *error);
/* After this the target is "/", nothing outside can be named, and nothing of the host is in our power. `beside` (NULL:
 * there is none) is a second tree that is only read: its handle becomes one of a mount of its own, which leads nowhere. */
int sandbox_enter(int target, bool read_only, int *beside, struct error *error);
/* After this no system call but those of unpacking is left, to any of our threads. */
int sandbox_close(struct error *error);

/* What an archive is of: it says how names are read, and how much of it there may be. */
enum unpack_what { UNPACK_ROOT, UNPACK_LAYER, UNPACK_CONTEXT, UNPACK_CHECK };

struct unpacking;
/* Between the two: what needs a thread starts it here. `archive` is a tar (plain, gzip, xz, zstd), or a squashfs when it
 * is a file and no layer. */
struct unpacking *unpack_begin(int archive, enum unpack_what what, struct error *error);
/* Unpacks into the folder `root`. Calls `progress` with a percentage as it rises. */
int unpack(struct unpacking *unpacking, int root, void (*progress)(int percent), struct unpacked *unpacked,
           struct error *error);
void unpack_end(struct unpacking *unpacking); /* accepts NULL */

/* Checks and cleans a name of the archive: relative, no "..", no control characters; "./" and doubled slashes go.
 * The root itself becomes "". `clean` holds PATH_MAX bytes. */
int name_clean(const char *name, char *clean, struct error *error);
