#include "lib/base64.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_read(const char *text, void *bytes, size_t size)
{
    const size_t length = strcspn(text, "\r\n"), digits = (size * 8 + 5) / 6;
    unsigned bits = 0, held = 0;
    unsigned char *out = bytes;
    size_t made = 0;
    if (length != (size + 2) / 3 * 4 || strspn(text + digits, "=") != length - digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        const char *letter = text[i] ? strchr(letters, text[i]) : NULL;
        if (!letter)
            return false;
        held = held << 6 | (unsigned)(letter - letters);
        bits += 6;
        if (bits >= 8 && made < size) {
            bits -= 8;
            out[made++] = (unsigned char)(held >> bits);
        }
    }
    return made == size;
}

char *base64_text(struct arena *arena, const void *bytes, size_t size)
{
    const unsigned char *in = bytes;
    char *text = arena_alloc(arena, (size + 2) / 3 * 4 + 1), *out = text;
    for (size_t i = 0; i < size; i += 3) {
        unsigned held = (unsigned)in[i] << 16;
        held |= i + 1 < size ? (unsigned)in[i + 1] << 8 : 0;
        held |= i + 2 < size ? in[i + 2] : 0;
        *out++ = letters[held >> 18];
        *out++ = letters[held >> 12 & 63];
        *out++ = i + 1 < size ? letters[held >> 6 & 63] : '=';
        *out++ = i + 2 < size ? letters[held & 63] : '=';
    }
    return text;
}
