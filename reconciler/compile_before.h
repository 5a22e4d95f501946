/* What is found out before a container is stopped for its start. */
#pragma once

#include "reconciler/compile.h"

/* Steps that fail where the start would, while nothing has been touched; `runs`: it is going to be stopped. Whether they
 * leave it defined as the start needs it: a config counts from the next start only. */
bool compile_before_stop(const struct compiling *compiling, const struct action *action, bool runs,
                         struct steps *steps);
