/* One YAML document into objects: top-level keys, sections, names. */
#pragma once

#include "specs/read.h"

struct collection { /* what a load has gathered so far, over all files */
    struct arena *arena;
    struct problems *problems;
    struct object **items;
    size_t count;
    struct map *by_id; /* of struct object */
};

struct object *collection_add(struct collection *collection, enum kind kind, const char *full_name,
                              struct place place, const char *source); /* with a new body of defaults */
/* `folder`: where relative paths of the document start. `root` is interpolated. */
void document_read(struct collection *collection, const struct node *root, const char *source,
                   const char *folder);
/* What is ignored: x-* keys at the top. */
bool document_ignores(const char *key);
