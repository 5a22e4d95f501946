/* One arena for one body of data (a loaded spec set, one observation): allocate freely, drop it whole.
 *
 * Allocation never returns NULL: a process that cannot get a few KiB cannot report anything useful either, so
 * it aborts with a message. Every effect is journalled before it is made, which is what makes that safe. */
#pragma once

#include <stddef.h>

#include "lib/cleanup.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* accepts NULL */
DEFINE_CLEANUP(arena)
#define _cleanup_arena_ _cleanup_(cleanup_arena)

/* Zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
char *arena_strdup(struct arena *arena, const char *text);                 /* NULL stays NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t length); /* adds the NUL */
/* "LEFT/RIGHT", at a sixth of what printing takes. */
char *arena_join(struct arena *arena, const char *left, char between, const char *right);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new_of(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array_of(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

/* An array that holds `count` and that arena_append() goes on with: one as large as it would be if it had come so far by
 * that. One of arena_array_of() is not. */
size_t arena_room(size_t count);
#define arena_list_of(arena, type, count) arena_array_of(arena, type, arena_room(count))

/* Grows an arena-held array so that it holds one more item: doubles at powers of two. Returns the new slot,
 * zeroed. `array` is an lvalue of pointer type, `count` an lvalue of size_t. */
void *arena_grow(struct arena *arena, void *array, size_t count, size_t size);
#define arena_append(arena, array, count)                                                                    \
    ({                                                                                                       \
        (array) = arena_grow((arena), (array), (count), sizeof(*(array)));                                   \
        &(array)[(count)++];                                                                                 \
    })
