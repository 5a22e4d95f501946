/* How the other files of specs/ report what is wrong with the user's text. */
#pragma once

#include "specs/specs.h"

/* `hint` may be NULL; texts are copied, control characters in them become '?'. A place without a line means the
 * file as a whole. */
void problem_add(struct problems *problems, struct place place, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* By file, line and column; the same problem of one place (an alias used twice) is kept once. */
void problems_sort(struct problems *problems);
