/* Errors as values.
 *
 * A fallible function returns 0 (or a count) or a negative errno and takes `struct error *` as its last
 * argument. The error is set exactly when the return value is negative. Reporting needs no memory: the text
 * lives inside the struct and is cut, never lost, when it is too long. */
#pragma once

#include <stdarg.h>

#define ERROR_TEXT_SIZE 1024 /* bytes, with the closing NUL */

struct error {
    int code; /* negative errno, 0 while nothing failed */
    char text[ERROR_TEXT_SIZE];
};

/* Sets `error` and returns `code`, so that `return error_set(error, -EINVAL, ...)` is one line. `code` is a
 * negative errno; where errno explains more than the text does, pass it through error_errno(). `error` may be
 * NULL when the caller does not want the text. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like error_set() with ": strerror(code)" appended. */
int error_errno(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "OUTER: " before the text of an error that is already set; returns `code`, which is that of the error. */
int error_wrap(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
