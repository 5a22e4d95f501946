/* Objects that a table describes: made, told apart from their standard values, found and copied. */
#include "lib/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "lib/numbers.h"

const char *class_name(enum field_class class)
{
    static const char *const names[] = {"record", "live", "restart", "recreate", "fixed"};
    return names[class];
}

bool texts_have(const struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* ---- objects ---- */

static int64_t number_of_standard(const struct field *row)
{
    int64_t value = 0;
    int result = numbers_parse(row->form, row->standard, &value);
    assert(result == 0);
    (void)result;
    return value;
}

/* An object of each table as it is when nothing was said, made at its first use: defaults are written as in YAML, and
 * reading them for every object and every comparison was a tenth of a run. */
struct standard {
    const struct table *table;
    void *object;
    bool nests; /* it holds other described structs */
};

static void fill_standard(const struct table *table, struct standard *standard)
{
    assert(table->count <= 64);
    *standard = (struct standard){.table = table, .object = calloc(1, table->size)};
    if (!standard->object)
        abort();
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        void *at = field_at(standard->object, row);
        standard->nests = standard->nests || row->type == FIELD_STRUCT;
        if (!row->standard)
            continue;
        if (row->type == FIELD_TEXT)
            *(const char **)at = row->standard;
        else if (row->type == FIELD_BOOL)
            *(bool *)at = strcmp(row->standard, "true") == 0;
        else if (row->type == FIELD_NUMBER)
            *(int64_t *)at = number_of_standard(row);
    }
}

#define STANDARD_SLOTS 256 /* a power of two, several times the tables there are */

static const struct standard *standard_of(const struct table *table)
{
    static struct standard standards[STANDARD_SLOTS];
    static size_t count;
    size_t slot = (uintptr_t)table / sizeof(void *) * 31 % STANDARD_SLOTS;
    while (standards[slot].table && standards[slot].table != table)
        slot = (slot + 1) % STANDARD_SLOTS;
    if (!standards[slot].table) {
        assert(++count < STANDARD_SLOTS);
        fill_standard(table, &standards[slot]);
    }
    return &standards[slot];
}

void *described_new(struct arena *arena, const struct table *table)
{
    const struct standard *standard = standard_of(table);
    void *object = arena_copy(arena, standard->object, table->size);
    if (standard->nests)
        for (const struct field *row = table->rows; row < table->rows + table->count; row++)
            if (row->type == FIELD_STRUCT)
                *(void **)field_at(object, row) = described_new(arena, row->nested);
    return object;
}

void field_mark_present(const struct table *table, void *object, const struct field *row)
{
    ((struct described *)object)->present |= (uint64_t)1 << (row - table->rows);
}

void field_mark(const struct table *table, void *object, size_t offset)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++)
        if (row->offset == offset)
            field_mark_present(table, object, row);
}

void *described_whole(const struct table *table, void *object)
{
    uint64_t all = table->count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << table->count) - 1;
    ((struct described *)object)->present |= all;
    return object;
}

const struct field *field_by_key(const struct table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].key, key) == 0)
            return &table->rows[i];
    return NULL;
}

struct place field_place(const struct table *table, const void *object, const struct field *row)
{
    const struct described *head = object;
    if (head->places && head->places[row - table->rows].file)
        return head->places[row - table->rows];
    return head->place;
}

bool field_is_said(const struct table *table, const void *object, const struct field *row)
{
    if (!field_is_present(table, object, row) || (row->flags & FIELD_ONCE))
        return false;
    const void *at = field_at(object, row);
    switch (row->type) {
    case FIELD_TEXT: {
        const char *text = *(const char *const *)at;
        return text && (!row->standard || strcmp(text, row->standard) != 0);
    }
    case FIELD_BOOL:
        return !row->standard || *(const bool *)at != *(bool *)field_at(standard_of(table)->object, row);
    case FIELD_NUMBER:
        return !row->standard ||
               *(const int64_t *)at != *(int64_t *)field_at(standard_of(table)->object, row);
    case FIELD_STRUCT: {
        const void *nested = *(void *const *)at;
        for (size_t i = 0; i < row->nested->count; i++)
            if (field_is_said(row->nested, nested, &row->nested->rows[i]))
                return true;
        return ((const struct described *)nested)->unknown_size > 0;
    }
    default:
        return true; /* an empty list is something said */
    }
}

/* ---- copies ---- */

static struct place copy_place(struct arena *arena, struct place place)
{
    place.file = arena_strdup(arena, place.file);
    return place;
}

static void copy_value(struct arena *arena, const struct field *row, const void *from, void *to)
{
    switch (row->type) {
    case FIELD_TEXT:
        *(const char **)to = arena_strdup(arena, *(const char *const *)from);
        break;
    case FIELD_BOOL:
        *(bool *)to = *(const bool *)from;
        break;
    case FIELD_NUMBER:
        *(int64_t *)to = *(const int64_t *)from;
        break;
    case FIELD_TEXTS: {
        const struct texts *texts = from;
        struct texts *copy = to;
        *copy =
            (struct texts){.items = arena_list_of(arena, const char *, texts->count), .count = texts->count};
        for (size_t i = 0; i < texts->count; i++)
            copy->items[i] = arena_strdup(arena, texts->items[i]);
        break;
    }
    case FIELD_PAIRS: {
        const struct pairs *pairs = from;
        struct pairs *copy = to;
        *copy =
            (struct pairs){.items = arena_list_of(arena, struct pair, pairs->count), .count = pairs->count};
        for (size_t i = 0; i < pairs->count; i++)
            copy->items[i] = (struct pair){.key = arena_strdup(arena, pairs->items[i].key),
                                           .value = arena_strdup(arena, pairs->items[i].value),
                                           .place = copy_place(arena, pairs->items[i].place)};
        break;
    }
    case FIELD_LIST: {
        const struct list *list = from;
        struct list *copy = to;
        *copy = (struct list){.items = arena_list_of(arena, void *, list->count), .count = list->count};
        for (size_t i = 0; i < list->count; i++)
            copy->items[i] = described_copy(arena, row->nested, list->items[i]);
        break;
    }
    case FIELD_STRUCT:
        *(void **)to = described_copy(arena, row->nested, *(void *const *)from);
        break;
    case FIELD_BYTES: {
        const struct bytes *bytes = from;
        *(struct bytes *)to =
            (struct bytes){.data = arena_copy(arena, bytes->data, bytes->size), .size = bytes->size};
        break;
    }
    }
}

void *described_copy(struct arena *arena, const struct table *table, const void *object)
{
    const struct described *head = object;
    void *copy = arena_copy(arena, object, table->size);
    struct described *copied = copy;
    copied->place = copy_place(arena, head->place);
    if (head->places) {
        copied->places = arena_array_of(arena, struct place, table->count);
        for (size_t i = 0; i < table->count; i++)
            copied->places[i] = copy_place(arena, head->places[i]);
    }
    if (head->unknown_size)
        copied->unknown = arena_copy(arena, head->unknown, head->unknown_size);
    for (const struct field *row = table->rows; row < table->rows + table->count; row++)
        copy_value(arena, row, field_at(object, row), field_at(copy, row));
    return copy;
}
