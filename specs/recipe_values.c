/* Values that stand in recipes, as recipe_check.h names them. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "specs/image_config.h"
#include "specs/recipe_check.h"

#define MOST_EXPOSED 256 /* ports of a range that become entries of their own, as in docker's images */

bool recipe_mode(const char *text, int64_t *mode)
{
    const size_t length = strlen(text);
    if (!length || length > 5 || strspn(text, "01234567") != length)
        return false;
    *mode = 0;
    for (; *text; text++)
        *mode = *mode * 8 + (*text - '0');
    return *mode <= 07777;
}

const char *recipe_signal(struct arena *arena, const char *text)
{
    char *upper = arena_strdup(arena, text);
    for (char *at = upper; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return image_signal_parse(arena, upper);
}

bool recipe_exposed(struct arena *arena, const char *text, struct texts *ports)
{
    int first, last;
    char *lower = arena_strdup(arena, text);
    for (char *at = lower; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    const char *canonical = image_exposed_parse(arena, lower);
    if (!canonical)
        return false;
    if (sscanf(canonical, "%d-%d/", &first, &last) != 2 || last - first > MOST_EXPOSED)
        first = last = 0;
    if (!first)
        *arena_append(arena, ports->items, ports->count) = canonical;
    for (int port = first; first && port <= last; port++)
        *arena_append(arena, ports->items, ports->count) =
            arena_printf(arena, "%d%s", port, strchr(canonical, '/'));
    return true;
}

/* "1.5": in thousandths. Returns how long it is; 0: it is no number. */
static size_t read_decimal(const char *text, int64_t *thousandths)
{
    size_t length = strspn(text, "0123456789");
    int64_t whole = 0, part = 0, scale = 100;
    if (length > 9)
        return 0;
    for (size_t i = 0; i < length; i++)
        whole = whole * 10 + (text[i] - '0');
    size_t digits = 0;
    if (text[length] == '.') {
        digits = strspn(text + length + 1, "0123456789");
        for (size_t i = 0; i < digits && scale; i++, scale /= 10)
            part += scale * (text[length + 1 + i] - '0');
        if (!length && !digits)
            return 0;
        digits++;
    }
    *thousandths = whole * 1000 + part;
    return length + digits;
}

bool recipe_duration(const char *text, int64_t *milliseconds)
{
    static const struct {
        const char *unit;
        int64_t nanoseconds;
    } units[] = {{"ns", 1},          {"us", 1000},     {"µs", 1000}, {"ms", 1000000}, {"h", 3600000000000},
                 {"m", 60000000000}, {"s", 1000000000}};
    __int128 total = 0;
    *milliseconds = 0;
    if (strcmp(text, "0") == 0)
        return true;
    text += *text == '+';
    if (!*text)
        return false;
    while (*text) {
        int64_t amount;
        size_t length = read_decimal(text, &amount), i = 0;
        if (!length)
            return false;
        text += length;
        while (i < sizeof(units) / sizeof(*units) && strncmp(text, units[i].unit, strlen(units[i].unit)) != 0)
            i++;
        if (i == sizeof(units) / sizeof(*units))
            return false;
        text += strlen(units[i].unit);
        total += (__int128)amount * units[i].nanoseconds / 1000;
    }
    if (total && (total < 1000000 || total / 1000000 > INT64_C(1) << 40))
        return false;
    *milliseconds = (int64_t)(total / 1000000);
    return true;
}
