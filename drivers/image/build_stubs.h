/* What a RUN makes only to have something mounted on it, and that is to be in no image. */
#pragma once

#include "lib/arena.h"
#include "lib/fields.h"

struct error;

/* Notes of a path which of its folders, and whether it itself, are not there yet, each as a path without links. */
void build_stubs_note(int root, const char *path, struct arena *arena, struct texts *stubs);
/* Removes those that are empty, in an upper that is mounted nowhere; -errno. */
void build_stubs_remove(int upper, const struct texts *stubs);
