#include "tests/fake/convert.h"

#include <assert.h>

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
