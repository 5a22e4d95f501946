/* Tasks: what the main program asks of a worker, and what the worker answers.
 *
 * The two talk over a pair of pipes (or a socket) in frames: length (u32, little endian), then that many bytes as
 * lib/fields.h encodes them. The main side sends `struct task`; the worker sends any number of progress replies
 * (`done` false) and then exactly one with `done` true for each task, in order. A worker that ends without it
 * died: what its steps did must be observed, not assumed.
 *
 * Fields are sent as they are present; make objects with described_new() and task_mark() what was filled in. */
#pragma once

#include "lib/fields.h"

#define TASK_FRAME_LIMIT (8 * 1024 * 1024) /* bytes of one frame's payload */

struct error;

struct task_step {
    struct described described;
    const char *key;      /* "0", "1", ... in order: lists need a unique key */
    int64_t kind;         /* enum step_kind */
    struct bytes request; /* encoded by the step type's request table */
};

struct task {
    struct described described;
    int64_t id;        /* the sender's; comes back in every reply */
    int64_t deadline;  /* CLOCK_MONOTONIC milliseconds; 0: none */
    struct list steps; /* of task_step */
};

struct task_result {
    struct described described;
    const char *key;     /* of the step */
    struct bytes result; /* encoded by the step type's result table */
};

struct task_reply {
    struct described described;
    int64_t id;
    bool done;
    int64_t failed_step;  /* index; -1: none */
    int64_t code;         /* negative errno of the failed step; 0 */
    const char *message;  /* its error text; NULL */
    struct list results;  /* of task_result: steps that came to their end and have a result */
    const char *progress; /* one line, in replies that are not done; NULL */
};

extern const struct table task_step_table, task_table, task_result_table, task_reply_table;

/* Appends a step to a task; `request` is an object of the step type's request table, NULL where it has none. */
void task_add_step(struct arena *arena, struct task *task, int kind, const struct table *table,
                   const void *request);
/* Marks every field as present, so that the whole object is encoded: for structs built in code. Nested structs
 * and lists are marked with it. */
void task_mark(const struct table *table, void *object);

/* Sends one frame; waits while a non-blocking descriptor is full. -EMSGSIZE over the limit, -EPIPE when the other
 * side is gone (whoever writes to a pipe catches SIGPIPE). */
int task_send(int fd, const struct table *table, const void *object, struct error *error);
/* Receives one frame, waiting for all of it: 1, or 0 when the other side closed between frames. -EBADMSG for
 * what is no frame of that table or was cut off. -EINTR only when a signal came before the frame's first byte. */
int task_receive(int fd, const struct table *table, struct arena *arena, void **object, struct error *error);
