/* What the commands of a build printed: build/logs/PROJECT_NAME.KEY, one a RUN, and KEY.1 for what came before. */
#pragma once

#include <stdint.h>

#include "drivers/image/build.h"

struct build_log {
    int folder, file; /* -1: it could not be opened, and nothing is kept */
    const char *name; /* in the folder, */
    const char *path; /* and from the root on; NULL: nothing is kept */
    int64_t bytes;    /* in the file by now */
};
#define NO_BUILD_LOG ((struct build_log){.folder = -1, .file = -1})

/* Begins a new one for the step, where an older one goes, and so do all that are too old or too many. What cannot be
 * written is no reason for a build to fail. */
void build_log_begin(struct build_log *log, const struct paths *paths, const struct build_run *request,
                     struct arena *arena);
void build_log_line(struct build_log *log, const char *line);
void build_log_end(struct build_log *log);
