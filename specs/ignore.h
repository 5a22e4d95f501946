/* What is left out of a build's context: the file .dockerignore (or .recipeignore), and --exclude of COPY and ADD; and the
 * globs of their sources.
 *
 * A pattern is one of Go's path.Match, by which '*' and '?' match no '/', with "**" for any number of folders; what it
 * matches is left out with all that is below it, and a later pattern behind '!' takes it in again. So the Dockerfile
 * reference, and where that is silent the matcher of moby (github.com/moby/patternmatcher). Paths are relative and clean. */
#pragma once

#include "specs/problems.h"

#define IGNORE_SIZE     ((size_t)1 << 20) /* bytes of a file */
#define IGNORE_PATTERNS 4096
#define IGNORE_PATTERN  1024 /* bytes of one */

struct glob;

/* NULL: it is no pattern (a '[' or an escape without end), or too long. With `deep`, "**" is any number of folders. */
struct glob *glob_read(struct arena *arena, const char *pattern, bool deep);
bool glob_matches(const struct glob *glob, const char *path);
/* Whether it has something else in it than itself to match. */
bool glob_is_wild(const char *pattern);

struct ignore_rule {
    const struct glob *glob;
    bool takes_in; /* behind '!' */
    struct place place;
    const char *text; /* as written */
};

struct ignore {
    struct ignore_rule *rules;
    size_t count;
    bool takes_in; /* a rule does */
};

/* Adds the rules of a file. False: problems say what of it is none. */
bool ignore_read(struct ignore *ignore, const char *file, const char *text, size_t size, struct arena *arena,
                 struct problems *problems);
/* Adds one, as --exclude has it. */
bool ignore_add(struct ignore *ignore, const char *pattern, struct place place, struct arena *arena,
                struct problems *problems);

/* The rule that leaves `path` out; NULL: none does. `above` says which rules matched the folder it is in, and `here` is set
 * to which match it: arrays of `count`, of all false at the top. */
const struct ignore_rule *ignore_find(const struct ignore *ignore, const char *path, const bool *above,
                                      bool *here);
/* The same by the path alone. */
const struct ignore_rule *ignore_find_alone(const struct ignore *ignore, const char *path);
/* The same for one path after another, of which most are in the same folder as the one before: which rules match that is
 * remembered. Zeroed at first, and for the paths of one `ignore` only. */
struct ignore_memory {
    bool is_there;
    char folder[4096];
    bool above[IGNORE_PATTERNS];
};
const struct ignore_rule *ignore_find_next(const struct ignore *ignore, struct ignore_memory *memory,
                                           const char *path);
