/* Nodes into described structs, by the rows. */
#pragma once

#include "specs/forms.h"
#include "specs/tree.h"

struct reader {
    struct arena *arena;
    struct problems *problems;
    struct form_context context;
    bool partial; /* defaults: what is required may stand elsewhere */
};

/* Fills `object`, fresh from described_new(), from a mapping; a missing value counts as {}. */
void read_object(const struct reader *reader, const struct table *table, const struct node *node,
                 void *object);

/* One field from its value; marks it present and notes its place. */
void read_field(const struct reader *reader, const struct table *table, const struct field *row,
                const struct node *node, void *object);

/* "did you mean 'X'?", or the list of what is known. `known` ends with NULL. */
const char *hint_nearest(struct arena *arena, const char *word, const char *const *known);
