/* JSON values; the one wrapper of jansson. A value is owned by whoever made it until it is put into an object
 * or array, which then owns it; json_free() drops a whole tree. Objects keep the order of insertion. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buffer.h"

struct json;
struct error;

struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_text(const char *text); /* NULL becomes null; bytes that are not UTF-8 become '?' */
struct json *json_new_number(int64_t number);
struct json *json_new_bool(bool value);
struct json *json_new_null(void);
struct json *json_clone(const struct json *value); /* of all that is in it */
void json_free(struct json *value);                /* accepts NULL */
static inline void cleanup_json(struct json **value)
{
    json_free(*value);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Both take `value` over, and return it for nesting. */
struct json *json_set(struct json *object, const char *key, struct json *value);
struct json *json_append(struct json *array, struct json *value);

/* Drops the value of a key; nothing happens when it is absent. */
void json_remove(struct json *object, const char *key);

/* Borrowed; NULL when absent or of another type, so that lookups chain: json_get(json_get(a, "b"), "c"). */
struct json *json_get(const struct json *object, const char *key);
struct json *json_at(const struct json *array, size_t index);
size_t json_length(const struct json *array_or_object); /* 0 for anything else */
const char *json_as_text(const struct json *value);     /* NULL for anything else */
int64_t json_as_number(const struct json *value, int64_t otherwise);
bool json_as_bool(const struct json *value);
bool json_holds_object(const struct json *value);
bool json_holds_array(const struct json *value);
bool json_is_nothing(const struct json *value); /* null, or absent */

/* Walks an object: for (void *i = json_first(o); i; i = json_next(o, i)) ... */
void *json_first(const struct json *object);
void *json_next(const struct json *object, void *iterator);
const char *json_key(void *iterator);
struct json *json_value(void *iterator);

/* -EINVAL with line and column for text that is not JSON, or that repeats a key. */
int json_parse(const char *text, size_t length, struct json **value, struct error *error);
/* The same, but that the message is only what is wrong, and `offset` the bytes before that. */
int json_parse_at(const char *text, size_t length, struct json **value, size_t *offset, struct error *error);
void json_print(const struct json *value, bool pretty, struct buffer *out);
