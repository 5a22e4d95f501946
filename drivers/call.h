/* What every driver call takes besides its request: memory, a deadline, a way to be stopped, a way to be heard. */
#pragma once

#include <stdint.h>

#include "lib/arena.h"

struct call {
    struct arena *arena; /* results live here */
    int64_t deadline;    /* CLOCK_MONOTONIC milliseconds; 0: none */
    int cancel;          /* becomes readable when the call should end early (-ECANCELED); -1: never */
    void (*progress)(void *context, const char *line); /* NULL: silent */
    void *context;
};

int64_t now_milliseconds(void); /* CLOCK_MONOTONIC */
/* Milliseconds until the deadline for poll(): -1 without one, 0 when it has passed. */
int call_time_left(const struct call *call);
/* -ECANCELED or -ETIMEDOUT when the call should end, else 0. */
int call_check(const struct call *call);
