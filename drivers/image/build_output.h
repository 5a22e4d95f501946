/* What the command of a RUN says: told as progress, kept in a log, the last lines also for an error. */
#pragma once

#include "drivers/call.h"
#include "drivers/image/build_environment.h"
#include "drivers/image/build_log.h"

#define OUTPUT_LAST 5 /* lines */

struct build_output {
    const struct call *call;
    const struct build_environment *environment; /* whose secrets are not shown; NULL */
    struct build_log log;
    char last[OUTPUT_LAST][512];
    size_t count;
};

/* A line of it; `context` is a build_output. */
void build_output_hear(void *context, const char *line);
/* ": LINE | LINE", or "" when it said nothing. */
void build_output_last(const struct build_output *output, struct buffer *text);
