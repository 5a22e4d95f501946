#include "lib/error.h"

#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

int error_errno(struct error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    size_t length = strlen(error->text);
    snprintf(error->text + length, sizeof(error->text) - length, ": %s", strerror(-code));
    error->code = code;
    return code;
}

int error_wrap(struct error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    char inner[ERROR_TEXT_SIZE];
    memcpy(inner, error->text, sizeof(inner));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    size_t length = strlen(error->text);
    snprintf(error->text + length, sizeof(error->text) - length, ": %s", inner);
    return code;
}
