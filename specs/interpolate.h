/* `${...}` in values, after merges; and the check that no text carries a control character. */
#pragma once

#include "lib/digest.h"
#include "lib/map.h"
#include "specs/tree.h"

struct variables {
    struct map values;     /* of const char *, from .env */
    bool use_environment;  /* the process's variables win */
    const char *instance;  /* of a template: ${INSTANCE}; NULL */
    struct digest *digest; /* takes what was read from the environment */
    size_t produced;       /* bytes made by interpolation */
    struct problems *problems;
    struct arena *arena;
};

/* Reads the text of a .env file: NAME=VALUE lines, '#' comments, quotes around a value. */
void variables_read(struct variables *variables, const char *file, const char *text, size_t size);
void variables_clear(struct variables *variables);
/* ${INSTANCE} in the keys of a template, where its objects get names of their own; before drop-ins are laid over. */
void interpolate_keys(struct variables *variables, struct node *node);
/* Finishes every value below `node` in place; nodes shared by aliases once. */
void interpolate(struct variables *variables, struct node *node);
