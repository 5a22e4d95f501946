/* One YAML document into objects: top-level keys, sections, names. */
#pragma once

#include "lib/map.h"
#include "specs/read.h"

struct collection { /* what a load has gathered so far, over all files */
    struct arena *arena;
    struct problems *problems;
    struct object **items;
    size_t count;
    struct map *by_id; /* of struct object */
};

struct document {
    struct node *root; /* interpolated */
    const char *source;
    const char *folder; /* where its relative paths start */
    const char *project;
};

struct object *collection_add(struct collection *collection, enum kind kind, const char *full_name,
                              struct place place, const char *source); /* with a new body of defaults */
/* The project that the document names, or NULL; a problem is told when that is no name. */
const char *document_project(struct arena *arena, struct problems *problems, const struct node *root);
struct defaults;
void document_read(struct collection *collection, const struct document *document,
                   const struct defaults *defaults);
/* What is ignored: x-* keys at the top. */
bool document_ignores(const char *key);
