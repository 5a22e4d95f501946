/* What lies behind URLs, fetched by `fpsync-fetch get`: the one who speaks to servers has no file system but the file
 * that it writes, and whoever reads what came has no network.
 *
 * TLS is always verified; https redirects to https alone, at most five times, and not from a public address to one that
 * is not. Failures that may pass (no connection, a stall, 408, 429, 5xx) are tried again inside, with what came kept.
 *
 * Errors of all: -EACCES (401, 403, or an address that is not allowed), -ENOENT (404, 410), -EFBIG (more than `limit`),
 * -EKEYREJECTED (TLS), -EHOSTUNREACH, -ECONNREFUSED, -ETIMEDOUT, -EAGAIN (429, 5xx), -EREMOTEIO (any other status),
 * -ENOSPC, -EIO; -EHOSTDOWN when `offline`. The message names the URL. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/buffer.h"
#include "lib/digest.h"

struct downloads;
struct error;
struct image_make;

struct remote_request {
    const char *url; /* https://, or http:// where `plain`; without a user */
    const char *const
        *headers;   /* "Accept: ...", "Authorization: ..."; ends with NULL; NULL: none. For this URL's host
                                   only, not for others that it redirects to */
    const char *ca; /* path of the certificates (PEM) to verify by; NULL: as `bounds` say */
    int64_t limit;  /* bytes that the body may have */
    const struct downloads *bounds; /* stall and tries; NULL: as their defaults say */
    bool plain;                     /* http:// may be asked: something else vouches for what comes */
    bool guarded; /* a server named the URL, not root: an address that is not public is refused. Set it to
                     `is_public` of the answer that named it. */
    bool offline;
    bool head; /* only what the server says of it: no body comes */
};

struct remote_answer {             /* in the call's arena */
    int status;                    /* of HTTP; 0: none came */
    int64_t bytes;                 /* of the body */
    char digest[DIGEST_TEXT_SIZE]; /* SHA-256 of the body */
    const char *type;              /* Content-Type; "" */
    const char *challenge;         /* WWW-Authenticate of a 401; "" */
    const char *version;           /* ETag, else Last-Modified; "": neither was sent */
    bool is_public;                /* what answered has a public address */
    bool resumed;                  /* some of it came earlier */
};

/* The body into memory. */
int remote_get(const struct remote_request *, const struct call *, struct remote_answer *,
               struct buffer *body, struct error *);

/* The body into a file below downloads/, which is opened for reading. A download that was cut off, by whatever, goes on
 * where it ended if the server still has the same file. `digest`: 64 hex digits that the whole must have, else nothing
 * is left of it (-EBADMSG); NULL: whatever comes.
 * What was taken out of the file is the caller's to say with remote_drop(), which removes it; files that nobody drops
 * are removed by `fpsync gc`. */
int remote_download(const struct paths *, const struct remote_request *, const char *digest,
                    const struct call *, struct remote_answer *, int *file, struct error *);
void remote_drop(const struct paths *, const char *url);
/* For gc: the same by the key that its files are named by. -EBUSY while somebody fetches it. */
int remote_forget(const struct paths *, const char *key, struct error *);
