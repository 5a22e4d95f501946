/* What several targets ask of a set of specs. */
#pragma once

#include "specs/specs.h"

/* Loads text as a whole set, by stdin; returns what specs_load() does. */
int set_load(const void *text, size_t size, struct arena *arena, struct spec_set *set,
             struct problems *problems);
/* What is printed must load as the same set. */
void set_check_printed(const struct object_set *set, struct arena *arena);
/* Each can be told, on one line of printable characters each, and as JSON. */
void set_check_problems(const struct problems *problems);
