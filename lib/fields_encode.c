/* Objects as bytes, in LMDB and in requests to workers: a field goes by its id, so that what another version wrote can be
 * read. */
#include "lib/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/error.h"

#define DEPTH_BOUND 8 /* of nested tables; ours go three deep, a record that goes deeper is damaged */

static void put_number(struct buffer *out, uint64_t value, size_t bytes)
{
    unsigned char raw[8];
    for (size_t i = 0; i < bytes; i++)
        raw[i] = (unsigned char)(value >> (8 * i));
    buffer_add(out, raw, bytes);
}

static uint64_t get_number(const unsigned char *raw, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)raw[i] << (8 * i);
    return value;
}

static void put_piece(struct buffer *out, const char *text)
{
    put_number(out, strlen(text), 4);
    buffer_text(out, text);
}

static size_t open_length(struct buffer *out)
{
    put_number(out, 0, 4);
    return out->length;
}

static void close_length(struct buffer *out, size_t start)
{
    uint64_t length = out->length - start;
    for (size_t i = 0; i < 4; i++)
        out->bytes[start - 4 + i] = (char)(length >> (8 * i));
}

static void encode_value(const struct field *row, const void *at, struct buffer *out)
{
    switch (row->type) {
    case FIELD_TEXT:
        buffer_text(out, *(const char *const *)at);
        break;
    case FIELD_BOOL:
        put_number(out, *(const bool *)at, 1);
        break;
    case FIELD_NUMBER:
        put_number(out, (uint64_t) * (const int64_t *)at, 8);
        break;
    case FIELD_TEXTS: {
        const struct texts *texts = at;
        for (size_t i = 0; i < texts->count; i++)
            put_piece(out, texts->items[i]);
        break;
    }
    case FIELD_PAIRS: {
        const struct pairs *pairs = at;
        for (size_t i = 0; i < pairs->count; i++) {
            put_piece(out, pairs->items[i].key);
            put_piece(out, pairs->items[i].value);
        }
        break;
    }
    case FIELD_LIST: {
        const struct list *list = at;
        for (size_t i = 0; i < list->count; i++) {
            size_t start = open_length(out);
            fields_encode(row->nested, list->items[i], out);
            close_length(out, start);
        }
        break;
    }
    case FIELD_STRUCT:
        fields_encode(row->nested, *(void *const *)at, out);
        break;
    case FIELD_BYTES:
        buffer_add(out, ((const struct bytes *)at)->data, ((const struct bytes *)at)->size);
        break;
    }
}

void fields_encode(const struct table *table, const void *object, struct buffer *out)
{
    const struct described *head = object;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        if (!field_is_said(table, object, row))
            continue;
        put_number(out, row->id, 2);
        size_t start = open_length(out);
        encode_value(row, field_at(object, row), out);
        close_length(out, start);
    }
    buffer_add(out, head->unknown, head->unknown_size);
}

struct reader {
    const unsigned char *at, *end;
    struct arena *arena;
    int depth;
    /* Where texts stay in the bytes: that of the last one still has to be ended, by a NUL in the place of what comes
     * behind it, once that was read. */
    unsigned char **open_end;
};

static void end_text(const struct reader *reader)
{
    if (reader->open_end && *reader->open_end)
        *TAKE_PTR(*reader->open_end) = '\0';
}

static bool take(struct reader *reader, size_t width, struct reader *piece)
{
    size_t left = (size_t)(reader->end - reader->at);
    if (left < width)
        return false;
    uint64_t length = get_number(reader->at, width);
    if (left - width < length)
        return false;
    end_text(reader);
    *piece = *reader;
    piece->at = reader->at + width;
    piece->end = piece->at + length;
    reader->at = piece->end;
    return true;
}

/* A text without NUL inside, or NULL. */
static char *text_of(const struct reader *piece)
{
    size_t length = (size_t)(piece->end - piece->at);
    if (length && memchr(piece->at, '\0', length))
        return NULL;
    if (!piece->open_end)
        return arena_strndup(piece->arena, (const char *)piece->at, length);
    *piece->open_end = (unsigned char *)piece->end;
    return (char *)piece->at;
}

static void *decode_object(const struct table *table, struct reader *reader);

static bool decode_value(const struct field *row, struct reader piece, void *at)
{
    size_t length = (size_t)(piece.end - piece.at);
    switch (row->type) {
    case FIELD_TEXT:
        return (*(const char **)at = text_of(&piece)) != NULL;
    case FIELD_BOOL:
        if (length != 1 || *piece.at > 1)
            return false;
        *(bool *)at = *piece.at;
        return true;
    case FIELD_NUMBER:
        if (length != 8)
            return false;
        *(int64_t *)at = (int64_t)get_number(piece.at, 8);
        return true;
    case FIELD_TEXTS: {
        struct texts *texts = at;
        while (piece.at < piece.end) {
            struct reader item;
            if (!take(&piece, 4, &item) ||
                !(*arena_append(piece.arena, texts->items, texts->count) = text_of(&item)))
                return false;
        }
        return true;
    }
    case FIELD_PAIRS: {
        struct pairs *pairs = at;
        while (piece.at < piece.end) {
            struct reader key, value;
            struct pair *pair = arena_append(piece.arena, pairs->items, pairs->count);
            if (!take(&piece, 4, &key) || !(pair->key = text_of(&key)) || !take(&piece, 4, &value) ||
                !(pair->value = text_of(&value)))
                return false;
        }
        return true;
    }
    case FIELD_LIST: {
        struct list *list = at;
        while (piece.at < piece.end) {
            struct reader item;
            void *object;
            if (!take(&piece, 4, &item) || !(object = decode_object(row->nested, &item)) ||
                !item_key(row->nested, object))
                return false;
            *arena_append(piece.arena, list->items, list->count) = object;
        }
        return true;
    }
    case FIELD_STRUCT:
        return (*(void **)at = decode_object(row->nested, &piece)) != NULL;
    case FIELD_BYTES:
        *(struct bytes *)at = (struct bytes){
            .data = piece.open_end ? piece.at : arena_copy(piece.arena, piece.at, length), .size = length};
        return true;
    }
    return false;
}

static const struct field *row_by_id(const struct table *table, uint64_t id)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].id == id)
            return &table->rows[i];
    return NULL;
}

/* NULL when the bytes are damaged. */
static void *decode_object(const struct table *table, struct reader *reader)
{
    if (++reader->depth > DEPTH_BOUND)
        return NULL;
    void *object = described_new(reader->arena, table);
    struct described *head = object;
    _cleanup_buffer_ struct buffer unknown = {0};
    while (reader->at < reader->end) {
        const unsigned char *start = reader->at;
        if (reader->end - reader->at < 2)
            return NULL;
        const uint64_t id = get_number(reader->at, 2);
        const struct field *row = row_by_id(table, id);
        reader->at += 2;
        struct reader piece;
        if (!take(reader, 4, &piece))
            return NULL;
        if (!row) {
            put_number(&unknown, id, 2); /* it may have become the end of a text */
            buffer_add(&unknown, start + 2, (size_t)(reader->at - start - 2));
            continue;
        }
        if (field_is_present(table, object, row) || !decode_value(row, piece, field_at(object, row)))
            return NULL;
        field_mark_present(table, object, row);
    }
    head->unknown_size = unknown.length;
    head->unknown = unknown.length ? arena_copy(reader->arena, unknown.bytes, unknown.length) : NULL;
    return object;
}

static int decode(const struct table *table, struct reader *reader, void **object, struct error *error)
{
    const size_t size = (size_t)(reader->end - reader->at);
    void *decoded = decode_object(table, reader);
    end_text(reader);
    if (!decoded)
        return error_set(error, -EBADMSG, "damaged encoding of %s (%zu bytes)", table->name, size);
    *object = decoded;
    return 0;
}

int fields_decode(const struct table *table, const void *bytes, size_t size, struct arena *arena,
                  void **object, struct error *error)
{
    const unsigned char *start =
        size ? bytes : (const unsigned char *)""; /* nothing may be written as NULL */
    struct reader reader = {.at = start, .end = start + size, .arena = arena};
    return decode(table, &reader, object, error);
}

int fields_decode_in_place(const struct table *table, void *bytes, size_t size, struct arena *arena,
                           void **object, struct error *error)
{
    unsigned char nothing, *start = size ? bytes : &nothing, *open_end = NULL;
    struct reader reader = {.at = start, .end = start + size, .arena = arena, .open_end = &open_end};
    return decode(table, &reader, object, error);
}
