/* Aliases of fpsync.conf: what an image that a recipe calls "debian:12" is on this host. */
#pragma once

#include "specs/problems.h"

/* The alias whose pattern matches the reference, which may lack ":latest": one without wildcards first, then the longest.
 * NULL: none does. */
const struct pair *alias_find(const struct pairs *aliases, const char *reference, struct arena *arena);

/* Whether each is a pattern and a source. */
void aliases_check(const struct pairs *aliases, struct arena *arena, struct problems *problems);
