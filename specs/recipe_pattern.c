#include "specs/recipe_pattern.h"

#include <errno.h>
#include <string.h>

#include "lib/error.h"

int recipe_pattern_read(const char *text, char escape, struct arena *arena, struct recipe_pattern *pattern,
                        struct error *error)
{
    const size_t length = strlen(text);
    if (length > RECIPE_PATTERN)
        return error_set(error, -EINVAL, "a pattern is longer than %d bytes", RECIPE_PATTERN);
    char *out = arena_alloc(arena, length + 1);
    bool *any = arena_alloc(arena, length + 1);
    size_t used = 0, begin = 0;
    *pattern = (struct recipe_pattern){0};
    for (const char *at = text;; at++) {
        if (*at == '*' || !*at) {
            *arena_append(arena, pattern->pieces, pattern->count) = (struct recipe_piece_of_pattern){
                .text = out + begin, .any = any + begin, .length = used - begin};
            begin = used;
            if (!*at)
                return 0;
            continue;
        }
        if (*at == escape && at[1]) {
            if (!strchr("*?}/", at[1]) && at[1] != escape)
                return error_set(error, -EINVAL, "'%c%c' in a pattern: only *, ?, / and } can be escaped",
                                 escape, at[1]);
            at++;
        } else {
            any[used] = *at == '?';
        }
        out[used++] = *at;
    }
}

static size_t character_length(const char *text, const char *end)
{
    size_t length = 1;
    while (text + length < end && ((unsigned char)text[length] & 0xc0) == 0x80)
        length++;
    return length;
}

/* How many bytes of [text, end) the piece takes; -1: it does not match there. */
static ptrdiff_t piece_match(struct recipe_pattern *pattern, size_t number, const char *text, const char *end)
{
    const struct recipe_piece_of_pattern *piece = &pattern->pieces[number];
    const char *at = text;
    for (size_t i = 0; i < piece->length; i++) {
        pattern->work++;
        if (at == end || (!piece->any[i] && *at != piece->text[i]))
            return -1;
        at += piece->any[i] ? character_length(at, end) : 1;
    }
    pattern->work++;
    return at - text;
}

/* The first place from `from` on where the piece matches below `end`; NULL: none. */
static const char *piece_first(struct recipe_pattern *pattern, size_t number, const char *from,
                               const char *end, ptrdiff_t *length)
{
    for (; from <= end; from++)
        if ((*length = piece_match(pattern, number, from, end)) >= 0)
            return from;
    return NULL;
}

static const char *piece_last(struct recipe_pattern *pattern, size_t number, const char *from,
                              const char *end, ptrdiff_t *length)
{
    for (const char *at = end; at >= from; at--)
        if ((*length = piece_match(pattern, number, at, end)) >= 0)
            return at;
    return NULL;
}

/* Where the pieces after the first end, of which that ended at `at`; NULL: they are not there. */
static const char *match_rest(struct recipe_pattern *pattern, const char *at, const char *end, bool longest)
{
    ptrdiff_t length;
    for (size_t i = 1; i < pattern->count; i++) {
        const bool is_last = i + 1 == pattern->count;
        at = is_last && longest ? piece_last(pattern, i, at, end, &length)
                                : piece_first(pattern, i, at, end, &length);
        if (!at)
            return NULL;
        at += length;
    }
    return at;
}

ptrdiff_t recipe_pattern_begin(struct recipe_pattern *pattern, const char *text, size_t length, bool longest)
{
    const ptrdiff_t first = piece_match(pattern, 0, text, text + length);
    const char *at = first < 0 ? NULL : match_rest(pattern, text + first, text + length, longest);
    return at ? at - text : -1;
}

/* Where the last piece begins so that it ends with the text. */
static const char *match_tail(struct recipe_pattern *pattern, const char *text, const char *end)
{
    const size_t number = pattern->count - 1;
    const struct recipe_piece_of_pattern *piece = &pattern->pieces[number];
    for (const char *at = end - (piece->length < (size_t)(end - text) ? piece->length : (size_t)(end - text));
         at >= text && end - at <= (ptrdiff_t)piece->length * 4; at--)
        if (piece_match(pattern, number, at, end) == end - at)
            return at;
    return NULL;
}

ptrdiff_t recipe_pattern_end(struct recipe_pattern *pattern, const char *text, size_t length, bool longest)
{
    const char *end = text + length, *at = match_tail(pattern, text, end);
    ptrdiff_t size;
    for (size_t i = pattern->count - 1; at && i-- > 0;)
        at = i == 0 && longest ? piece_first(pattern, i, text, at, &size)
                               : piece_last(pattern, i, text, at, &size);
    return at ? end - at : -1;
}

bool recipe_pattern_find(struct recipe_pattern *pattern, const char *text, size_t length, size_t from,
                         size_t *start, size_t *end)
{
    ptrdiff_t first;
    const char *at = piece_first(pattern, 0, text + from, text + length, &first);
    const char *stop = at ? match_rest(pattern, at + first, text + length, true) : NULL;
    if (!stop)
        return false;
    *start = (size_t)(at - text);
    *end = (size_t)(stop - text);
    return true;
}
