/* Servers that images come from, as fpsync.conf names them. */
#pragma once

#include "lib/fields.h"

struct remote {
    struct described described;
    const char *name;     /* key; what stands before the colon of a source */
    const char *url;      /* of the server's root, without '/' at its end */
    const char *protocol; /* "simplestreams", "oci" */
    const char *key;      /* the index is signed by this one (minisign, signify); NULL */
    const char *gpg;      /* the index is signed by one of this keyring of gpgv(1); NULL */
    const char *ca;       /* file of certificates that it is verified by, instead of the host's; NULL */
};
extern const struct table remote_table;

/* Whether something beside TLS vouches for what it sends. */
static inline bool remote_is_signed(const struct remote *remote)
{
    return remote->key || remote->gpg;
}

/* How long downloads may take, and how large they may be. */
struct downloads {
    struct described described;
    int64_t size;    /* bytes of one file */
    int64_t stall;   /* milliseconds without a KiB a second */
    int64_t tries;   /* after the first */
    const char *ca;  /* file of certificates that servers are verified by; NULL: the host's */
    const char *crl; /* file of revocation lists; NULL: none is looked at */
};
extern const struct table downloads_table;

struct policy;
/* The remote of that name, or the preset one; NULL. */
const struct remote *remote_find(const struct policy *policy, const char *name, struct arena *arena);
/* REMOTE of "REMOTE:ALIAS", in the arena; NULL where the source is of another kind. */
const char *remote_of_source(const char *source, struct arena *arena);
/* The source that "bootstap:bookworm" was probably meant to be; NULL: what stands before its colon is near to none that is
 * known, or is one. */
const char *source_meant(const struct policy *policy, const char *source, struct arena *arena);
/* What to do about "REMOTE:ALIAS" where no remote is called so: what may have been meant, one that is known or, of an
 * `image`, another kind of source; and the line to write into `conf`. */
const char *remote_hint(const struct policy *policy, const char *source, bool image, const char *conf,
                        struct arena *arena);
/* Whether a server has it. */
bool source_is_fetched(const char *source);
