/* Variables of a recipe: $NAME, ${NAME} and the forms of the Dockerfile reference, with quotes and escapes as a shell has
 * them.
 *
 *   ${V:-word} ${V-word}  word where V is empty or not set (without ':' only where it is not set)
 *   ${V:+word} ${V+word}  word where it is
 *   ${V:?word} ${V?word}  an error that says word
 *   ${V#p} ${V##p}        without the shortest, the longest begin that matches p; ${V%p} ${V%%p} the same of the end
 *   ${V/p/word} ${V//p/word}  the first, every match replaced
 * Words are expanded themselves. In patterns '*' and '?' match anything; an escape takes that from them. */
#pragma once

#include "lib/fields.h"

#define RECIPE_EXPANDED ((size_t)256 << 10) /* bytes that become of one word */

struct recipe_expansion {
    char escape;
    bool keeps_quotes; /* of here-documents, whose quotes mean nothing; their escape is '\\' */
    const char *(*get)(void *context, const char *name); /* NULL: not set */
    void *context;
};

/* -EINVAL: what is wrong with it; -E2BIG: it becomes too long. */
int recipe_expand(const struct recipe_expansion *expansion, const char *text, struct arena *arena,
                  const char **result, struct error *error);
/* The same, split at blanks that stand in no quotes, those of variables' values included. */
int recipe_expand_words(const struct recipe_expansion *expansion, const char *text, struct arena *arena,
                        struct texts *words, struct error *error);
