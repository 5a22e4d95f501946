/* Lines of the LXC config that say what a field says. */
#pragma once

#include "specs/model.h"

/* The container's field that writes the control file which a line "lxc.cgroup.FILE = VALUE" sets; NULL: none. */
const char *lxc_control_field(const char *line);
/* Whether one of the lines speaks of that limit and the limits do not: what counts is the line's. Swap is counted from the
 * memory. */
bool lxc_lines_limit(const struct texts *lines, const struct limits *limits, const struct field *row);
