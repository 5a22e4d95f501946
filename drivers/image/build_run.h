/* A RUN on its way: what its parts share. */
#pragma once

#include "drivers/image/build_making.h"
#include "drivers/image/build_users.h"
#include "lib/buffer.h"

struct running {
    struct build_making making;
    const struct paths *paths;
    const struct build_run *request;
    const struct call *call;
    const char *name;  /* of its container */
    const char *place; /* mounts/NAME */
    const char *point; /* the mount point in it */
    int64_t id_base;
    int user_namespace; /* open while its root is made */
    int root;           /* handle of the mounted root; -1: none */
    struct texts stubs; /* see build_stubs.h */
    int *locks;         /* of caches that are in use */
    size_t lock_count;
    struct error *error;
};

/* Mounts the files and mounts of the request into the root. */
int build_mounts_make(struct running *running);
/* The value of a secret, and its end: it stays nowhere, for whatever is forked later has this heap. */
int build_secret_read(const struct build_mount *mount, struct buffer *value, struct error *error);
void build_secret_forget(struct buffer *value);
/* Takes away what it has attached in the step's folder for that moment. */
void build_mounts_forget(const struct paths *paths, const char *temporary);
