/* Whether what was started runs its program. */
#pragma once

#include "drivers/container/internal.h"

/* Whether the container is to run a command below our small init; false for one that only waits for what comes in from
 * outside, as those of builds do, and for one with an init of its own. */
bool start_has_command(struct config *config, const struct paths *paths);
/* Until init has executed its program, and our small init the command: the first where a missing or unusable init fails,
 * the second where a command does. -ESRCH: it ended. 0 also where time ran out, since it lives. */
int start_await_exec(pid_t init, bool command, const struct call *call);
