#include "specs/alias.h"

#include <string.h>

#include "specs/forms.h"
#include "specs/ignore.h"

/* A tag or digest behind the last part of its path, as a port may stand before it. */
static bool has_tag(const char *reference)
{
    const char *slash = strrchr(reference, '/');
    return strpbrk(slash ? slash : reference, ":@") != NULL;
}

const struct pair *alias_find(const struct pairs *aliases, const char *reference, struct arena *arena)
{
    const char *tagged = has_tag(reference) ? reference : arena_printf(arena, "%s:latest", reference);
    const struct pair *best = NULL;
    for (size_t i = 0; i < aliases->count; i++) {
        const struct pair *alias = &aliases->items[i];
        const struct glob *glob = glob_read(arena, alias->key, true);
        if (!glob || (!glob_matches(glob, reference) && !glob_matches(glob, tagged)))
            continue;
        if (!glob_is_wild(alias->key))
            return alias;
        if (!best || strlen(alias->key) > strlen(best->key))
            best = alias;
    }
    return best;
}

void aliases_check(const struct pairs *aliases, struct arena *arena, struct problems *problems)
{
    const struct form_context context = {.arena = arena, .project = "default"};
    for (size_t i = 0; i < aliases->count; i++) {
        const struct pair *alias = &aliases->items[i];
        if (!*alias->key || !glob_read(arena, alias->key, true))
            problem_add(problems, alias->place, "write \"debian:*\"",
                        "alias: expected a pattern of names, found '%s'", alias->key);
        if (!form_canonical(&context, FORM_IMAGE_SOURCE, alias->value))
            problem_add(problems, alias->place, form_example(FORM_IMAGE_SOURCE),
                        "alias %s: expected %s, found '%s'", alias->key, form_expectation(FORM_IMAGE_SOURCE),
                        alias->value);
    }
}
