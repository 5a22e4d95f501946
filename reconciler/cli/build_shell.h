/* Shells in the roots of commands that failed in a build: at once (--shell-on-failure) and as long as they are kept. */
#pragma once

#include "reconciler/cli/cli.h"

/* Whether this is `build --shell`: what the command line says of the two goes before the environment. */
bool build_shell_is_meant(const struct options *options);
/* -ENOTTY where a shell was asked for and there is no terminal for it. */
int build_shell_check(const struct options *options, struct error *error);
/* build --shell IMAGE [-- COMMAND...]; its exit code is that of the shell or command. */
int build_shell(const struct options *options);
/* One after the other for all builds of the plan whose RUN failed. */
void build_shell_failed(struct session *session, const struct plan *plan);
