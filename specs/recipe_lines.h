/* Lines of a recipe into logical ones: comments and empty lines dropped, continuation lines joined, here-documents taken
 * off; every byte of a logical line still knows where it stood. */
#pragma once

#include "specs/recipe.h"

struct recipe_segment { /* what follows `offset` of a logical line stands there, up to the next one */
    size_t offset;
    uint32_t line, column;
};

struct recipe_line {
    const struct recipe_piece *piece;
    char *text; /* begins with the keyword */
    size_t length;
    struct recipe_segment *segments;
    size_t segment_count;
    struct recipe_document *documents;
    size_t document_count;
};
struct place recipe_line_place(const struct recipe_line *line, size_t offset);

struct recipe_scan {
    struct arena *arena;
    struct problems *problems, *warnings;
    const struct recipe_piece *piece;
    size_t at;     /* of the piece's text: where the next physical line begins */
    uint32_t line; /* its number in the piece, from 0 */
    char escape;
};

/* The next logical line; false at the end of the piece. */
bool recipe_scan_next(struct recipe_scan *scan, struct recipe_line *line);

/* The parser directives at the top of a piece, which are gone from it then; sets scan->escape. */
void recipe_scan_directives(struct recipe_scan *scan, struct recipe *recipe);
