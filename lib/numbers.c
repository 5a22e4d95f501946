#include "lib/numbers.h"

#include <inttypes.h>
#include <stdio.h>

int numbers_parse(enum field_form form, const char *text, int64_t *number)
{
    switch (form) {
    case FORM_SIZE:
        return size_parse(text, number);
    case FORM_LIMIT:
        return limit_parse(text, number);
    case FORM_DURATION:
        return duration_parse(text, number);
    case FORM_CPUS:
        return cpus_parse(text, number);
    default:
        return number_parse(text, number);
    }
}

void numbers_print(enum field_form form, int64_t number, char text[static UNITS_TEXT_SIZE])
{
    switch (form) {
    case FORM_SIZE:
        size_print(number, text);
        break;
    case FORM_LIMIT:
        limit_print(number, text);
        break;
    case FORM_DURATION:
        duration_print(number, text);
        break;
    case FORM_CPUS:
        cpus_print(number, text);
        break;
    default:
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64, number);
    }
}
