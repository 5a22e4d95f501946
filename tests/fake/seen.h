/* The fake world as the views see it: world.json read into one array, in a few milliseconds also where thousands of
 * containers run, and kept while the file is the same. Texts lie in it for as long as the process lives.
 *
 * A run with FPSYNC_FAKE_KEEP leaves world.seen beside it: the same without what no view ever looks at. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/fields.h"

struct error;

struct seen; /* a value: an object, an array, a text, a number, a flag or null */

/* A missing file is an empty world. */
int seen_world(const char *root, const struct seen **world, struct error *error);
/* The same with all that effects were told. */
int seen_whole(const char *root, const struct seen **world, struct error *error);

/* Writes JSON, which is used up, as a file of values that are looked at where it is mapped: world.seen. */
int seen_write(const char *path, char *text, size_t size, struct error *error);

/* NULL when absent, or where `object` is NULL or no object, so that lookups chain. */
const struct seen *seen_in(const struct seen *object, const char *key);
const char *seen_text(const struct seen *object, const char *key); /* NULL for anything else */
int64_t seen_number(const struct seen *object, const char *key);   /* 0 for anything else */
bool seen_flag(const struct seen *object, const char *key);        /* false for anything else */

/* Walks an object or an array: for (const struct seen *i = seen_first(o); i; i = seen_next(i)) ... */
const struct seen *seen_first(const struct seen *of);
const struct seen *seen_next(const struct seen *item);
const char *seen_key(const struct seen *item);     /* NULL in an array */
const char *seen_as_text(const struct seen *item); /* NULL for anything else */

/* The running container with this init in the world that was looked at last, or NULL. */
const struct seen *seen_by_init(int64_t init_pid);

/* What json_of() in convert.h wrote: all fields present, absent ones with their default; NULL for what is no object. */
void *object_seen(const struct table *table, const struct seen *seen, struct arena *arena);
