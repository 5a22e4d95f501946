#include "lib/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* A sanitized build sees who writes past the end of what it was given, as it does with the heap. */
#ifdef FPSYNC_SANITIZED
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT /* bytes between two things */
#else
#define GAP                                   0
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)0)
#endif

#define ALIGNMENT   alignof(max_align_t)
#define BLOCK_SIZE  ((size_t)16 * 1024) /* of a block, until a few are full */
#define SMALL_ARENA (4 * BLOCK_SIZE)
/* Beyond that the arena grows by a quarter or more at a time. Such blocks are mapped with all their pages, at a thirtieth
 * of what faulting them in one by one costs in a virtual machine. */
#define LARGE_BLOCK ((size_t)256 * 1024)
#define LARGEST     ((size_t)4 * 1024 * 1024)

#define LIKELY_SIZE                                                                                          \
    128 /* bytes of what is printed at a time: then it is printed once, and not measured first */

struct block {
    struct block *next;
    size_t size, used; /* bytes of `bytes` */
    size_t mapped;     /* bytes of the mapping it lies in; 0: of the heap */
    alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct block *first; /* the block that is being filled */
    size_t total;        /* bytes of all blocks */
};

static void out_of_memory(void)
{
    fputs("fpsync: out of memory\n", stderr);
    abort();
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        out_of_memory();
    return memory;
}

static struct block *block_map(size_t size)
{
    struct block *block =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (block == MAP_FAILED)
        out_of_memory();
    block->mapped = size;
    block->size = size - sizeof(*block);
    return block;
}

static struct block *block_new(struct arena *arena, size_t room)
{
    struct block *block;
    if (arena->total < SMALL_ARENA || room > LARGE_BLOCK - sizeof(*block)) {
        size_t size = room > BLOCK_SIZE ? room : BLOCK_SIZE;
        block = allocate(sizeof(*block) + size);
        block->size = size;
    } else {
        size_t size = LARGE_BLOCK;
        while (size < arena->total / 4 && size < LARGEST)
            size *= 2;
        block = block_map(size);
    }
    arena->total += block->size;
    ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
    return block;
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
        ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
        if (block->mapped)
            munmap(block, block->mapped);
        else
            free(block);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t wanted)
{
    if (wanted > SIZE_MAX / 2) {
        fputs("fpsync: allocation size overflow\n", stderr);
        abort();
    }
    const size_t size = ((wanted + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) + GAP;
    struct block *block = arena->first;
    if (!block || block->size - block->used < size) {
        struct block *fresh = block_new(arena, size);
        /* A block made for one thing goes behind the current one, whose free tail stays in use. */
        if (block && size > BLOCK_SIZE && fresh->size == size) {
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
    ASAN_UNPOISON_MEMORY_REGION(memory, wanted);
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

char *arena_join(struct arena *arena, const char *left, char between, const char *right)
{
    size_t first = strlen(left), second = strlen(right);
    char *text = arena_alloc(arena, first + second + 2);
    memcpy(text, left, first);
    text[first] = between;
    memcpy(text + first + 1, right, second + 1);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    char likely[LIKELY_SIZE];
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(likely, sizeof(likely), format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, (size_t)length + 1);
    if ((size_t)length < sizeof(likely))
        memcpy(text, likely, (size_t)length + 1);
    else
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_room(size_t count)
{
    size_t room = count > 0;
    while (room < count)
        room *= 2;
    return room;
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
