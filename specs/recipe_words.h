/* What stands in a logical line: its keyword, flags, and the rest in the shape that the keyword wants. */
#pragma once

#include "specs/recipe_lines.h"

/* False when the line is no instruction, which a problem tells: it is broken then, and has its words where it is nearly a
 * FROM. Fills all but what `health` says. */
bool recipe_split(const struct recipe_scan *scan, const struct recipe_line *line,
                  struct recipe_instruction *instruction);

/* "<<EOF", "3<<-'EOF'" as a word of a line; `name` is without quotes then. */
struct recipe_marker {
    const char *name;
    bool expands, strips;
};
bool recipe_marker(struct arena *arena, const char *word, struct recipe_marker *marker);
/* Where the word of a shell's line that begins at `at` ends: quotes, escapes and ${} are passed over. */
size_t recipe_word_end(const char *text, size_t at, char escape);
