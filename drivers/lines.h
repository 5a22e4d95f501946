/* What a program says, line by line: bytes that are not printable become '?', and a line that is too long is two. Of one that
 * is written over again and again, as progress is for terminals, only the last state is a line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_SIZE 8192 /* with its end */

struct lines { /* what was read and is not yet a whole line */
    char text[LINE_SIZE];
    size_t length;
    bool returned;                                 /* the carriage is at its begin */
    bool overwrites;                               /* and was before: something has been written over */
    void (*line)(void *context, const char *line); /* empty ones are passed over */
    void *context;
};

void lines_take(struct lines *lines, const char *bytes, size_t size);
void lines_end(struct lines *lines); /* the last one may have no end */
