/* Objects as text: what a person may write in a spec. */
#include "lib/fields.h"

#include <ctype.h>
#include <string.h>

#include "lib/numbers.h"

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
