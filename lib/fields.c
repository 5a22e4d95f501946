#include "lib/fields.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "lib/error.h"
#include "lib/numbers.h"

#define DEPTH_BOUND 8 /* of nested tables; ours go three deep, a record that goes deeper is damaged */

const char *class_name(enum field_class class)
{
    static const char *const names[] = {"record", "live", "restart", "recreate", "fixed"};
    return names[class];
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

/* ---- encoding ---- */

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
            (struct texts){.items = arena_array_of(arena, const char *, texts->count), .count = texts->count};
        for (size_t i = 0; i < texts->count; i++)
            copy->items[i] = arena_strdup(arena, texts->items[i]);
        break;
    }
    case FIELD_PAIRS: {
        const struct pairs *pairs = from;
        struct pairs *copy = to;
        *copy =
            (struct pairs){.items = arena_array_of(arena, struct pair, pairs->count), .count = pairs->count};
        for (size_t i = 0; i < pairs->count; i++)
            copy->items[i] = (struct pair){.key = arena_strdup(arena, pairs->items[i].key),
                                           .value = arena_strdup(arena, pairs->items[i].value),
                                           .place = copy_place(arena, pairs->items[i].place)};
        break;
    }
    case FIELD_LIST: {
        const struct list *list = from;
        struct list *copy = to;
        *copy = (struct list){.items = arena_array_of(arena, void *, list->count), .count = list->count};
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

/* ---- printing ---- */

static bool scalar_is_plain(const char *text)
{
    static const char *const special[] = {"null", "Null", "NULL",  "~",     "true",
                                          "True", "TRUE", "false", "False", "FALSE"};
    if (!*text || isspace((unsigned char)*text) || isspace((unsigned char)text[strlen(text) - 1]))
        return false;
    for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
        if (strcmp(text, special[i]) == 0)
            return false;
    if (strchr("-?:,[]{}#&*!|>'\"%@`.+0123456789", *text)) {
        /* Sizes, addresses and ports start with digits and stay plain; what reads as a number does not. */
        if (!isdigit((unsigned char)*text))
            return false;
        const char *at = text;
        while (isalnum((unsigned char)*at) || *at == '.' || *at == '/')
            at++;
        bool number = strspn(text, "0123456789.eExX") == strlen(text) && text[strcspn(text, ".")] == '.' &&
                      !strchr(strchr(text, '.') + 1, '.');
        number = number || strspn(text, "0123456789_eE") == strlen(text) || strncmp(text, "0x", 2) == 0 ||
                 strncmp(text, "0o", 2) == 0;
        if (*at || number)
            return false;
    }
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f || strchr(",[]{}\"'\\", *at))
            return false;
        if ((*at == ':' && (at[1] == ' ' || !at[1])) || (*at == '#' && at > text && at[-1] == ' '))
            return false;
    }
    return true;
}

void scalar_print(const char *text, struct buffer *out)
{
    if (scalar_is_plain(text)) {
        buffer_text(out, text);
        return;
    }
    buffer_text(out, "\"");
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            buffer_printf(out, "\\%c", byte);
        else if (byte == '\n')
            buffer_text(out, "\\n");
        else if (byte == '\t')
            buffer_text(out, "\\t");
        else if (byte < 0x20 || byte == 0x7f)
            buffer_printf(out, "\\x%02x", byte);
        else
            buffer_add(out, text, 1);
    }
    buffer_text(out, "\"");
}

/* Variables that by their name hold what must not be shown. */
static bool pair_is_hidden(const struct field *row, const char *key)
{
    return row->flags & FIELD_SENSITIVE || variable_is_hidden(key);
}

bool variable_is_hidden(const char *key)
{
    static const char *const endings[] = {"PASSWORD", "PASS", "SECRET", "TOKEN", "KEY"};
    size_t length = strlen(key);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length >= ending && strcasecmp(key + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

int fields_replace_hidden(const struct table *table, void *object,
                          int (*replace)(void *context, const char **value, struct error *error),
                          void *context, struct error *error)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        struct pairs *pairs = row->type == FIELD_PAIRS ? field_at(object, row) : NULL;
        for (size_t i = 0; pairs && i < pairs->count; i++) {
            int result = pair_is_hidden(row, pairs->items[i].key)
                             ? replace(context, &pairs->items[i].value, error)
                             : 0;
            if (result < 0)
                return error_wrap(error, result, "%s.%s", row->key, pairs->items[i].key);
        }
    }
    return 0;
}

static void number_print(const struct field *row, int64_t value, struct buffer *out)
{
    char text[UNITS_TEXT_SIZE];
    numbers_print(row->form, value, text);
    buffer_text(out, text);
}

void field_print(const struct field *row, const void *object, struct buffer *out)
{
    const void *at = field_at(object, row);
    if (row->flags & FIELD_SENSITIVE) {
        buffer_text(out, "(sensitive)");
        return;
    }
    switch (row->type) {
    case FIELD_TEXT:
        if (*(const char *const *)at)
            scalar_print(*(const char *const *)at, out);
        break;
    case FIELD_BOOL:
        buffer_text(out, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_NUMBER:
        number_print(row, *(const int64_t *)at, out);
        break;
    case FIELD_TEXTS: {
        const struct texts *texts = at;
        buffer_text(out, "[");
        for (size_t i = 0; i < texts->count; i++) {
            buffer_text(out, i ? ", " : "");
            scalar_print(texts->items[i], out);
        }
        buffer_text(out, "]");
        break;
    }
    case FIELD_PAIRS: {
        const struct pairs *pairs = at;
        buffer_text(out, "{");
        for (size_t i = 0; i < pairs->count; i++) {
            buffer_text(out, i ? ", " : "");
            scalar_print(pairs->items[i].key, out);
            buffer_text(out, ": ");
            scalar_print(pair_is_hidden(row, pairs->items[i].key) ? "(sensitive)" : pairs->items[i].value,
                         out);
        }
        buffer_text(out, "}");
        break;
    }
    case FIELD_LIST: {
        const struct list *list = at;
        buffer_text(out, "[");
        for (size_t i = 0; i < list->count; i++) {
            buffer_text(out, i ? ", " : "");
            fields_print_flow(row->nested, list->items[i], out);
        }
        buffer_text(out, "]");
        break;
    }
    case FIELD_STRUCT:
        fields_print_flow(row->nested, *(void *const *)at, out);
        break;
    case FIELD_BYTES:
        buffer_printf(out, "(%zu bytes)", ((const struct bytes *)at)->size);
        break;
    }
}

void fields_print_flow(const struct table *table, const void *object, struct buffer *out)
{
    const char *separator = "";
    buffer_text(out, "{");
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        if (!field_is_said(table, object, row) || (row->flags & FIELD_DERIVED))
            continue;
        buffer_printf(out, "%s%s: ", separator, row->key);
        field_print(row, object, out);
        separator = ", ";
    }
    buffer_text(out, "}");
}

/* ---- differences ---- */

struct comparison {
    struct arena *arena;
    struct changes *changes;
};

/* Where a comparison stands. Most find nothing to say, so the text is made for a change only. */
struct path {
    const struct path *outer; /* NULL: `key` is of the object itself */
    const char *key;
};

static const char *path_text(struct arena *arena, const struct path *path)
{
    return path->outer ? arena_printf(arena, "%s.%s", path_text(arena, path->outer), path->key) : path->key;
}

static const char *printed(struct arena *arena, const struct table *table, const void *object,
                           const struct field *row)
{
    /* An unsaid value is shown as its default, so that "pids: 100 -> 8192" can be read. */
    if (!field_is_said(table, object, row) && !row->standard)
        return NULL;
    _cleanup_buffer_ struct buffer text = {0};
    field_print(row, object, &text);
    return text.length ? arena_strdup(arena, text.bytes) : NULL;
}

static void note(const struct comparison *to, const struct path *path, const char *old, const char *new,
                 enum field_class class, struct place at)
{
    struct change *change = arena_append(to->arena, to->changes->items, to->changes->count);
    *change = (struct change){
        .field = path_text(to->arena, path), .old = old, .new = new, .class = class, .at = at};
}

static void diff_pairs(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct pairs *old, const struct pairs *new, struct place place)
{
    size_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i == old->count ? 1 : j == new->count ? -1 : strcmp(old->items[i].key, new->items[j].key);
        const struct pair *left = order <= 0 ? &old->items[i++] : NULL;
        const struct pair *right = order >= 0 ? &new->items[j++] : NULL;
        if (left && right && strcmp(left->value, right->value) == 0)
            continue;
        const char *was = left ? left->value : NULL, *is = right ? right->value : NULL;
        if (pair_is_hidden(row, (left ? left : right)->key)) {
            was = left && !right ? "(sensitive)" : NULL;
            is = left && right ? "(sensitive, changed)" : right ? "(sensitive)" : NULL;
        }
        note(to, &(struct path){path, (left ? left : right)->key}, was, is, row->class,
             right && right->place.file ? right->place : place);
    }
}

static const char *flow(struct arena *arena, const struct table *table, const void *object)
{
    _cleanup_buffer_ struct buffer text = {0};
    fields_print_flow(table, object, &text);
    return arena_strdup(arena, text.bytes);
}

/* The keys of what both lists hold, in the order of the first. */
static const char *common_keys(struct arena *arena, const struct table *nested, const struct list *list,
                               const struct list *other)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < list->count; i++)
        if (list_find(other, nested, item_key(nested, list->items[i])))
            buffer_printf(&text, "%s%s", text.length ? ", " : "[", item_key(nested, list->items[i]));
    buffer_text(&text, text.length ? "]" : "[]");
    return arena_strdup(arena, text.bytes);
}

static void diff_order(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct list *old, const struct list *new, struct place place)
{
    bool same = old->count == new->count;
    for (size_t i = 0; i < old->count && same; i++)
        same = strcmp(item_key(row->nested, old->items[i]), item_key(row->nested, new->items[i])) == 0;
    if (same)
        return;
    const char *before = common_keys(to->arena, row->nested, old, new);
    const char *after = common_keys(to->arena, row->nested, new, old);
    if (strcmp(before, after) != 0)
        note(to, path, before, after, row->class, place);
}

static void diff_objects(const struct comparison *to, const struct table *table, const void *old,
                         const void *new, const struct path *outer);

static void diff_lists(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct list *old, const struct list *new, struct place place)
{
    for (size_t i = 0; i < old->count; i++) {
        const char *key = item_key(row->nested, old->items[i]);
        if (!list_find(new, row->nested, key))
            note(to, &(struct path){path, key}, flow(to->arena, row->nested, old->items[i]), NULL, row->class,
                 place);
    }
    for (size_t i = 0; i < new->count; i++) {
        const char *key = item_key(row->nested, new->items[i]);
        const void *before = list_find(old, row->nested, key);
        const struct path item = {path, key};
        if (before)
            diff_objects(to, row->nested, before, new->items[i], &item);
        else
            note(to, &item, NULL, flow(to->arena, row->nested, new->items[i]), row->class,
                 ((const struct described *)new->items[i])->place);
    }
    if (row->flags & FIELD_ORDERED)
        diff_order(to, row, path, old, new, place);
}

bool texts_have(const struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

static bool texts_equal(const struct texts *left, const struct texts *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (strcmp(left->items[i], right->items[i]) != 0)
            return false;
    return true;
}

static bool scalars_equal(const struct field *row, const void *left, const void *right)
{
    switch (row->type) {
    case FIELD_TEXT: {
        const char *a = *(const char *const *)left, *b = *(const char *const *)right;
        return a == b || (a && b && strcmp(a, b) == 0);
    }
    case FIELD_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case FIELD_NUMBER:
        return *(const int64_t *)left == *(const int64_t *)right;
    case FIELD_BYTES: {
        const struct bytes *a = left, *b = right;
        return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
    }
    default:
        return texts_equal(left, right);
    }
}

static void diff_objects(const struct comparison *to, const struct table *table, const void *old,
                         const void *new, const struct path *outer)
{
    if (old == new)
        return;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const void *left = field_at(old, row), *right = field_at(new, row);
        bool was = field_is_said(table, old, row), is = field_is_said(table, new, row);
        struct place place = field_place(table, new, row);
        const struct path path = {outer, row->key};
        size_t before = to->changes->count;
        if (row->type == FIELD_PAIRS)
            diff_pairs(to, row, &path, left, right, place);
        else if (row->type == FIELD_LIST)
            diff_lists(to, row, &path, left, right, place);
        else if (row->type == FIELD_STRUCT)
            diff_objects(to, row->nested, *(void *const *)left, *(void *const *)right, &path);
        else if ((was || is) && (was != is || !scalars_equal(row, left, right)))
            note(to, &path, printed(to->arena, table, old, row), printed(to->arena, table, new, row),
                 row->class, place);
        /* "set to nothing" against "not mentioned": the items are equal, the saying is not. */
        if ((row->type == FIELD_PAIRS || row->type == FIELD_LIST) && was != is &&
            to->changes->count == before)
            note(to, &path, was ? "[]" : NULL, is ? "[]" : NULL, row->class, place);
    }
}

void fields_diff(const struct table *table, const void *old, const void *new, struct arena *arena,
                 struct changes *changes)
{
    const struct comparison to = {.arena = arena, .changes = changes};
    diff_objects(&to, table, old, new, NULL);
}

enum field_class changes_class(const struct changes *changes)
{
    enum field_class class = CLASS_RECORD;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].class > class)
            class = changes->items[i].class;
    return class;
}
