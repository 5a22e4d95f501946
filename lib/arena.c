#include "lib/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 * 1024)
#define ALIGNMENT  alignof(max_align_t)

struct block {
    struct block *next;
    size_t size, used; /* bytes of `bytes` */
    alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct block *first; /* the block that is being filled */
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) {
        fputs("fpsync: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct arena *arena_new(void)
{
    return allocate(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        fputs("fpsync: allocation size overflow\n", stderr);
        abort();
    }
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct block *block = arena->first;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct block *fresh = allocate(sizeof(*fresh) + room);
        fresh->size = room;
        /* An oversized block goes behind the current one, whose free tail stays in use. */
        if (block && room > BLOCK_SIZE) {
            fresh->next = block->next;
            block->next = fresh;
        } else {
            fresh->next = block;
            arena->first = fresh;
        }
        block = fresh;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size ? size : 1);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_copy(arena, text, strlen(text) + 1) : NULL;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void *arena_grow(struct arena *arena, void *array, size_t count, size_t size)
{
    if (count && (count & (count - 1)))
        return array; /* between two powers of two there is room */
    size_t room = count ? count * 2 : 1;
    void *grown = arena_alloc(arena, room * size);
    if (count)
        memcpy(grown, array, count * size);
    return grown;
}
