/* A RUN on its way, or a shell in the root of one that failed: what its parts share. */
#pragma once

#include "drivers/container/container.h"
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
    bool asks_for_id;   /* see build_boot.h */
    int *locks;         /* of caches that are in use */
    size_t lock_count;
    bool has_failed;  /* the command itself, which was told with what it is */
    const char *term; /* TERM of the environment, where nothing else says it; NULL */
    struct error *error;
};

struct build_environment;

/* The container, in the order in which these are called. What a request must be, and the name that it gives: */
int build_guest_check(const struct build_run *request, struct error *error);
void build_guest_name(struct running *running);
/* The root, mounted and furnished. */
int build_guest_begin(struct running *running);
/* Its init runs, or has booted. */
int build_guest_start(struct running *running, struct container_started *started);
/* `words` by the user, in the folder and with the environment of the request. `environment` is the caller's, also of a call
 * that fails. */
int build_guest_command(struct running *running, const struct texts *words,
                        struct build_environment *environment, struct container_command *command);
/* An image's init is asked to end. */
int build_guest_halt(struct running *running);
/* Nothing of it runs any more, and its root is mounted nowhere. */
int build_guest_end(struct running *running, const struct container_started *started, struct error *error);
int build_guest_remove(const struct running *running, struct error *error);
void build_guest_release(struct running *running); /* caches, and the handle of the root */

/* Mounts the files and mounts of the request into the root. */
int build_mounts_make(struct running *running);
/* The value of a secret, and its end: it stays nowhere, for whatever is forked later has this heap. */
int build_secret_read(const struct build_mount *mount, struct buffer *value, struct error *error);
void build_secret_forget(struct buffer *value);
/* Takes away what it has attached in the step's folder, which is `inside` build, for that moment. */
void build_mounts_forget(const struct paths *paths, const char *inside);
