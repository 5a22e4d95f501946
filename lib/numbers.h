/* A number field's text, in the spelling that its form has. */
#pragma once

#include "lib/fields.h"
#include "lib/units.h"

/* In the stored unit. -EINVAL: not of that form; -ERANGE: too large to be one. */
int numbers_parse(enum field_form form, const char *text, int64_t *number);
void numbers_print(enum field_form form, int64_t number, char text[static UNITS_TEXT_SIZE]);
