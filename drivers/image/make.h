/* The ways to a root file system, each into an empty folder, and what is done with it afterwards. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/digest.h"
#include "lib/fields.h"

struct error;
struct image_looked;
struct image_make;
struct image_making;

/* mmdebstrap with the host's apt sources for `suite`. `target` is absolute. */
int bootstrap_make(const char *suite, const struct texts *packages, const char *target,
                   const struct call *call, struct error *error);
/* The host's apt sources that serve `suite` (and SUITE-updates, -security and so on), as deb822 text in a memory
 * file, read from `etc_apt` ("/etc/apt"). -ENOENT when none does. */
int apt_sources_of(const char *etc_apt, const char *suite, struct error *error);
/* A folder, copied, or an archive: squashed.h. */
int file_make(struct image_making *making, const char *path, struct error *error);
/* The archive into the open, empty folder `target`. `path` is what messages call it. -EBADMSG when it is damaged, or holds
 * what no image may. */
int unpack_archive(const char *path, int archive, int target, const struct call *call, struct error *error);
struct unpack_answer { /* what fpsync-fetch said of it */
    long long entries, bytes, skipped;
    char digest[DIGEST_TEXT_SIZE],
        diff[DIGEST_TEXT_SIZE]; /* of "layer": of the blob, and of the tar in it; else "" */
};
/* The same by one of fpsync-fetch's words "unpack", "layer" and "check"; `what` is NULL where the caller says it. */
int unpack_by(const char *word, const char *what, int archive, int target, const struct call *call,
              struct unpack_answer *answer, struct error *error);
/* Says as progress how much was left out; silent about none. */
void unpack_tell_skipped(const struct call *call, long long skipped);

/* An image that is fetched while it is made. */
struct fetching {
    struct image_making *making; /* its root is empty; config and origin are set by who fetches */
    const struct image_make *request;
    struct texts fetched; /* URLs of the downloads that it is made of, to be dropped when they are used up */
};
/* An archive behind an https:// source. */
int https_make(struct fetching *, struct error *);
/* The same of what it is asked for to compare: "v:HEX", of ETag or Last-Modified. */
int https_look(const struct image_make *request, const struct call *call, struct image_looked *looked,
               struct error *error);
/* An image of a simplestreams server, REMOTE:ALIAS. */
int remote_image_make(struct fetching *, struct error *);
int remote_image_look(const struct image_make *request, const struct call *call, struct image_looked *looked,
                      struct error *error);

/* What an image is called: the digest of its tree, or, of one with a lower, a config or an epoch (NULL: none), of
 * "fpsync image 1", the lower's, its own tree's, the config and, where there is one, the epoch, each with its length before
 * it. Times are in no tree's digest; with the epoch, what has other times has another name. */
void image_name_digest(const char *lower, const char *tree, const char *config, const char *epoch,
                       char digest[static DIGEST_TEXT_SIZE]);
/* Digest and size of the tree below the folder `root`: see image.h. */
int image_digest(int root, const struct call *call, char digest[static DIGEST_TEXT_SIZE], int64_t *bytes,
                 struct error *error);
