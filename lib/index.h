/* An index over an array by the text that each item has at one offset: made in one go, copies nothing, and stays good
 * while the array does. For what is looked up for each of thousands of objects. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct index {
    const char *items;
    size_t count, size, offset;
    bool pointers; /* the array holds pointers to its items */
    uint32_t
        *slots;     /* item + 1, 0 = free; open addressing. NULL: so few items that they are looked through */
    uint32_t *next; /* item + 1 of the next with the same text, 0 = none */
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
