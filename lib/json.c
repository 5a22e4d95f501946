#include "lib/json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "lib/error.h"

/* `struct json` is never defined: the pointers are jansson's own. */
static json_t *in(const struct json *value)
{
    return (json_t *)value;
}

static struct json *out_of(json_t *value)
{
    return (struct json *)value;
}

static struct json *made(json_t *value)
{
    if (!value) {
        fputs("fpsync: out of memory\n", stderr);
        abort();
    }
    return (struct json *)value;
}

struct json *json_new_object(void)
{
    return made(json_object());
}

struct json *json_new_array(void)
{
    return made(json_array());
}

struct json *json_new_text(const char *text)
{
    if (!text)
        return made(json_null());
    json_t *value = json_string(text);
    if (value)
        return made(value);
    /* Not UTF-8 (a file name, say): keep what is ASCII, so that the rest of a report is not lost for it. */
    char *plain = strdup(text);
    for (char *at = plain; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    value = plain ? json_string(plain) : NULL;
    free(plain);
    return made(value);
}

struct json *json_new_number(int64_t number)
{
    return made(json_integer(number));
}

struct json *json_new_bool(bool value)
{
    return made(json_boolean(value));
}

struct json *json_new_null(void)
{
    return made(json_null());
}

struct json *json_clone(const struct json *value)
{
    return made(json_deep_copy(in(value)));
}

void json_free(struct json *value)
{
    json_decref(in(value));
}

struct json *json_set(struct json *object, const char *key, struct json *value)
{
    if (json_object_set_new(in(object), key, in(value)))
        made(NULL);
    return value;
}

void json_remove(struct json *object, const char *key)
{
    json_object_del(in(object), key);
}

struct json *json_append(struct json *array, struct json *value)
{
    if (json_array_append_new(in(array), in(value)))
        made(NULL);
    return value;
}

struct json *json_get(const struct json *object, const char *key)
{
    return out_of(json_object_get(in(object), key));
}

struct json *json_at(const struct json *array, size_t index)
{
    return out_of(json_array_get(in(array), index));
}

size_t json_length(const struct json *value)
{
    return json_is_object(in(value)) ? json_object_size(in(value)) : json_array_size(in(value));
}

const char *json_as_text(const struct json *value)
{
    return json_string_value(in(value));
}

int64_t json_as_number(const struct json *value, int64_t otherwise)
{
    return json_is_integer(in(value)) ? json_integer_value(in(value)) : otherwise;
}

bool json_as_bool(const struct json *value)
{
    return json_is_true(in(value));
}

bool json_holds_object(const struct json *value)
{
    return json_is_object(in(value));
}

bool json_holds_array(const struct json *value)
{
    return json_is_array(in(value));
}

bool json_is_nothing(const struct json *value)
{
    return !value || json_is_null(in(value));
}

void *json_first(const struct json *object)
{
    return json_object_iter(in(object));
}

void *json_next(const struct json *object, void *iterator)
{
    return json_object_iter_next(in(object), iterator);
}

const char *json_key(void *iterator)
{
    return json_object_iter_key(iterator);
}

struct json *json_value(void *iterator)
{
    return out_of(json_object_iter_value(iterator));
}

int json_parse(const char *text, size_t length, struct json **value, struct error *error)
{
    json_error_t problem;
    json_t *parsed = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!parsed)
        return error_set(error, -EINVAL, "JSON line %d column %d: %s", problem.line, problem.column,
                         problem.text);
    *value = out_of(parsed);
    return 0;
}

int json_parse_at(const char *text, size_t length, struct json **value, size_t *offset, struct error *error)
{
    json_error_t problem;
    json_t *parsed = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!parsed) {
        *offset = problem.position > 0 ? (size_t)problem.position : 0;
        return error_set(error, -EINVAL, "%s", problem.text);
    }
    *value = out_of(parsed);
    return 0;
}

static int add_piece(const char *bytes, size_t size, void *buffer)
{
    buffer_add(buffer, bytes, size);
    return 0;
}

void json_print(const struct json *value, bool pretty, struct buffer *out)
{
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    json_dump_callback(in(value), add_piece, out, flags);
}
