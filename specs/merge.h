/* Trees over trees: what a drop-in says over its file, what an object says over the defaults of its kind. */
#pragma once

#include "specs/tree.h"

enum merge_nulls {
    MERGE_NULLS_REMOVE, /* a null with nothing to remove is a problem */
    MERGE_NULLS_STAND,  /* ... stays a null, which may mean something there */
};

struct merging {
    struct arena *arena;
    struct problems *problems;
    enum merge_nulls nulls;
};

/* A mapping with what `over` says in front of what `base` says: mappings deep, all else replaced, null takes away. Neither
 * is changed (aliases share nodes); every value keeps its place. `base`: NULL for nothing. */
struct node *node_merge(const struct merging *merging, const struct node *base, const struct node *over);

/* Whether a plain null stands there. */
bool node_is_null(const struct node *node);
/* A mapping without entries, placed like `at`; and one entry more for a mapping that nobody else shares. */
struct node *node_new_mapping(struct arena *arena, const struct node *at);
void node_put(struct arena *arena, struct node *mapping, struct node *key, struct node *value);
