/* Inputs of several parts with NULs between them. */
#pragma once

#include "lib/fields.h"
#include "tests/fuzz/fuzz.h"

/* What comes before the next NUL, or all of it; `data` and `size` are then what follows. */
static inline struct bytes fuzz_part(const uint8_t **data, size_t *size)
{
    size_t length = 0;
    while (length < *size && (*data)[length])
        length++;
    const struct bytes part = {.data = *data, .size = length};
    length += length < *size;
    *data += length;
    *size -= length;
    return part;
}
