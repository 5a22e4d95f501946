/* fpsync-fetch: unpacks one archive into one folder, inside a sandbox.
 *
 *   fpsync-fetch unpack    stdin: the archive; descriptor 3: the empty target folder; stdout: lines for the caller
 *
 * Lines are "progress PERCENT", then one of "done FILES BYTES SKIPPED" and "error TEXT". */
#pragma once

#include <stdint.h>

struct error;

#define TARGET_FD 3

struct unpacked {
    int64_t entries, bytes;
    int64_t skipped; /* device nodes, sockets and extended attributes that have no place in an image */
};

/* After this the target is "/", nothing outside can be named, and no system call but those of unpacking is left. */
int sandbox_enter(int target, struct error *error);
/* Unpacks from `archive` into the folder `root`. Calls `progress` with a percentage as it rises. */
int unpack(int archive, int root, void (*progress)(int percent), struct unpacked *unpacked,
           struct error *error);

/* Checks and cleans a name of the archive: relative, no "..", no control characters; "./" and doubled slashes go.
 * The root itself becomes "". `clean` holds PATH_MAX bytes. */
int name_clean(const char *name, char *clean, struct error *error);
