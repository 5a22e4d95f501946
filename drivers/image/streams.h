/* Image servers that speak simplestreams: from a remote and an alias to what is to be fetched. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "lib/digest.h"

struct error;
struct image_make;

struct stream_item {
    const char *url;
    const char *digest; /* 64 hex digits */
    int64_t size;       /* bytes */
};

struct stream_image {
    const char *version;
    const char
        *fingerprint; /* 64 hex digits, over its files one after another; "": the server does not say */
    struct stream_item whole, metadata, root; /* `whole`, or the other two; the others' URL is NULL */
    bool is_public;                           /* the server has a public address */
};

/* Asks the server, checks the signature where the remote has a key, and resolves. -ENOENT when it has none of that name (or
 * none with the pin any more), -EKEYREJECTED for a signature, -EBADMSG for an index that is none, -EPERM when the newest is
 * older than request->origin says and nothing pins it. */
int streams_resolve(const struct image_make *request, const struct call *call, struct stream_image *image,
                    struct error *error);
