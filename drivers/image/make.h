/* The ways to a root file system, each into an empty folder, and what is done with it afterwards. */
#pragma once

#include "drivers/call.h"
#include "lib/digest.h"

struct error;
struct texts;

/* mmdebstrap with the host's apt sources for `suite`. `target` is absolute. */
int bootstrap_make(const char *suite, const struct texts *packages, const char *target,
                   const struct call *call, struct error *error);
/* The host's apt sources that serve `suite` (and SUITE-updates, -security and so on), as deb822 text in a memory
 * file, read from `etc_apt` ("/etc/apt"). -ENOENT when none does. */
int apt_sources_of(const char *etc_apt, const char *suite, struct error *error);
/* A folder, copied, or an archive, unpacked in fpsync-fetch. `target` is an open folder. */
int file_make(const char *path, int target, const struct call *call, struct error *error);

/* What an image is called: the digest of its tree, or, of one with a lower or a config (NULL: none), of "fpsync image 1",
 * the lower's, its own tree's and the config, each with its length before it. */
void image_name_digest(const char *lower, const char *tree, const char *config,
                       char digest[static DIGEST_TEXT_SIZE]);
/* Digest and size of the tree below the folder `root`: see image.h. */
int image_digest(int root, const struct call *call, char digest[static DIGEST_TEXT_SIZE], int64_t *bytes,
                 struct error *error);
