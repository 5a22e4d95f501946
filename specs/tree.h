/* YAML text as a tree of positioned nodes: what lies between libyaml and the tables.
 *
 * Aliases point to the node of their anchor, so the tree is a DAG without cycles; merges (`<<`) are already done
 * and keys are unique scalars. Bounds hold for every file: YAML_DEPTH levels (aliases expanded), YAML_NODES nodes
 * (aliases counted as often as they are used), YAML_SIZE bytes. */
#pragma once

#include "specs/problems.h"

#define YAML_DEPTH 32
#define YAML_NODES 100000
#define YAML_SIZE  ((size_t)1 << 20) /* bytes */

enum node_type { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct entry {
    struct node *key, *value;
};

struct node {
    enum node_type type;
    struct place place;
    const char *text; /* of a scalar */
    size_t length;    /* of `text`; longer than strlen() when NUL was written */
    struct place
        block; /* of a block that keeps its lines (|): of the first one's first character; line 0: it is none */
    bool plain;       /* neither quoted, nor a block, nor tagged !!str: resolved by the core schema */
    bool takes_lines; /* line breaks are no mistake in it */
    bool finished;    /* interpolated and checked */
    bool was_interpolated;
    bool broken;   /* a problem is told already; nobody needs another about its text, or what it lacks */
    size_t weight; /* nodes below and with this one, aliases expanded */
    size_t height; /* levels below and with this one */
    struct node **items;
    struct entry *entries;
    size_t count; /* of items or entries */
};

struct documents {
    struct node **roots; /* NULL for an empty document */
    size_t count;
};

/* False when the text is no YAML or breaks a bound: problems say so, and what could be read is there all the same. */
bool yaml_read(const char *file, const char *text, size_t size, struct arena *arena,
               struct problems *problems, struct documents *documents);

struct node *node_get(const struct node *mapping, const char *key); /* NULL when absent */

/* What a scalar is by the core schema of YAML 1.2: `no` is a text, `010` is ten. */
enum scalar_kind { SCALAR_NULL, SCALAR_BOOL, SCALAR_INTEGER, SCALAR_FLOAT, SCALAR_TEXT };
enum scalar_kind scalar_kind(const struct node *node);
bool scalar_as_bool(const struct node *node);                    /* of SCALAR_BOOL */
bool scalar_as_integer(const struct node *node, int64_t *value); /* of SCALAR_INTEGER; false: does not fit */
/* "'text'", "a list", "a mapping", "nothing": for "expected ..., found ...". */
const char *node_describe(struct arena *arena, const struct node *node);
