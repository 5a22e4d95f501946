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

/* Fills `object`, fresh from described_new(), from a mapping; a missing value counts as {}. Of what is no mapping a problem
 * tells, and all its fields count as present, so that none is missed. */
void read_object(const struct reader *reader, const struct table *table, const struct node *node,
                 void *object);
/* Whether that became of it: what it says is not known. */
static inline bool object_is_unread(const void *object)
{
    return ((const struct described *)object)->present == UINT64_MAX;
}

/* One field from its value; marks it present and notes its place. */
void read_field(const struct reader *reader, const struct table *table, const struct field *row,
                const struct node *node, void *object);

/* "did you mean 'X'?", or the list of what is known. `known` ends with NULL. */
const char *hint_nearest(struct arena *arena, const char *word, const char *const *known);
/* The one of them, ended by NULL, that such a hint asks for; NULL: none is near. */
const char *text_nearest(const char *word, const char *const *known);
