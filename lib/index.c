#include "lib/index.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/hash.h"

#define FEW 8

static char *item_at(const struct index *index, size_t i)
{
    char *at = (char *)index->items + i * index->size;
    return index->pointers ? *(char **)at : at;
}

static const char *key_at(const struct index *index, size_t i)
{
    return *(const char *const *)(item_at(index, i) + index->offset);
}

static bool has_key(const struct index *index, size_t i, const char *key)
{
    const char *has = key_at(index, i);
    return has && strcmp(has, key) == 0;
}

/* The one of that text, or the free one where it belongs. */
static struct index_slot *slot_of(const struct index *index, const char *key, uint64_t hash)
{
    const uint32_t part = (uint32_t)(hash >> 32);
    size_t at = hash & index->mask;
    while (index->slots[at].item &&
           !(index->slots[at].hash == part && has_key(index, index->slots[at].item - 1, key)))
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

/* From the last to the first, so that the slot ends up with the first of equal ones. */
static void fill(struct index *index, struct arena *arena)
{
    size_t room = 16;
    while (room < index->count * 2)
        room *= 2;
    index->slots = arena_array_of(arena, struct index_slot, room);
    index->next = arena_array_of(arena, uint32_t, index->count);
    index->mask = room - 1;
    for (size_t i = index->count; i-- > 0;) {
        const char *key = key_at(index, i);
        if (!key)
            continue;
        const uint64_t hash = hash_text(key);
        struct index_slot *slot = slot_of(index, key, hash);
        index->next[i] = slot->item;
        *slot = (struct index_slot){.item = (uint32_t)i + 1, .hash = (uint32_t)(hash >> 32)};
    }
}

struct index index_make(struct arena *arena, const void *items, size_t count, size_t size, size_t offset)
{
    struct index index = {.items = items, .count = count, .size = size, .offset = offset};
    if (count > FEW)
        fill(&index, arena);
    return index;
}

struct index index_make_pointers(struct arena *arena, void *const *items, size_t count, size_t offset)
{
    struct index index = {.items = (const char *)items,
                          .count = count,
                          .size = sizeof(*items),
                          .offset = offset,
                          .pointers = true};
    if (count > FEW)
        fill(&index, arena);
    return index;
}

static void *look_through(const struct index *index, size_t from, const char *key)
{
    for (size_t i = from; i < index->count; i++)
        if (has_key(index, i, key))
            return item_at(index, i);
    return NULL;
}

void *index_find(const struct index *index, const char *key)
{
    if (!index->slots)
        return look_through(index, 0, key);
    const uint32_t found = slot_of(index, key, hash_text(key))->item;
    return found ? item_at(index, found - 1) : NULL;
}

void *index_next(const struct index *index, const void *item, const char *key)
{
    const size_t at = (size_t)((const char *)item - index->items) / index->size;
    if (!index->slots)
        return look_through(index, at + 1, key);
    return index->next[at] ? item_at(index, index->next[at] - 1) : NULL;
}
