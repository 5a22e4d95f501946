/* See ignore.h. A pattern is a row of tokens; all places in it that the path read so far may have led to are followed at
 * once, so that no pattern costs more than its length times that of the path. */
#include "specs/ignore.h"

#include <ctype.h>
#include <string.h>

#include "specs/forms.h"

enum token_kind {
    TOKEN_ONE,    /* this character */
    TOKEN_ANY,    /* any but '/' */
    TOKEN_CLASS,  /* one of these, none of them '/' */
    TOKEN_STAR,   /* any number of any but '/' */
    TOKEN_ALL,    /* any number of any */
    TOKEN_DEEP,   /* nothing, or what TOKEN_INSIDE behind it takes */
    TOKEN_INSIDE, /* any number of any, and a '/' */
};

struct range {
    uint32_t first, last;
};

struct token {
    enum token_kind kind;
    uint32_t character;
    bool negated;
    struct range *ranges;
    size_t count;
};

struct glob {
    const char *plain; /* without anything to match: this text; NULL */
    struct token *tokens;
    size_t count;
};

static bool read_tokens(struct arena *arena, struct glob *glob, const char *pattern, bool deep);

/* One character of UTF-8; a byte that is none counts as one. */
static uint32_t take(const char **at)
{
    const unsigned char *text = (const unsigned char *)*at;
    const unsigned more = text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    uint32_t character = more ? text[0] & (0x3fu >> more) : text[0];
    for (unsigned i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            *at += 1;
            return 0x110000u + text[0]; /* beside all characters */
        }
        character = character << 6 | (text[i] & 0x3fu);
    }
    *at += 1 + more;
    return character;
}

bool glob_is_wild(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") != NULL;
}

struct glob *glob_read(struct arena *arena, const char *pattern, bool deep)
{
    struct glob *glob = arena_new_of(arena, struct glob);
    if (strlen(pattern) > IGNORE_PATTERN)
        return NULL;
    if (!glob_is_wild(pattern)) {
        glob->plain = arena_strdup(arena, pattern);
        return glob;
    }
    return read_tokens(arena, glob, pattern, deep) ? glob : NULL;
}

static struct token *add(struct arena *arena, struct glob *glob, enum token_kind kind)
{
    struct token *token = arena_append(arena, glob->tokens, glob->count);
    token->kind = kind;
    return token;
}

static bool take_class_end(const char **at, uint32_t *character)
{
    if (**at == '\\')
        (*at)++;
    else if (**at == '-' || **at == ']')
        return false;
    if (!**at)
        return false;
    *character = take(at);
    return true;
}

/* Behind '['; at least one range, whose ends may be escaped. */
static bool read_class(struct arena *arena, struct token *token, const char **at)
{
    token->negated = **at == '^';
    *at += token->negated;
    while (**at != ']' || !token->count) {
        struct range range;
        if (!take_class_end(at, &range.first))
            return false;
        range.last = range.first;
        if (**at == '-') {
            (*at)++;
            if (!take_class_end(at, &range.last))
                return false;
        }
        *arena_append(arena, token->ranges, token->count) = range;
    }
    (*at)++;
    return true;
}

/* At a "**", which is passed. moby's matcher takes one at the begin, before a name without wildcards, as "ends with". */
static void read_deep(struct arena *arena, struct glob *glob, const char **at)
{
    const bool first = glob->count == 0;
    *at += 2;
    const bool slash = **at == '/';
    *at += slash;
    if (!**at || (first && !slash && !glob_is_wild(*at))) {
        add(arena, glob, TOKEN_ALL);
    } else {
        add(arena, glob, TOKEN_DEEP);
        add(arena, glob, TOKEN_INSIDE);
    }
}

static bool read_tokens(struct arena *arena, struct glob *glob, const char *pattern, bool deep)
{
    for (const char *at = pattern; *at;) {
        if (deep && at[0] == '*' && at[1] == '*') {
            read_deep(arena, glob, &at);
            continue;
        }
        const char special = *at;
        if (special && strchr("*?[\\", special))
            at++;
        if (special == '*')
            add(arena, glob, TOKEN_STAR);
        else if (special == '?')
            add(arena, glob, TOKEN_ANY);
        else if (special == '[' ? !read_class(arena, add(arena, glob, TOKEN_CLASS), &at)
                                : special == '\\' && !*at)
            return false;
        else if (special != '[')
            add(arena, glob, TOKEN_ONE)->character = take(&at);
    }
    return true;
}

/* ---- matching ---- */

/* The place, and those behind tokens that may take nothing. */
static void enter(const struct glob *glob, bool *places, size_t place)
{
    for (; !places[place]; place++) {
        places[place] = true;
        if (place == glob->count)
            return;
        const enum token_kind kind = glob->tokens[place].kind;
        if (kind == TOKEN_DEEP) {
            enter(glob, places, place + 2);
            places[place + 1] = true;
            return;
        }
        if (kind != TOKEN_STAR && kind != TOKEN_ALL)
            return;
    }
}

static bool in_class(const struct token *token, uint32_t character)
{
    bool found = false;
    for (size_t i = 0; i < token->count && !found; i++)
        found = token->ranges[i].first <= character && character <= token->ranges[i].last;
    return found != token->negated && character != '/';
}

static void step(const struct glob *glob, bool *next, size_t place, uint32_t character)
{
    const struct token *token = &glob->tokens[place];
    switch (token->kind) {
    case TOKEN_ONE:
        if (token->character == character)
            enter(glob, next, place + 1);
        break;
    case TOKEN_ANY:
        if (character != '/')
            enter(glob, next, place + 1);
        break;
    case TOKEN_CLASS:
        if (in_class(token, character))
            enter(glob, next, place + 1);
        break;
    case TOKEN_STAR:
        if (character != '/')
            enter(glob, next, place);
        break;
    case TOKEN_ALL:
        enter(glob, next, place);
        break;
    case TOKEN_DEEP:
        break;
    case TOKEN_INSIDE:
        next[place] = true;
        if (character == '/')
            enter(glob, next, place + 1);
        break;
    }
}

bool glob_matches(const struct glob *glob, const char *path)
{
    /* A token a byte of the pattern at most, and one more for each "**". */
    bool places[2][2 * IGNORE_PATTERN + 2], *now = places[0], *next = places[1];
    if (glob->plain)
        return strcmp(glob->plain, path) == 0;
    const size_t size = glob->count + 1;
    memset(now, 0, size);
    enter(glob, now, 0);
    while (*path) {
        const uint32_t character = take(&path);
        memset(next, 0, size);
        for (size_t i = 0; i < glob->count; i++)
            if (now[i])
                step(glob, next, i, character);
        bool *other = now;
        now = next;
        next = other;
    }
    return now[glob->count];
}

/* ---- files ---- */

bool ignore_add(struct ignore *ignore, const char *pattern, struct place place, struct arena *arena,
                struct problems *problems)
{
    struct ignore_rule rule = {.place = place, .text = arena_strdup(arena, pattern)};
    rule.takes_in = *pattern == '!';
    pattern += rule.takes_in;
    pattern += strspn(pattern, " \t");
    if (!*pattern) {
        problem_add(problems, place, NULL, "expected a pattern behind '!'");
        return false;
    }
    /* Clean, and from the context on: "/a/", "./a" and "a" are the same. */
    rule.glob = glob_read(arena, path_clean(arena, NULL, arena_join(arena, "", '/', pattern)) + 1, true);
    if (!rule.glob) {
        problem_add(problems, place, "put an escape, \\, before a '[' that is one",
                    "'%s' is no pattern, or longer than %d bytes", rule.text, IGNORE_PATTERN);
        return false;
    }
    if (ignore->count == IGNORE_PATTERNS) {
        problem_add(problems, place, NULL, "there are more than %d patterns", IGNORE_PATTERNS);
        return false;
    }
    *arena_append(arena, ignore->rules, ignore->count) = rule;
    ignore->takes_in |= rule.takes_in;
    return true;
}

bool ignore_read(struct ignore *ignore, const char *file, const char *text, size_t size, struct arena *arena,
                 struct problems *problems)
{
    const size_t before = problems->count;
    struct place place = {.file = arena_strdup(arena, file), .line = 0, .column = 1};
    if (size > IGNORE_SIZE || memchr(text, '\0', size)) {
        problem_add(problems, (struct place){.file = file}, NULL, "it is larger than %zu KiB, or no text",
                    IGNORE_SIZE >> 10);
        return false;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    for (const char *at = text, *end = text + size, *next; at < end; at = next) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        next = line_end ? line_end + 1 : end;
        const char *stop = line_end ? line_end : end;
        place.line++;
        if (*at == '#')
            continue;
        while (at < stop && isspace((unsigned char)*at))
            at++;
        while (stop > at && isspace((unsigned char)stop[-1]))
            stop--;
        if (stop > at &&
            !ignore_add(ignore, arena_strndup(arena, at, (size_t)(stop - at)), place, arena, problems) &&
            ignore->count == IGNORE_PATTERNS)
            break;
    }
    return problems->count == before;
}

/* A rule that can change nothing is not asked, but where a folder matched it, all in it does. */
const struct ignore_rule *ignore_find(const struct ignore *ignore, const char *path, const bool *above,
                                      bool *here)
{
    const struct ignore_rule *found = NULL;
    for (size_t i = 0; i < ignore->count; i++) {
        const struct ignore_rule *rule = &ignore->rules[i];
        here[i] = above[i] || (rule->takes_in == (found != NULL) && glob_matches(rule->glob, path));
        if (here[i])
            found = rule->takes_in ? NULL : rule;
    }
    return found;
}

/* Down to the path, a folder at a time. What is longer than a path may be is left out by nothing. */
static const struct ignore_rule *find_down(const struct ignore *ignore, const char *path, bool *above,
                                           bool *here)
{
    const struct ignore_rule *found = NULL;
    char part[4096];
    memset(here, 0, ignore->count);
    if (strlen(path) >= sizeof(part))
        return NULL;
    for (const char *end = path; *end;) {
        end += strcspn(end + 1, "/") + 1;
        memcpy(part, path, (size_t)(end - path));
        part[end - path] = '\0';
        memcpy(above, here, ignore->count);
        found = ignore_find(ignore, part, above, here);
    }
    return found;
}

const struct ignore_rule *ignore_find_alone(const struct ignore *ignore, const char *path)
{
    bool above[IGNORE_PATTERNS], here[IGNORE_PATTERNS];
    return find_down(ignore, path, above, here);
}

const struct ignore_rule *ignore_find_next(const struct ignore *ignore, struct ignore_memory *memory,
                                           const char *path)
{
    bool here[IGNORE_PATTERNS];
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof(memory->folder))
        return NULL;
    if (!memory->is_there || strncmp(memory->folder, path, length) != 0 || memory->folder[length]) {
        memcpy(memory->folder, path, length);
        memory->folder[length] = '\0';
        find_down(ignore, memory->folder, here, memory->above);
        memory->is_there = true;
    }
    return ignore_find(ignore, path, memory->above, here);
}
