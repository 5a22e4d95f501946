/* See recipe_expand.h. One walk over the text; a variable's word is the same walk, up to its end, one level deeper. */
#include "specs/recipe_expand.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "specs/recipe_pattern.h"

#define DEPTH 32                /* variables in words of variables */
#define WORK  ((size_t)1 << 26) /* bytes compared for patterns of one word */

struct walk {
    const struct recipe_expansion *expansion;
    struct arena *arena;
    struct error *error;
    const char *at;
    size_t depth, made, work;
};

struct output {
    struct buffer text;
    struct buffer word; /* of `words`: what has begun */
    bool in_word;
    struct texts *words; /* NULL: not wanted */
};

static int walk_until(struct walk *walk, char stop, bool keeps_escapes, struct output *out);
static int take_dollar(struct walk *walk, const char **value);

static int expand(const struct recipe_expansion *expansion, const char *text, struct arena *arena,
                  struct output *out, struct error *error)
{
    struct walk walk = {.expansion = expansion, .arena = arena, .error = error, .at = text};
    buffer_text(&out->text, "");
    return walk_until(&walk, '\0', false, out);
}

int recipe_expand(const struct recipe_expansion *expansion, const char *text, struct arena *arena,
                  const char **result, struct error *error)
{
    struct output out = {0};
    int status = expand(expansion, text, arena, &out, error);
    if (status == 0)
        *result = arena_strdup(arena, out.text.bytes);
    buffer_clear(&out.text);
    return status;
}

static void end_word(struct walk *walk, struct output *out)
{
    if (out->words && out->word.length)
        *arena_append(walk->arena, out->words->items, out->words->count) =
            arena_strdup(walk->arena, out->word.bytes);
    buffer_clear(&out->word);
    out->in_word = false;
}

int recipe_expand_words(const struct recipe_expansion *expansion, const char *text, struct arena *arena,
                        struct texts *words, struct error *error)
{
    struct texts found = {0};
    struct output out = {.words = &found};
    struct walk walk = {.arena = arena};
    int status = expand(expansion, text, arena, &out, error);
    end_word(&walk, &out);
    buffer_clear(&out.text);
    if (status == 0)
        *words = found;
    return status;
}

static int fail(struct walk *walk, const char *what)
{
    return error_set(walk->error, -EINVAL, "%s", what);
}

/* `splits`: blanks in it end a word. */
static int add(struct walk *walk, struct output *out, const char *bytes, size_t length, bool splits)
{
    walk->made += length;
    if (walk->made > RECIPE_EXPANDED)
        return error_set(walk->error, -E2BIG, "variables make more than %zu KiB of it",
                         RECIPE_EXPANDED >> 10);
    buffer_add(&out->text, bytes, length);
    if (!out->words)
        return 0;
    if (!splits)
        buffer_add(&out->word, bytes, length);
    for (size_t i = 0; splits && i < length; i++)
        if (isspace((unsigned char)bytes[i]))
            end_word(walk, out);
        else
            buffer_add(&out->word, &bytes[i], 1);
    return 0;
}

static int add_single_quoted(struct walk *walk, struct output *out)
{
    const char *end = strchr(walk->at + 1, '\'');
    if (!end)
        return fail(walk, "a single quote has no second one");
    int result = add(walk, out, walk->at + 1, (size_t)(end - walk->at - 1), false);
    walk->at = end + 1;
    return result;
}

static int add_dollar(struct walk *walk, struct output *out, bool splits)
{
    const char *value;
    int result = take_dollar(walk, &value);
    return result < 0 ? result : add(walk, out, value, strlen(value), splits);
}

static int add_double_quoted(struct walk *walk, struct output *out, bool keeps_escapes)
{
    const char escape = walk->expansion->escape;
    int result = 0;
    for (walk->at++; result == 0 && *walk->at != '"';) {
        if (!*walk->at)
            return fail(walk, "a double quote has no second one");
        if (*walk->at == '$') {
            result = add_dollar(walk, out, false);
            continue;
        }
        if (*walk->at == escape) {
            const char next = walk->at[1];
            if (keeps_escapes || !next || (next != '"' && next != '$' && next != escape))
                result = next || keeps_escapes ? add(walk, out, walk->at, 1, false) : 0;
            walk->at++;
            if (!next || (next != '"' && next != '$' && next != escape))
                continue;
        }
        if (result == 0)
            result = add(walk, out, walk->at, 1, false);
        walk->at++;
    }
    walk->at += result == 0;
    return result;
}

static int add_escaped(struct walk *walk, struct output *out, bool keeps_escapes)
{
    int result = keeps_escapes ? add(walk, out, walk->at, 1, false) : 0;
    walk->at++;
    if (!*walk->at || result < 0)
        return result;
    return add(walk, out, walk->at++, 1, false);
}

/* Up to `stop`, which is passed; '\0': to the end. */
static int walk_until(struct walk *walk, char stop, bool keeps_escapes, struct output *out)
{
    int result = 0;
    const bool quotes = !walk->expansion->keeps_quotes;
    if (++walk->depth > DEPTH)
        return fail(walk, "variables are nested too deeply");
    while (result == 0 && *walk->at && (!stop || *walk->at != stop)) {
        if (*walk->at == '$')
            result = add_dollar(walk, out, true);
        else if (quotes && *walk->at == '\'')
            result = add_single_quoted(walk, out);
        else if (quotes && *walk->at == '"')
            result = add_double_quoted(walk, out, keeps_escapes);
        else if (*walk->at == walk->expansion->escape)
            result = add_escaped(walk, out, keeps_escapes);
        else
            result = add(walk, out, walk->at++, 1, true);
    }
    walk->depth--;
    if (result == 0 && stop && !*walk->at)
        return fail(walk, stop == '}' ? "a ${ has no }" : "a ${NAME/ has no second /");
    walk->at += result == 0 && stop;
    return result;
}

/* A word up to `stop`, as a text of the arena. */
static int take_word(struct walk *walk, char stop, bool keeps_escapes, const char **word)
{
    struct output out = {0};
    buffer_text(&out.text, "");
    int result = walk_until(walk, stop, keeps_escapes, &out);
    if (result == 0)
        *word = arena_strdup(walk->arena, out.text.bytes);
    buffer_clear(&out.text);
    return result;
}

static const char *take_name(struct walk *walk)
{
    const char *start = walk->at;
    size_t length = 0;
    if (isdigit((unsigned char)*start))
        length = strspn(start, "0123456789");
    else if (*start && strchr("@*#?-$!", *start))
        length = 1;
    else
        while (isalnum((unsigned char)start[length]) || start[length] == '_')
            length++;
    walk->at += length;
    return arena_strndup(walk->arena, start, length);
}

static int trim(struct walk *walk, char form, const char *word, const char *value, const char **result)
{
    struct recipe_pattern pattern;
    const bool longest = *word == form;
    const size_t length = strlen(value);
    int status =
        recipe_pattern_read(word + longest, walk->expansion->escape, walk->arena, &pattern, walk->error);
    if (status < 0)
        return status;
    const ptrdiff_t cut = form == '#' ? recipe_pattern_begin(&pattern, value, length, longest)
                                      : recipe_pattern_end(&pattern, value, length, longest);
    walk->work += pattern.work;
    if (walk->work > WORK)
        return error_set(walk->error, -E2BIG, "its patterns take too long");
    *result = cut <= 0      ? value
              : form == '#' ? value + cut
                            : arena_strndup(walk->arena, value, length - (size_t)cut);
    return 0;
}

/* An empty match beside the end of the last one is none. */
static int replace(struct walk *walk, bool all, const char *form, const char *word, const char *value,
                   const char **result)
{
    struct recipe_pattern pattern;
    const size_t length = strlen(value);
    size_t start, end, copied = 0, from = 0, last = 0;
    int status = recipe_pattern_read(form, walk->expansion->escape, walk->arena, &pattern, walk->error);
    if (status < 0)
        return status;
    _cleanup_buffer_ struct buffer out = {0};
    buffer_text(&out, "");
    while (from <= length && recipe_pattern_find(&pattern, value, length, from, &start, &end)) {
        if (end > last || start == 0) {
            buffer_add(&out, value + copied, start - copied);
            buffer_text(&out, word);
            copied = last = end;
        }
        from = end > from ? end : from + 1;
        if (!all)
            break;
        if (walk->work + pattern.work > WORK || out.length > RECIPE_EXPANDED)
            return error_set(walk->error, -E2BIG, "its patterns take too long");
    }
    buffer_text(&out, value + copied);
    walk->work += pattern.work;
    *result = arena_strdup(walk->arena, out.bytes);
    return 0;
}

static int take_replacement(struct walk *walk, const char *name, const char **value)
{
    const char *form, *word, *held = walk->expansion->get(walk->expansion->context, name);
    const bool all = *walk->at == '/';
    walk->at += all;
    int result = take_word(walk, '/', true, &form);
    if (result == 0)
        result = take_word(walk, '}', false, &word);
    return result < 0 ? result : replace(walk, all, form, word, held ? held : "", value);
}

static int refuse(struct walk *walk, const char *name, const char *word, bool is_set)
{
    return error_set(walk->error, -EINVAL, "%s: %s", name,
                     *word    ? word
                     : is_set ? "is not allowed to be empty"
                              : "is not allowed to be unset");
}

/* Behind the name of a ${NAME. */
static int take_form(struct walk *walk, const char *name, const char **value)
{
    const char *held = walk->expansion->get(walk->expansion->context, name), *word;
    const bool counts_empty = *walk->at == ':';
    walk->at += counts_empty;
    const char form = *walk->at;
    if (!form)
        return fail(walk, "a ${ has no }");
    if (!strchr(counts_empty ? "-+?" : "-+?#%", form))
        return error_set(walk->error, -EINVAL, "'%s%c' behind a variable's name is not understood",
                         counts_empty ? ":" : "", form);
    walk->at++;
    int result = take_word(walk, '}', form == '#' || form == '%', &word);
    if (result < 0)
        return result;
    const bool counts = held && !(counts_empty && !*held);
    if (form == '#' || form == '%')
        return trim(walk, form, word, held ? held : "", value);
    if (form == '?' && !counts)
        return refuse(walk, name, word, held != NULL);
    *value = form == '-' ? (counts ? held : word) : form == '+' ? (counts ? word : "") : held;
    return 0;
}

static int take_dollar(struct walk *walk, const char **value)
{
    const struct recipe_expansion *expansion = walk->expansion;
    walk->at++;
    const bool braces = *walk->at == '{';
    walk->at += braces;
    if (braces && *walk->at && strchr("{}:", *walk->at))
        return fail(walk, "a ${ without a name");
    const char *name = take_name(walk);
    if (!braces) {
        const char *held = *name ? expansion->get(expansion->context, name) : "$";
        *value = held ? held : "";
        return 0;
    }
    if (*walk->at == '}') {
        const char *held = expansion->get(expansion->context, name);
        walk->at++;
        *value = held ? held : "";
        return 0;
    }
    if (*walk->at != '/')
        return take_form(walk, name, value);
    walk->at++;
    return take_replacement(walk, name, value);
}
