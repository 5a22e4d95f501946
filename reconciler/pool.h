/* Workers: small exec'd processes that run the steps of one task after the other.
 *
 * They hold no database, lock or secret. A worker that dies takes its own task with it and nothing else: the task
 * is reported as failed, another worker is started for the next one. */
#pragma once

#include <sys/types.h>

#include "drivers/paths.h"
#include "reconciler/compile.h"

struct pool;

/* The worker program beside our own: "fpsync" has "fpsync-worker", "fpsync-fake" has "fpsync-worker-fake". */
const char *pool_worker_path(void);

struct pool_reply {
    void *owner; /* as given to pool_submit() */
    bool done;   /* false: `progress` is a line to show */
    const char *progress;
    int code;            /* 0 or negative errno */
    const char *message; /* of the failure */
    size_t failed_step;
    void *
        *results; /* one a step that ran, NULL where the step has none; objects of the steps' result tables */
    size_t result_count;
};

/* Starts no process yet. `width` workers at most. */
struct pool *pool_new(const struct paths *paths, size_t width, struct arena *arena);
void pool_free(struct pool *pool); /* closes the pipes: idle workers end by themselves; accepts NULL */
DEFINE_CLEANUP(pool)

bool pool_has_room(const struct pool *pool);
size_t pool_busy(const struct pool *pool);
/* `timeout` in milliseconds for the whole task, 0: none. */
int pool_submit(struct pool *pool, void *owner, const struct steps *steps, int64_t timeout,
                struct error *error);
/* Waits for the next reply; 1: got one, 0: nothing is under way or `timeout` (milliseconds, -1 none) has passed,
 * -EINTR: a signal came first. */
int pool_wait(struct pool *pool, int timeout, struct pool_reply *reply, struct error *error);
/* Process of the worker that has a task; 0: none has. */
pid_t pool_worker(const struct pool *pool);
/* Asks the workers to end their current step early (SIGTERM). */
void pool_cancel(struct pool *pool);
