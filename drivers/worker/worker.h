/* One task from request to last reply. */
#pragma once

#include "drivers/paths.h"

struct error;

/* Receives a task, runs its steps, replies. 1 after a task, also a failed one; 0 when no more will come; negative
 * when the conversation broke. `cancel` as in struct call. */
int worker_task(int requests, int replies, int cancel, const struct paths *paths, struct error *error);
