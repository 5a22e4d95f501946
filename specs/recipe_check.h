/* Whether the parts of an instruction are what its keyword takes. */
#pragma once

#include "specs/recipe.h"

struct recipe_checker {
    struct arena *arena;
    struct problems *problems, *warnings;
    char escape;
};

/* Flags, counts and shapes of whatever holds no variable. Fills `health`. */
void recipe_check(const struct recipe_checker *checker, struct recipe_instruction *instruction);

/* `[[address:]host:]container[/proto]`, expanded; a range may stand for a port. False: `expected` says what is wrong. */
bool recipe_port(const char *text, const char **expected);
/* "80", "8000-8010/udp" of EXPOSE, expanded, into "8000/udp" and so on. */
bool recipe_exposed(struct arena *arena, const char *text, struct texts *ports);
/* `path` or `name:path` of VOLUME, expanded, its path made clean. */
bool recipe_volume(struct arena *arena, const char *text, const char **name, const char **path);
/* Octal permissions of --chmod. */
bool recipe_mode(const char *text, int64_t *mode);
/* `user[:group]`, names or numbers, as USER and --chown have it. */
bool recipe_user(const char *text);
/* SIGTERM, TERM, 15, rtmin+3 of STOPSIGNAL as the kernel names it; NULL: none. */
const char *recipe_signal(struct arena *arena, const char *text);
/* Durations as Go writes them: "1m30s", "1.5h", "300ms". Milliseconds. */
bool recipe_duration(const char *text, int64_t *milliseconds);
bool recipe_has_variable(const char *text);
