/* Described structs as JSON, by their tables; object_seen() in seen.h reads them. */
#pragma once

#include "lib/fields.h"
#include "lib/json.h"

/* Every member that holds something; numbers and flags always. The caller frees it. */
struct json *json_of(const struct table *table, const void *object);
