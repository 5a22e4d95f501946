#include "drivers/lines.h"

void lines_end(struct lines *lines)
{
    lines->text[lines->length] = '\0';
    if (lines->length)
        lines->line(lines->context, lines->text);
    lines->length = 0;
}

void lines_take(struct lines *lines, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\n' || byte == '\r' || lines->length == LINE_SIZE - 1)
            lines_end(lines);
        if (byte != '\n' && byte != '\r')
            lines->text[lines->length++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
}
