/* The hash of maps and indexes: eight bytes at a time, for keys that share long beginnings. Not for what must not be
 * guessed. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint64_t hash_text(const char *text)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    size_t left = strlen(text);
    uint64_t value = left * odd, piece;
    for (; left >= sizeof(piece); left -= sizeof(piece), text += sizeof(piece)) {
        memcpy(&piece, text, sizeof(piece));
        value = (value ^ piece) * odd;
        value ^= value >> 29;
    }
    piece = 0;
    memcpy(&piece, text, left);
    value = (value ^ piece) * odd;
    return value ^ value >> 32;
}
