/* Sets of replicas as they are written: their first member stands for all. */
#pragma once

#include "specs/specs.h"

const char *replicas_set(const struct object *object); /* full name of the set that it is of; NULL */
/* The member that stands for the set: the first in the order of `all`, which has one. */
const struct object *replicas_first(const struct object_set *all, const char *set);
int64_t replicas_highest(const struct object_set *all, const char *set); /* number of a member */
/* Another member stands for it. */
bool replicas_is_told(const struct object_set *all, const struct object *object);
/* Which members are not as the first, or not there, as after a run that was cut off: applying what is printed changes
 * them. "" where all are alike. */
const char *replicas_unlike(const struct object_set *all, const char *set, struct arena *arena);
/* The set of the container, where all of its members are among the dependencies; NULL. */
const char *replicas_awaited(const struct object_set *all, const struct list *dependencies,
                             const char *container);
