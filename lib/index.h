/* An index over an array by the text that each item has at one offset: made in one go, copies nothing, and stays good
 * while the array does. For what is looked up for each of thousands of objects. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct index_slot {
    uint32_t item; /* + 1, 0 = free */
    uint32_t hash; /* of its text, in part: another text is hardly ever fetched only to be found another */
};

struct index {
    const char *items;
    size_t count, size, offset;
    bool pointers;            /* the array holds pointers to its items */
    struct index_slot *slots; /* open addressing. NULL: so few items that they are looked through */
    uint32_t *next;           /* item + 1 of the next with the same text, 0 = none */
    size_t mask;
};

/* `items` is an array of `count` structs of `size` bytes (or, with `pointers`, of pointers to such), each with a text,
 * which may be NULL, at `offset`. */
struct index index_make(struct arena *arena, const void *items, size_t count, size_t size, size_t offset);
struct index index_make_pointers(struct arena *arena, void *const *items, size_t count, size_t offset);

/* The first item of that text, in the order of the array; NULL when there is none. */
void *index_find(const struct index *index, const char *key);
/* The next one with the same text; not for arrays of pointers. */
void *index_next(const struct index *index, const void *item, const char *key);
