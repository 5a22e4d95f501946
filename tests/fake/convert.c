#include "tests/fake/convert.h"

#include <assert.h>

#include "drivers/task.h"

static struct json *json_of_texts(const struct texts *texts)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < texts->count; i++)
        json_append(array, json_new_text(texts->items[i]));
    return array;
}

static struct json *json_of_pairs(const struct pairs *pairs)
{
    struct json *object = json_new_object();
    for (size_t i = 0; i < pairs->count; i++)
        json_set(object, pairs->items[i].key, json_new_text(pairs->items[i].value));
    return object;
}

static struct json *json_of_list(const struct table *table, const struct list *list)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < list->count; i++)
        json_append(array, json_of(table, list->items[i]));
    return array;
}

static struct json *json_of_value(const struct field *row, const void *at)
{
    switch (row->type) {
    case FIELD_TEXT: {
        const char *text = *(const char *const *)at;
        return text ? json_new_text(text) : NULL;
    }
    case FIELD_BOOL:
        return json_new_bool(*(const bool *)at);
    case FIELD_NUMBER:
        return json_new_number(*(const int64_t *)at);
    case FIELD_TEXTS:
        return json_of_texts(at);
    case FIELD_PAIRS:
        return json_of_pairs(at);
    case FIELD_LIST:
        return json_of_list(row->nested, at);
    case FIELD_STRUCT:
        return json_of(row->nested, *(void *const *)at);
    case FIELD_BYTES:
        break; /* no driver's request or result has any */
    }
    assert(!"a field of bytes in a driver's table");
    return NULL;
}

struct json *json_of(const struct table *table, const void *object)
{
    struct json *json = json_new_object();
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        struct json *value = json_of_value(row, field_at(object, row));
        if (value)
            json_set(json, row->key, value);
    }
    return json;
}

static void read_texts(const struct json *json, struct texts *texts, struct arena *arena)
{
    for (size_t i = 0; i < json_length(json); i++)
        *arena_append(arena, texts->items, texts->count) =
            arena_strdup(arena, json_as_text(json_at(json, i)));
}

static void read_pairs(const struct json *json, struct pairs *pairs, struct arena *arena)
{
    for (void *i = json_first(json); i; i = json_next(json, i))
        *(struct pair *)arena_append(arena, pairs->items, pairs->count) =
            (struct pair){.key = arena_strdup(arena, json_key(i)),
                          .value = arena_strdup(arena, json_as_text(json_value(i)))};
}

static void read_value(const struct field *row, const struct json *json, void *at, struct arena *arena)
{
    switch (row->type) {
    case FIELD_TEXT:
        *(const char **)at = arena_strdup(arena, json_as_text(json));
        break;
    case FIELD_BOOL:
        *(bool *)at = json_as_bool(json);
        break;
    case FIELD_NUMBER:
        *(int64_t *)at = json_as_number(json, 0);
        break;
    case FIELD_TEXTS:
        read_texts(json, at, arena);
        break;
    case FIELD_PAIRS:
        read_pairs(json, at, arena);
        break;
    case FIELD_LIST: {
        struct list *list = at;
        for (size_t i = 0; i < json_length(json); i++)
            *arena_append(arena, list->items, list->count) = object_of(row->nested, json_at(json, i), arena);
        break;
    }
    case FIELD_STRUCT:
        *(void **)at = object_of(row->nested, json, arena);
        break;
    case FIELD_BYTES:
        break;
    }
}

void *object_of(const struct table *table, const struct json *json, struct arena *arena)
{
    if (!json_holds_object(json))
        return NULL;
    void *object = described_new(arena, table);
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const struct json *value = json_get(json, row->key);
        if (value)
            read_value(row, value, field_at(object, row), arena);
    }
    task_mark(table, object);
    return object;
}
