/* Between the files of drivers/image/remote.h: one run of fpsync-fetch. */
#pragma once

#include "drivers/image/remote.h"

struct remote_fetch {
    const char *validator; /* of what the file holds; NULL: nothing that counts */
    /* Called as soon as it is known what version the file begins with; "": none that a server could compare. */
    void (*note)(void *context, const char *validator);
    void *context;
    bool tells; /* how far it is */
};

/* -ESTALE where the file holds the beginning of another version. */
int remote_fetch(const struct remote_request *, const struct remote_fetch *, int file, const struct call *,
                 struct remote_answer *, struct error *);
