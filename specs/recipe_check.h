/* Whether the parts of an instruction are what its keyword takes. */
#pragma once

#include "specs/recipe.h"

struct recipe_checker {
    struct arena *arena;
    struct problems *problems, *warnings;
    char escape;
};

/* Flags, counts and shapes of whatever holds no variable. Fills `health`, and marks what it found flawed or broken. */
void recipe_check(const struct recipe_checker *checker, struct recipe_instruction *instruction);

/* What the word of PORT, EXPOSE, VOLUME, STOPSIGNAL or USER, expanded, should have been; NULL: it is that. */
const char *recipe_expected(struct arena *arena, enum recipe_keyword keyword, const char *text);
/* The same of USER and --chown. */
const char *recipe_user_expected(const char *text);
/* Octal permissions of --chmod. */
bool recipe_mode(const char *text, int64_t *mode);
/* "8000-8002/UDP" of EXPOSE into "8000/udp" and so on. */
bool recipe_exposed(struct arena *arena, const char *text, struct texts *ports);
/* SIGTERM, term, 15, rtmin+3 of STOPSIGNAL as the kernel names it; NULL: none. */
const char *recipe_signal(struct arena *arena, const char *text);
/* Durations as Go writes them: "1m30s", "1.5h", "300ms". Milliseconds. */
bool recipe_duration(const char *text, int64_t *milliseconds);
bool recipe_has_variable(const char *text);
/* An image, and AS and a name if wanted; of it nothing else is judged. */
bool recipe_from_is_whole(const struct recipe_instruction *from);
