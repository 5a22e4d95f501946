/* What the command of a RUN has in its environment, and the secrets that its output is not to show. */
#pragma once

#include "drivers/image/build_run.h"

struct build_environment {
    char **items;           /* "NAME=VALUE"; ends with NULL */
    struct buffer *secrets; /* values that the command got, as file or as variable */
    size_t secret_count;
};

/* To be freed, which wipes what is secret of it, before anything else is started. */
int build_environment_make(const struct running *running, const struct build_user *user,
                           struct build_environment *environment);
void build_environment_free(struct build_environment *environment);
#define _cleanup_build_environment_ _cleanup_(build_environment_free)

/* Secrets of at least so many bytes are told as asterisks: of shorter ones that would tell more than it hides. */
#define BUILD_SECRET_SHORTEST ((size_t)4)
/* `line` without the secrets, as text of `size` bytes at most with its end. */
void build_environment_mask(const struct build_environment *environment, const char *line, char *out,
                            size_t size);
