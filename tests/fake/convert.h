/* Described structs as JSON and back, by their tables. */
#pragma once

#include "lib/fields.h"
#include "lib/json.h"

/* Every member that holds something; numbers and flags always. The caller frees it. */
struct json *json_of(const struct table *table, const void *object);
/* All fields present, absent ones with their default; NULL for what is no JSON object. */
void *object_of(const struct table *table, const struct json *json, struct arena *arena);
