#include "drivers/lines.h"

#include <string.h>

/* What a program wipes its line with before it is done is no line either. */
static bool is_wiped(const struct lines *lines)
{
    return lines->overwrites && strspn(lines->text, " ") == lines->length;
}

void lines_end(struct lines *lines)
{
    lines->text[lines->length] = '\0';
    if (lines->length && !is_wiped(lines))
        lines->line(lines->context, lines->text);
    lines->length = 0;
    lines->returned = lines->overwrites = false;
}

void lines_take(struct lines *lines, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\r') { /* of "\r\n", or what follows is written over the line */
            lines->returned = true;
            continue;
        }
        if (lines->returned && byte != '\n') {
            lines->overwrites = true;
            lines->length = 0;
        }
        lines->returned = false;
        if (byte == '\n' || lines->length == LINE_SIZE - 1)
            lines_end(lines);
        if (byte != '\n')
            lines->text[lines->length++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
}
