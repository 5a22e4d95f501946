/* An ordered map from text to pointer: lookup by hash, iteration in order of insertion. Keys are copied; values
 * belong to the caller. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"

struct map_entry {
    const char *key;
    void *value;
};

struct map_slot {
    uint32_t entry; /* index + 1, 0 = free */
    uint32_t hash;  /* of its key, in part: another key is hardly ever fetched only to be found another */
};

struct map {
    struct map_entry *entries; /* in order of insertion */
    size_t count;
    size_t room;            /* of entries */
    struct map_slot *slots; /* open addressing */
    size_t modulus;         /* slots, a power of two */
    struct map_keys *keys;  /* where the copies lie, the newest first */
};

void map_clear(struct map *map);
#define _cleanup_map_ _cleanup_(map_clear)

/* False, and nothing changed, when the key is there already. */
bool map_add(struct map *map, const char *key, void *value);
void *map_get(const struct map *map, const char *key); /* NULL when absent */
/* Where the value lies, until the next map_add(); NULL when absent. */
void **map_at(struct map *map, const char *key);

/* The key of `map` closest to `word` (Damerau-Levenshtein, at most a third of its letters wrong), or NULL. */
const char *map_nearest(const struct map *map, const char *word);

/* Edit distance as above, for lists that are not maps. */
size_t text_distance(const char *left, const char *right);
/* True when `candidate` is near enough to `word` to be offered as "did you mean". */
bool text_is_near(const char *candidate, const char *word);

/* NULL is the same as NULL only. */
static inline bool text_is_same(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}
