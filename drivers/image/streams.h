/* Image servers that speak simplestreams: from a remote and an alias to what is to be fetched. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "lib/digest.h"

struct arena;
struct error;
struct image_make;
struct json;
struct texts;

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
    struct stream_item recipe;                /* of streams_resolve_recipe() */
    bool is_public;                           /* the server has a public address */
};

/* Asks the server, checks the signature where the remote has a key, and resolves. -ENOENT when it has none of that name (or
 * none with the pin any more), -EKEYREJECTED for a signature, -EBADMSG for an index that is none, -EPERM when the newest is
 * older than request->origin says and nothing pins it. */
int streams_resolve(const struct image_make *request, const struct call *call, struct stream_image *image,
                    struct error *error);
/* The same for the recipe that the alias was published with, or the one of that pin; its digest is the fingerprint. */
int streams_resolve_recipe(const struct image_make *request, const struct call *call,
                           struct stream_image *image, struct error *error);
/* What the server has whose name or description holds all the words, as fpsync-fetch says it (fetch/resolve.h): an array
 * of objects, texts in it as the server has them. NULL after an error. */
struct json *streams_list(const struct image_make *request, const struct texts *words,
                          const struct call *call, int64_t *more, struct error *error);
/* What the image is to run on, as servers call it: "amd64". */
const char *streams_machine(const struct image_make *request, struct arena *arena);
