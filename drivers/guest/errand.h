/* A child for what would change this process for good, such as joining a namespace. It runs in our memory while we wait: a
 * copy of that would cost more than the few system calls that it makes, and nothing else may it do. No signal finds it
 * there. */
#pragma once

/* What `run` returned; -EIO when the child came to an end before. `flags` of clone(2), such as CLONE_FILES; may be 0. */
int errand_run(int (*run)(const void *context), const void *context, int flags);
