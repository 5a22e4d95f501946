/* Work among mounts of one's own. */
#pragma once

struct error;

/* Runs `work` in a process that shares our descriptors and has a copy of all mounts, none of which anybody else sees; they
 * are gone when it ends, or when we are killed. What it opens stays open, and what it returns is returned: a descriptor,
 * 0, or a negative errno. Nothing else of what it does to memory is seen here. */
int aside_run(int (*work)(void *context, struct error *error), void *context, struct error *error);
