/* What LXC says of a start: in the container's own log, or in that which its owner gave it. */
#pragma once

#include <sys/types.h>

#include "drivers/container/internal.h"

struct arena;
struct buffer;

struct start_log {
    char path[CONTAINER_PATH_SIZE]; /* "": none */
    off_t from;                     /* bytes that it had before */
};

/* In the process that is going to call liblxc. A config that names no file gets the one beside it for this start: its
 * owner has it from lxc-start's command line else. */
void start_log_open(struct config *config, const struct paths *paths, struct start_log *log);
/* The program that was to be process 1 and that the root has not, or that needs what the root has not; NULL: another reason. */
const char *start_log_missing(const struct start_log *log, struct arena *arena);
/* ": REASON; REASON (PATH)". */
void start_log_explain(const struct start_log *log, struct buffer *text);
