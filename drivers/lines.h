/* What a program says, line by line: bytes that are not printable become '?', and a line that is too long is two. */
#pragma once

#include <stddef.h>

#define LINE_SIZE 8192 /* with its end */

struct lines { /* what was read and is not yet a whole line */
    char text[LINE_SIZE];
    size_t length;
    void (*line)(void *context, const char *line); /* empty ones are passed over */
    void *context;
};

void lines_take(struct lines *lines, const char *bytes, size_t size);
void lines_end(struct lines *lines); /* the last one may have no end */
