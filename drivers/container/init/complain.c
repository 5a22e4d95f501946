#include "drivers/container/init/complain.h"

#include <stdarg.h>
#include <stdio.h>

static char last[COMPLAINT_SIZE];

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last, sizeof(last), format, arguments);
    va_end(arguments);
    fprintf(stderr, "fpsync-init: %s\n", last);
}

const char *complaint(void)
{
    return last;
}
