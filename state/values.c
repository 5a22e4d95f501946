/* Values as they lie in LMDB: checksum (u32), version (u16), fields; numbers little endian. A flipped bit comes
 * back from LMDB as good data, so nothing is decoded before its checksum was right. */
#include <errno.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "state/internal.h"

#define VALUE_VERSION 1u
#define CHECKSUM_SIZE 4
#define HEAD_SIZE     (CHECKSUM_SIZE + 2)

static void store(unsigned char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t fetch(const unsigned char *from, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

void value_seal(const void *bytes, size_t size, struct buffer *out)
{
    unsigned char head[HEAD_SIZE] = {0};
    size_t start = out->length;
    store(head + CHECKSUM_SIZE, VALUE_VERSION, HEAD_SIZE - CHECKSUM_SIZE);
    buffer_add(out, head, sizeof(head));
    buffer_add(out, bytes, size);
    unsigned char *sealed = (unsigned char *)out->bytes + start;
    store(sealed, checksum_of(sealed + CHECKSUM_SIZE, out->length - start - CHECKSUM_SIZE), CHECKSUM_SIZE);
}

int value_open(const char *key, struct span value, struct span *payload, struct error *error)
{
    const unsigned char *bytes = value.data;
    if (value.size < HEAD_SIZE)
        return error_set(error, -EBADMSG, "%s: damaged: %zu bytes are too few", key, value.size);
    if (fetch(bytes, CHECKSUM_SIZE) != checksum_of(bytes + CHECKSUM_SIZE, value.size - CHECKSUM_SIZE))
        return error_set(error, -EBADMSG, "%s: damaged: the checksum is wrong", key);
    uint32_t version = fetch(bytes + CHECKSUM_SIZE, HEAD_SIZE - CHECKSUM_SIZE);
    if (version > VALUE_VERSION)
        return error_set(error, -EPROTO, "%s: written in version %u, this fpsync knows up to %u", key,
                         version, VALUE_VERSION);
    *payload = (struct span){.data = bytes + HEAD_SIZE, .size = value.size - HEAD_SIZE};
    return 0;
}

/* Whether the member holds anything; for numbers and flags the encoder leaves defaults out by itself. */
static bool holds_something(const struct field *row, const void *at)
{
    switch (row->type) {
    case FIELD_TEXT:
        return *(const char *const *)at != NULL;
    case FIELD_TEXTS:
        return ((const struct texts *)at)->count > 0;
    case FIELD_PAIRS:
        return ((const struct pairs *)at)->count > 0;
    case FIELD_LIST:
        return ((const struct list *)at)->count > 0;
    case FIELD_BYTES:
        return ((const struct bytes *)at)->size > 0;
    case FIELD_STRUCT:
        return *(void *const *)at != NULL;
    default:
        return true;
    }
}

/* A copy whose presence bits say what the members hold; the caller's object stays as it is. */
static void *said(struct arena *arena, const struct table *table, const void *object)
{
    void *copy = arena_copy(arena, object, table->size);
    ((struct described *)copy)->present = 0;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        void *at = field_at(copy, row);
        if (!holds_something(row, at))
            continue;
        field_mark_present(table, copy, row);
        if (row->type != FIELD_LIST)
            continue;
        struct list *list = at;
        void **items = arena_array_of(arena, void *, list->count);
        for (size_t i = 0; i < list->count; i++)
            items[i] = said(arena, row->nested, list->items[i]);
        list->items = items;
    }
    return copy;
}

void value_encode(const struct table *table, const void *object, struct buffer *out)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_buffer_ struct buffer fields = {0};
    fields_encode(table, said(arena, table, object), &fields);
    value_seal(fields.bytes, fields.length, out);
}

int value_decode(const struct table *table, const char *key, struct span value, struct arena *arena,
                 void **object, struct error *error)
{
    struct span payload;
    int result = value_open(key, value, &payload, error);
    if (result < 0)
        return result;
    /* In one copy, with a byte more. */
    char *copy = arena_strndup(arena, payload.data, payload.size);
    result = fields_decode_in_place(table, copy, payload.size, arena, object, error);
    if (result < 0)
        return error_wrap(error, result, "%s", key);
    return 0;
}
