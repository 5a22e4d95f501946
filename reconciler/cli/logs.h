/* What the parts of `logs` share. */
#pragma once

#include "reconciler/cli/cli.h"

/* All that the file holds, to standard output, harmless to a terminal; none at all where it is not there. */
int log_print_file(const char *path, struct error *error);
int logs_of_build(const struct options *options, const char *image);
