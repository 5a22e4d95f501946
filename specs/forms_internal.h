/* Forms of addresses, for forms.c: the canonical spelling of `text`, or NULL when it is not of that form. */
#pragma once

#include "specs/forms.h"

const char *ipv6_canonical(struct arena *arena, const char *text);
const char *gateway6_canonical(struct arena *arena, const char *text);
const char *range6_canonical(struct arena *arena, const char *text);
const char *subnet6_canonical(struct arena *arena, const char *text);
const char *address_canonical(struct arena *arena, const char *text);
