/* Patterns of ${V#p}, ${V%p} and ${V/p/word}: '*' and '?', cut at the stars into pieces that are looked for one after
 * another, so that no pattern costs more than its length times that of the text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/arena.h"

#define RECIPE_PATTERN 1024 /* bytes */

struct error;

struct recipe_piece_of_pattern {
    const char *text; /* characters; */
    const bool *any;  /* at the same bytes: '?' */
    size_t length;
};

struct recipe_pattern {
    struct recipe_piece_of_pattern
        *pieces; /* between stars, the outer ones empty where a star is first or last */
    size_t count;
    size_t work; /* bytes compared so far, for whoever has to bound it */
};

/* -EINVAL: an escape before what needs none, or too long. */
int recipe_pattern_read(const char *text, char escape, struct arena *arena, struct recipe_pattern *pattern,
                        struct error *error);
/* Bytes of the begin, or the end, that match; -1: none does. */
ptrdiff_t recipe_pattern_begin(struct recipe_pattern *pattern, const char *text, size_t length, bool longest);
ptrdiff_t recipe_pattern_end(struct recipe_pattern *pattern, const char *text, size_t length, bool longest);
/* The first and then longest match from `from` on: [*start, *end). */
bool recipe_pattern_find(struct recipe_pattern *pattern, const char *text, size_t length, size_t from,
                         size_t *start, size_t *end);
