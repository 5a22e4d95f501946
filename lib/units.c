#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: printing takes the first that divides. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const char size_letters[] = "KMGTP";
static const char UNLIMITED[] = "unlimited";

/* Digits at *text; moves past them. */
static int take_digits(const char **text, int64_t *number)
{
    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    int64_t value = 0;
    for (; isdigit((unsigned char)**text); (*text)++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, **text - '0', &value))
            return -ERANGE;
    *number = value;
    return 0;
}

int size_parse(const char *text, int64_t *bytes)
{
    int64_t value;
    int result = take_digits(&text, &value);
    if (result < 0)
        return result;
    const char *letter = *text ? strchr(size_letters, toupper((unsigned char)*text)) : NULL;
    if (letter) {
        for (int steps = (int)(letter - size_letters) + 1; steps > 0; steps--)
            if (__builtin_mul_overflow(value, 1024, &value))
                return -ERANGE;
        text++;
        if (*text == 'i' && text[1] == 'B')
            text++;
    }
    if (*text == 'B')
        text++;
    if (*text)
        return -EINVAL;
    *bytes = value;
    return 0;
}

int limit_parse(const char *text, int64_t *bytes)
{
    if (strcmp(text, UNLIMITED) != 0)
        return size_parse(text, bytes);
    *bytes = INT64_MAX;
    return 0;
}

void limit_print(int64_t bytes, char text[static UNITS_TEXT_SIZE])
{
    if (bytes == INT64_MAX)
        snprintf(text, UNITS_TEXT_SIZE, "%s", UNLIMITED);
    else
        size_print(bytes, text);
}

void size_print(int64_t bytes, char text[static UNITS_TEXT_SIZE])
{
    size_t letters = 0;
    while (bytes && bytes % 1024 == 0 && letters < strlen(size_letters)) {
        bytes /= 1024;
        letters++;
    }
    if (letters)
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64 "%ciB", bytes, size_letters[letters - 1]);
    else
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64, bytes);
}

/* The unit that *text starts with, longest name first ("ms" before "m"). */
static const struct unit *take_unit(const char **text)
{
    const struct unit *found = NULL;
    for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
        size_t length = strlen(durations[i].name);
        if (strncmp(*text, durations[i].name, length) == 0 && (!found || length > strlen(found->name)))
            found = &durations[i];
    }
    if (found)
        *text += strlen(found->name);
    return found;
}

int duration_parse(const char *text, int64_t *milliseconds)
{
    if (strcmp(text, "0") == 0) {
        *milliseconds = 0;
        return 0;
    }
    int64_t sum = 0, above = INT64_MAX;
    do {
        int64_t value;
        int result = take_digits(&text, &value);
        if (result < 0)
            return result;
        const struct unit *unit = take_unit(&text);
        if (!unit || unit->factor >= above) /* units go downwards, each once */
            return -EINVAL;
        above = unit->factor;
        if (__builtin_mul_overflow(value, unit->factor, &value) || __builtin_add_overflow(sum, value, &sum))
            return -ERANGE;
    } while (*text);
    *milliseconds = sum;
    return 0;
}

void duration_print(int64_t milliseconds, char text[static UNITS_TEXT_SIZE])
{
    size_t length = 0;
    snprintf(text, UNITS_TEXT_SIZE, "0");
    for (size_t i = 0; i < sizeof(durations) / sizeof(*durations) && milliseconds > 0; i++) {
        int64_t count = milliseconds / durations[i].factor;
        if (!count)
            continue;
        milliseconds %= durations[i].factor;
        length += (size_t)snprintf(text + length, UNITS_TEXT_SIZE - length, "%" PRId64 "%s", count,
                                   durations[i].name);
        if (length >= UNITS_TEXT_SIZE)
            return;
    }
}

int cpus_parse(const char *text, int64_t *thousandths)
{
    int64_t whole, part = 0;
    int result = take_digits(&text, &whole);
    if (result < 0)
        return result;
    if (*text == '.') {
        text++;
        int digits = 0;
        for (; digits < 3 && isdigit((unsigned char)*text); text++, digits++)
            part = part * 10 + (*text - '0');
        if (!digits)
            return -EINVAL;
        for (; digits < 3; digits++)
            part *= 10;
    }
    if (*text)
        return -EINVAL;
    if (whole > INT64_MAX / 1000 - 1)
        return -ERANGE;
    *thousandths = whole * 1000 + part;
    return 0;
}

void cpus_print(int64_t thousandths, char text[static UNITS_TEXT_SIZE])
{
    int length =
        snprintf(text, UNITS_TEXT_SIZE, "%" PRId64 ".%03" PRId64, thousandths / 1000, thousandths % 1000);
    while (text[length - 1] == '0')
        text[--length] = '\0';
    if (text[length - 1] == '.')
        text[--length] = '\0';
}

int number_parse(const char *text, int64_t *number)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    if (*text == '0' && text[1])
        return -EINVAL; /* 010 is a string in YAML 1.2, not eight */
    int64_t value;
    int result = take_digits(&text, &value);
    if (result < 0)
        return result;
    if (*text)
        return -EINVAL;
    *number = negative ? -value : value;
    return 0;
}
