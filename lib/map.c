#include "lib/map.h"

#include <stdint.h>
#include <string.h>

#include "lib/hash.h"

#define LONGEST_WORD 64 /* words longer than this are never offered as "did you mean" */

static void *grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fputs("fpsync: out of memory\n", stderr);
        abort();
    }
    return grown;
}

static size_t *slot_of(const struct map *map, const char *key)
{
    size_t index = hash_text(key) & (map->modulus - 1);
    while (map->slots[index] && strcmp(map->entries[map->slots[index] - 1].key, key) != 0)
        index = (index + 1) & (map->modulus - 1);
    return &map->slots[index];
}

static void rehash(struct map *map, size_t modulus)
{
    free(map->slots);
    map->slots = grow(NULL, modulus * sizeof(*map->slots));
    memset(map->slots, 0, modulus * sizeof(*map->slots));
    map->modulus = modulus;
    for (size_t i = 0; i < map->count; i++)
        *slot_of(map, map->entries[i].key) = i + 1;
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->count; i++)
        free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    *map = (struct map){0};
}

bool map_add(struct map *map, const char *key, void *value)
{
    if (map->count * 2 >= map->modulus)
        rehash(map, map->modulus ? map->modulus * 2 : 16);
    size_t *slot = slot_of(map, key);
    if (*slot)
        return false;
    if (map->count == map->room) {
        map->room = map->room ? map->room * 2 : 16;
        map->entries = grow(map->entries, map->room * sizeof(*map->entries));
    }
    size_t size = strlen(key) + 1;
    char *copy = grow(NULL, size);
    memcpy(copy, key, size);
    map->entries[map->count++] = (struct map_entry){.key = copy, .value = value};
    *slot = map->count;
    return true;
}

void *map_get(const struct map *map, const char *key)
{
    if (!map->count)
        return NULL;
    size_t slot = *slot_of(map, key);
    return slot ? map->entries[slot - 1].value : NULL;
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
