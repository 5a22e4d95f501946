#include "lib/map.h"

#include <string.h>

#include "lib/hash.h"

#define FIRST_KEYS   ((size_t)256)   /* bytes of the first piece of memory for keys */
#define LARGEST_KEYS ((size_t)65536) /* and of the later ones, at most */
#define LONGEST_WORD 64              /* words longer than this are never offered as "did you mean" */

struct map_keys {
    struct map_keys *next;
    size_t room, used; /* bytes of `bytes` */
    char bytes[];
};

static void *grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fputs("fpsync: out of memory\n", stderr);
        abort();
    }
    return grown;
}

/* The one of that key, or the free one where it belongs. */
static struct map_slot *slot_of(const struct map *map, const char *key, uint64_t hash)
{
    const uint32_t part = (uint32_t)(hash >> 32);
    size_t at = hash & (map->modulus - 1);
    while (map->slots[at].entry &&
           !(map->slots[at].hash == part && strcmp(map->entries[map->slots[at].entry - 1].key, key) == 0))
        at = (at + 1) & (map->modulus - 1);
    return &map->slots[at];
}

static void rehash(struct map *map, size_t modulus)
{
    free(map->slots);
    map->slots = grow(NULL, modulus * sizeof(*map->slots));
    memset(map->slots, 0, modulus * sizeof(*map->slots));
    map->modulus = modulus;
    for (size_t i = 0; i < map->count; i++) {
        const uint64_t hash = hash_text(map->entries[i].key);
        *slot_of(map, map->entries[i].key, hash) =
            (struct map_slot){.entry = (uint32_t)i + 1, .hash = (uint32_t)(hash >> 32)};
    }
}

void map_clear(struct map *map)
{
    for (struct map_keys *keys = map->keys, *next; keys; keys = next) {
        next = keys->next;
        free(keys);
    }
    free(map->entries);
    free(map->slots);
    *map = (struct map){0};
}

/* A map of thousands of keys takes a few dozen pieces of memory for them, and one of a few takes little. */
static const char *copy_key(struct map *map, const char *key)
{
    const size_t size = strlen(key) + 1;
    if (!map->keys || map->keys->room - map->keys->used < size) {
        const size_t twice = map->keys ? map->keys->room * 2 : FIRST_KEYS;
        const size_t room = twice > LARGEST_KEYS ? LARGEST_KEYS : twice;
        struct map_keys *keys = grow(NULL, sizeof(*keys) + (size > room ? size : room));
        *keys = (struct map_keys){.next = map->keys, .room = size > room ? size : room};
        map->keys = keys;
    }
    char *copy = map->keys->bytes + map->keys->used;
    map->keys->used += size;
    return memcpy(copy, key, size);
}

bool map_add(struct map *map, const char *key, void *value)
{
    if (map->count * 2 >= map->modulus)
        rehash(map, map->modulus ? map->modulus * 2 : 16);
    const uint64_t hash = hash_text(key);
    struct map_slot *slot = slot_of(map, key, hash);
    if (slot->entry)
        return false;
    if (map->count == map->room) {
        map->room = map->room ? map->room * 2 : 16;
        map->entries = grow(map->entries, map->room * sizeof(*map->entries));
    }
    map->entries[map->count++] = (struct map_entry){.key = copy_key(map, key), .value = value};
    *slot = (struct map_slot){.entry = (uint32_t)map->count, .hash = (uint32_t)(hash >> 32)};
    return true;
}

void **map_at(struct map *map, const char *key)
{
    if (!map->count)
        return NULL;
    const struct map_slot *slot = slot_of(map, key, hash_text(key));
    return slot->entry ? &map->entries[slot->entry - 1].value : NULL;
}

void *map_get(const struct map *map, const char *key)
{
    void **value = map_at((struct map *)map, key);
    return value ? *value : NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t text_distance(const char *left, const char *right)
{
    size_t rows = strlen(left), columns = strlen(right);
    if (rows > LONGEST_WORD || columns > LONGEST_WORD)
        return LONGEST_WORD;
    size_t table[3][LONGEST_WORD + 1]; /* the row before the last, the last row, this row */
    for (size_t j = 0; j <= columns; j++)
        table[1][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t *above2 = table[(i + 2) % 3], *above = table[i % 3], *row = table[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t cost = left[i - 1] != right[j - 1];
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
            bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped && above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return table[(rows + 1) % 3][columns];
}

bool text_is_near(const char *candidate, const char *word)
{
    size_t length = strlen(word);
    size_t distance = text_distance(candidate, word);
    return distance < length && distance <= (length < 3 ? 1 : length / 3);
}

const char *map_nearest(const struct map *map, const char *word)
{
    const char *best = NULL;
    size_t least = LONGEST_WORD;
    for (size_t i = 0; i < map->count; i++) {
        size_t distance = text_distance(map->entries[i].key, word);
        if (distance < least && text_is_near(map->entries[i].key, word)) {
            least = distance;
            best = map->entries[i].key;
        }
    }
    return best;
}
