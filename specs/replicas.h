/* Sets of equal containers: `replicas: N` of NAME stands for NAME-1 to NAME-N. */
#pragma once

#include "specs/check.h"

/* Puts the members in the place of every container that says `replicas`, with all that it says and its name as `set`,
 * so that whoever comes later sees plain containers. Tells of what members cannot share, and of names that are none. */
void replicas_expand(struct collection *collection);
/* A dependency on a set becomes one on each of its members. */
void imply_members(struct world *world);
/* A set's name is no container's: both would answer to it. */
void check_replicas(struct world *world);
