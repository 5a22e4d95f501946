/* Whether a test has provoked every error text of a source: what came up is noted by see(), and each text that stands in a
 * call of problem_add(), error_set() or error_errno() must match one of those. */
#pragma once

#include <fcntl.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/fields.h"

static struct arena *seen_arena;
static struct texts seen; /* every message that came up */

static void see(const char *message)
{
    *arena_append(seen_arena, seen.items, seen.count) = arena_strdup(seen_arena, message);
}

/* '%' conversions of a format match anything. */
static bool matches(const char *format, const char *text)
{
    if (!*format)
        return !*text;
    if (*format != '%')
        return *format == *text && matches(format + 1, text + 1);
    format += strspn(format, "%*.0123456789lhz");
    format += *format != '\0';
    for (;; text++) {
        if (matches(format, text))
            return true;
        if (!*text)
            return false;
    }
}

/* The literal that starts at the quote, pieces joined; NULL when there is none. */
static char *literal_at(const char *at)
{
    _cleanup_buffer_ struct buffer out = {0};
    while (*at == '"') {
        for (at++; *at && *at != '"'; at++) {
            if (*at == '\\')
                at++;
            buffer_add(&out, at, 1);
        }
        at++;
        at += strspn(at, " \n");
    }
    return out.length ? arena_strdup(seen_arena, out.bytes) : NULL;
}

/* Past `count` commas of an argument list. */
static const char *skip_arguments(const char *at, int count)
{
    for (int depth = 0; count; at++) {
        if (*at == '"')
            for (at++; *at != '"'; at++)
                at += *at == '\\';
        depth += *at == '(' || *at == '{';
        depth -= *at == ')' || *at == '}';
        count -= *at == ',' && depth == 0;
        assert_true(*at && depth >= 0);
    }
    return at + strspn(at, " \n");
}

static size_t check_calls(const char *file, const char *source, const char *call, int before, size_t *found)
{
    size_t missing = 0;
    for (const char *at = source; (at = strstr(at, call)); at++) {
        if (at - source >= 5 && strncmp(at - 5, "void ", 5) == 0)
            continue;
        const char *argument = skip_arguments(at + strlen(call), before);
        const char *format = literal_at(argument);
        if (!format)
            fail_msg("%s: the text of a %s is not a literal: %.60s", file, call, argument);
        (*found)++;
        if (strcmp(call, "error_errno(") == 0) /* which says why behind it */
            format = arena_printf(seen_arena, "%s: %%s", format);
        size_t i = 0;
        while (i < seen.count && !matches(format, seen.items[i]))
            i++;
        if (i == seen.count) {
            print_error("%s: never provoked: \"%s\"\n", file, format);
            missing++;
        }
    }
    return missing;
}

/* How many of its texts never came up, after saying which; `found` counts all of them. */
static size_t check_source(const char *path, size_t *found)
{
    _cleanup_buffer_ struct buffer source = {0};
    assert_int_equal(buffer_read_file(&source, AT_FDCWD, path, 1 << 20, NULL), 0);
    return check_calls(path, source.bytes, "problem_add(", 3, found) +
           check_calls(path, source.bytes, "error_set(", 2, found) +
           check_calls(path, source.bytes, "error_errno(", 2, found);
}
