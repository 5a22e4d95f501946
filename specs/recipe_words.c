/* See recipe_words.h. Quotes stay where they are, save in flags: they go when variables are expanded. */
#include "specs/recipe_words.h"

#include <ctype.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "specs/read.h"

#define BLANKS " \t\v\f\r"

enum shape {
    SHAPE_TEXT,    /* all of it, as it is */
    SHAPE_COMMAND, /* a JSON array, or a line for the shell */
    SHAPE_WORDS,   /* between blanks */
    SHAPE_PATHS,   /* the same, or a JSON array */
    SHAPE_LIST,    /* a JSON array */
    SHAPE_PAIRS,   /* name=value ..., or one "name value" */
    SHAPE_NAMES,   /* name[=value] ... */
    SHAPE_HEALTH,  /* NONE, or CMD and a command */
};

static const struct {
    const char *name;
    enum shape shape;
} keywords[RECIPE_KEYWORDS] = {
    [RECIPE_ADD] = {"ADD", SHAPE_PATHS},
    [RECIPE_ARG] = {"ARG", SHAPE_NAMES},
    [RECIPE_CMD] = {"CMD", SHAPE_COMMAND},
    [RECIPE_COPY] = {"COPY", SHAPE_PATHS},
    [RECIPE_DBASE] = {"DBASE", SHAPE_WORDS},
    [RECIPE_ENTRYPOINT] = {"ENTRYPOINT", SHAPE_COMMAND},
    [RECIPE_ENV] = {"ENV", SHAPE_PAIRS},
    [RECIPE_EXPOSE] = {"EXPOSE", SHAPE_WORDS},
    [RECIPE_FROM] = {"FROM", SHAPE_WORDS},
    [RECIPE_HEALTHCHECK] = {"HEALTHCHECK", SHAPE_HEALTH},
    [RECIPE_LABEL] = {"LABEL", SHAPE_PAIRS},
    [RECIPE_MAINTAINER] = {"MAINTAINER", SHAPE_TEXT},
    [RECIPE_ONBUILD] = {"ONBUILD", SHAPE_TEXT},
    [RECIPE_PORT] = {"PORT", SHAPE_WORDS},
    [RECIPE_RUN] = {"RUN", SHAPE_COMMAND},
    [RECIPE_SHELL] = {"SHELL", SHAPE_LIST},
    [RECIPE_STOPSIGNAL] = {"STOPSIGNAL", SHAPE_TEXT},
    [RECIPE_USER] = {"USER", SHAPE_TEXT},
    [RECIPE_VOLUME] = {"VOLUME", SHAPE_PATHS},
    [RECIPE_WORKDIR] = {"WORKDIR", SHAPE_TEXT},
};

struct splitting {
    const struct recipe_scan *scan;
    const struct recipe_line *line;
    struct recipe_instruction *instruction;
    size_t at; /* of the line: what is not split yet */
};

static bool read_keyword(struct splitting *splitting);
static void refuse_keyword(struct splitting *splitting, size_t length);
static void read_flags(struct splitting *splitting);
static bool read_rest(struct splitting *splitting, enum shape shape);
static bool read_array(struct splitting *splitting, bool *broken);
static void read_words(struct splitting *splitting);
static bool read_pairs(struct splitting *splitting, bool names_alone);
static void find_documents(struct splitting *splitting);

const char *recipe_keyword_name(enum recipe_keyword keyword)
{
    return keywords[keyword].name;
}

const struct recipe_flag *recipe_flag(const struct recipe_instruction *instruction, const char *name)
{
    for (size_t i = 0; i < instruction->flag_count; i++)
        if (strcmp(instruction->flags[i].name, name) == 0)
            return &instruction->flags[i];
    return NULL;
}

bool recipe_split(const struct recipe_scan *scan, const struct recipe_line *line,
                  struct recipe_instruction *instruction)
{
    struct splitting splitting = {.scan = scan, .line = line, .instruction = instruction};
    *instruction = (struct recipe_instruction){.place = recipe_line_place(line, 0),
                                               .text = line->text,
                                               .documents = line->documents,
                                               .document_count = line->document_count};
    instruction->flaw = RECIPE_BROKEN;
    if (!read_keyword(&splitting))
        return false;
    read_flags(&splitting);
    if (!read_rest(&splitting, keywords[instruction->keyword].shape))
        return false;
    find_documents(&splitting);
    instruction->flaw = RECIPE_SOUND;
    return true;
}

static bool read_keyword(struct splitting *splitting)
{
    const char *text = splitting->line->text;
    const size_t length = strcspn(text, BLANKS);
    for (size_t i = 0; i < RECIPE_KEYWORDS; i++)
        if (strlen(keywords[i].name) == length && strncasecmp(keywords[i].name, text, length) == 0) {
            splitting->instruction->keyword = (enum recipe_keyword)i;
            splitting->at = length + strspn(text + length, BLANKS);
            return true;
        }
    refuse_keyword(splitting, length);
    return false;
}

/* A line that was meant as FROM begins a stage all the same. Others that may set a variable are taken for none: those are in
 * doubt then. */
static void refuse_keyword(struct splitting *splitting, size_t length)
{
    struct arena *arena = splitting->scan->arena;
    const char *text = splitting->line->text;
    char *word = arena_strndup(arena, text, length < 64 ? length : 64);
    const char *names[RECIPE_KEYWORDS + 1] = {NULL}, *nearest;
    for (size_t i = 0; i < RECIPE_KEYWORDS; i++)
        names[i] = keywords[i].name;
    char *upper = arena_strdup(arena, word);
    for (char *at = upper; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    problem_add(splitting->scan->problems, splitting->instruction->place, hint_nearest(arena, upper, names),
                "expected a keyword, found '%s'", word);
    nearest = text_nearest(upper, names);
    splitting->instruction->keyword = RECIPE_KEYWORDS;
    for (size_t i = 0; nearest && i < RECIPE_KEYWORDS; i++)
        if (keywords[i].name == nearest)
            splitting->instruction->keyword = (enum recipe_keyword)i;
    if (splitting->instruction->keyword != RECIPE_FROM) {
        if (strchr(text, '='))
            splitting->instruction->keyword = RECIPE_KEYWORDS;
        return;
    }
    splitting->at = length + strspn(text + length, BLANKS);
    read_flags(splitting);
    read_words(splitting);
}

/* ---- flags ---- */

/* One that begins at `at`; quotes and escapes of it go. Returns where it ends. */
static size_t read_flag(struct splitting *splitting)
{
    const char *text = splitting->line->text;
    size_t at = splitting->at;
    _cleanup_buffer_ struct buffer word = {0};
    buffer_text(&word, "");
    for (char quote = '\0'; text[at] && (quote || !strchr(BLANKS, text[at])); at++) {
        if (text[at] == '\\' && text[at + 1])
            buffer_add(&word, &text[++at], 1);
        else if (quote ? text[at] == quote : text[at] == '"' || text[at] == '\'')
            quote = quote ? '\0' : text[at];
        else
            buffer_add(&word, &text[at], 1);
    }
    struct recipe_instruction *instruction = splitting->instruction;
    struct recipe_flag *flag =
        arena_append(splitting->scan->arena, instruction->flags, instruction->flag_count);
    char *name = arena_strdup(splitting->scan->arena, word.bytes + 2);
    char *equals = strchr(name, '=');
    if (equals)
        *equals = '\0';
    *flag = (struct recipe_flag){.name = name,
                                 .value = equals ? equals + 1 : NULL,
                                 .place = recipe_line_place(splitting->line, splitting->at)};
    return at;
}

static void read_flags(struct splitting *splitting)
{
    const char *text = splitting->line->text;
    while (strncmp(text + splitting->at, "--", 2) == 0) {
        const bool is_end = text[splitting->at + 2] == '\0' || strchr(BLANKS, text[splitting->at + 2]);
        splitting->at = is_end ? splitting->at + 2 : read_flag(splitting);
        splitting->at += strspn(text + splitting->at, BLANKS);
        if (is_end)
            return;
    }
}

/* ---- the rest ---- */

static struct recipe_word *add_word(struct splitting *splitting, const char *text, size_t length, size_t at)
{
    struct recipe_instruction *instruction = splitting->instruction;
    struct recipe_word *word =
        arena_append(splitting->scan->arena, instruction->words, instruction->word_count);
    *word = (struct recipe_word){.text = arena_strndup(splitting->scan->arena, text, length),
                                 .place = recipe_line_place(splitting->line, at)};
    return word;
}

static void read_text(struct splitting *splitting)
{
    const char *text = splitting->line->text + splitting->at;
    if (*text)
        add_word(splitting, text, strlen(text), splitting->at);
}

static void read_command(struct splitting *splitting, bool *broken)
{
    if (read_array(splitting, broken))
        splitting->instruction->exec = true;
    else
        read_text(splitting);
}

/* The first word says of which kind it is; it becomes `none`, or is left out. */
static bool read_health(struct splitting *splitting)
{
    struct recipe_instruction *instruction = splitting->instruction;
    const char *text = splitting->line->text + splitting->at;
    const size_t length = strcspn(text, BLANKS);
    const bool none = length == 4 && strncasecmp(text, "NONE", 4) == 0;
    bool broken = false;
    instruction->health = arena_new_of(splitting->scan->arena, struct recipe_health);
    instruction->health->none = none;
    if (!none && !(length == 3 && strncasecmp(text, "CMD", 3) == 0)) {
        problem_add(splitting->scan->problems, recipe_line_place(splitting->line, splitting->at),
                    length ? arena_printf(splitting->scan->arena, "HEALTHCHECK CMD %.200s", text)
                           : "HEALTHCHECK CMD curl -f http://localhost/",
                    "HEALTHCHECK: expected CMD and a command, or NONE, found %s%.*s%s", length ? "'" : "",
                    length ? (int)length : 7, length ? text : "nothing", length ? "'" : "");
        return false;
    }
    splitting->at += length + strspn(text + length, BLANKS);
    read_command(splitting, &broken);
    return !broken;
}

static bool read_rest(struct splitting *splitting, enum shape shape)
{
    bool broken = false;
    switch (shape) {
    case SHAPE_TEXT:
        read_text(splitting);
        break;
    case SHAPE_COMMAND:
        read_command(splitting, &broken);
        break;
    case SHAPE_WORDS:
        read_words(splitting);
        break;
    case SHAPE_PATHS:
        if (!read_array(splitting, &broken) && !broken)
            read_words(splitting);
        break;
    case SHAPE_LIST:
        if (!read_array(splitting, &broken) && !broken) {
            problem_add(splitting->scan->problems, recipe_line_place(splitting->line, splitting->at),
                        "SHELL [\"/bin/bash\", \"-c\"]", "%s: expected a JSON array of texts",
                        recipe_keyword_name(splitting->instruction->keyword));
            return false;
        }
        break;
    case SHAPE_PAIRS:
    case SHAPE_NAMES:
        return read_pairs(splitting, shape == SHAPE_NAMES);
    case SHAPE_HEALTH:
        return read_health(splitting);
    }
    return !broken;
}

/* Where the text of item `number` of a JSON array begins, for its place. */
static size_t item_offset(const char *text, size_t number)
{
    for (size_t at = 0; text[at]; at++) {
        if (text[at] != '"')
            continue;
        if (number-- == 0)
            return at;
        for (at++; text[at] && text[at] != '"'; at++)
            at += text[at] == '\\' && text[at + 1];
        if (!text[at])
            break;
    }
    return 0;
}

/* `[ -f x ]` and `[ "$x" ]` are commands of the shell, and "[[" is one. */
static bool looks_like_array(const char *text)
{
    const char *at = text + 1 + strspn(text + 1, BLANKS);
    if (!*at)
        return false;
    if (at == text + 1)
        return *at != '[';
    const char quote = *at;
    if (quote != '"' && quote != '\'')
        return false;
    at++;
    while (*at && *at != quote)
        at++;
    at += *at != '\0';
    return at[strspn(at, BLANKS)] == ',';
}

/* What is no array after all, by a slip of the pen. */
static void warn_of_array(struct splitting *splitting, size_t offset, const char *why)
{
    const char *text = splitting->line->text + splitting->at;
    const enum shape shape = keywords[splitting->instruction->keyword].shape;
    const size_t length = strlen(text);
    if (!looks_like_array(text) || shape == SHAPE_LIST)
        return;
    problem_add(splitting->scan->warnings,
                recipe_line_place(splitting->line, splitting->at + (offset < length ? offset : length)),
                text[1 + strspn(text + 1, BLANKS)] == '"'
                    ? "a JSON array is [\"...\", \"...\"]"
                    : "a JSON array is [\"...\", \"...\"], with double quotes around each of its texts",
                "%s: taken as %s, as it is no JSON array: %s",
                recipe_keyword_name(splitting->instruction->keyword),
                shape == SHAPE_PATHS ? "words between blanks" : "a line for the shell", why);
}

/* False when it is none: what begins with '[' may be a command of the shell as well. */
static bool read_array(struct splitting *splitting, bool *broken)
{
    const char *text = splitting->line->text + splitting->at;
    _cleanup_json_ struct json *array = NULL;
    struct error error = {0};
    size_t offset = 0;
    if (*text != '[')
        return false;
    if (json_parse_at(text, strlen(text), &array, &offset, &error) < 0) {
        warn_of_array(splitting, offset, error.text);
        return false;
    }
    for (size_t i = 0; i < json_length(array); i++) {
        const char *item = json_as_text(json_at(array, i));
        if (!item) {
            problem_add(splitting->scan->problems, recipe_line_place(splitting->line, splitting->at),
                        "put quotation marks around each of them",
                        "%s: the items of a JSON array must be texts",
                        recipe_keyword_name(splitting->instruction->keyword));
            *broken = true;
            return false;
        }
        add_word(splitting, item, strlen(item), splitting->at + item_offset(text, i));
    }
    splitting->instruction->json = true;
    return true;
}

static void read_words(struct splitting *splitting)
{
    const char *text = splitting->line->text;
    for (size_t at = splitting->at, length; text[at]; at += length + strspn(text + at + length, BLANKS)) {
        length = strcspn(text + at, BLANKS);
        add_word(splitting, text + at, length, at);
    }
}

/* ---- pairs ---- */

/* Where the word that begins at `at` ends: blanks in quotes and behind an escape are of it. */
static size_t pair_end(const char *text, size_t at, char escape)
{
    for (char quote = '\0'; text[at] && (quote || !strchr(BLANKS, text[at])); at++) {
        if (text[at] == escape && quote != '\'') {
            at += text[at + 1] != '\0';
            continue;
        }
        if (quote ? text[at] == quote : text[at] == '"' || text[at] == '\'')
            quote = quote ? '\0' : text[at];
    }
    return at;
}

static void add_pair(struct splitting *splitting, const char *key, size_t key_length, const char *value,
                     size_t value_length)
{
    struct arena *arena = splitting->scan->arena;
    struct recipe_instruction *instruction = splitting->instruction;
    struct recipe_pair *pair = arena_append(arena, instruction->pairs, instruction->pair_count);
    *pair = (struct recipe_pair){
        .key = arena_strndup(arena, key, key_length),
        .value = value ? arena_strndup(arena, value, value_length) : NULL,
        .place = recipe_line_place(splitting->line, (size_t)(key - splitting->line->text))};
}

/* `ENV name the value`: of one variable, to the end of the line. */
static bool read_old_pair(struct splitting *splitting)
{
    const char *text = splitting->line->text + splitting->at;
    const size_t length = strcspn(text, BLANKS), value = length + strspn(text + length, BLANKS);
    const char *keyword = recipe_keyword_name(splitting->instruction->keyword);
    struct place place = recipe_line_place(splitting->line, splitting->at);
    if (!text[value]) {
        problem_add(splitting->scan->problems, place,
                    arena_printf(splitting->scan->arena, "%s %.64s=value", keyword, text),
                    "%s: expected name=value, found '%.*s'", keyword, (int)length, text);
        return false;
    }
    problem_add(
        splitting->scan->warnings, place,
        arena_printf(splitting->scan->arena, "%s %.*s=...", keyword, (int)(length < 64 ? length : 64), text),
        "%s: a name and a value without '=' between them is the old form", keyword);
    add_pair(splitting, text, length, text + value, strlen(text + value));
    return true;
}

static bool read_pairs(struct splitting *splitting, bool names_alone)
{
    const char *text = splitting->line->text;
    bool fine = true;
    for (size_t at = splitting->at, end; text[at]; at = end + strspn(text + end, BLANKS)) {
        end = pair_end(text, at, splitting->scan->escape);
        const char *equals = memchr(text + at, '=', end - at);
        if (!equals && !names_alone && at == splitting->at)
            return read_old_pair(splitting);
        if (!equals && !names_alone) {
            problem_add(splitting->scan->problems, recipe_line_place(splitting->line, at),
                        "put a value that holds blanks in quotes", "%s: expected name=value, found '%.*s'",
                        recipe_keyword_name(splitting->instruction->keyword), (int)(end - at), text + at);
            fine = false;
            continue;
        }
        const size_t key = equals ? (size_t)(equals - text) - at : end - at;
        add_pair(splitting, text + at, key, equals ? equals + 1 : NULL,
                 equals ? end - (size_t)(equals + 1 - text) : 0);
    }
    return fine;
}

/* ---- here-documents ---- */

size_t recipe_word_end(const char *text, size_t at, char escape)
{
    size_t braces = 0;
    for (char quote = '\0'; text[at] && (quote || braces || !strchr(BLANKS, text[at])); at++) {
        if (text[at] == escape && quote != '\'') {
            at += text[at + 1] != '\0';
            continue;
        }
        if (quote ? text[at] == quote : text[at] == '"' || text[at] == '\'')
            quote = quote ? '\0' : text[at];
        else if (!quote && text[at] == '$' && text[at + 1] == '{')
            braces++;
        else if (!quote && text[at] == '}' && braces)
            braces--;
    }
    return at;
}

bool recipe_marker(struct arena *arena, const char *word, struct recipe_marker *marker)
{
    word += strspn(word, "0123456789");
    if (strncmp(word, "<<", 2) != 0)
        return false;
    word += 2;
    const bool strips = *word == '-';
    word += strips;
    if (!*word || strchr(word, '<'))
        return false;
    char *name = arena_alloc(arena, strlen(word) + 1), *out = name;
    bool quoted = false;
    for (char quote = '\0'; *word; word++) {
        const bool is_quote = quote ? *word == quote : *word == '"' || *word == '\'';
        quoted |= is_quote || *word == '\\';
        if (is_quote)
            quote = quote ? '\0' : *word;
        else if (*word != '\\' || quote == '\'')
            *out++ = *word;
    }
    *marker = (struct recipe_marker){.name = name, .expands = !quoted, .strips = strips};
    return *name != '\0';
}

/* Words of COPY and ADD that are here-documents, in the order in which these stand. */
static void find_documents(struct splitting *splitting)
{
    struct recipe_instruction *instruction = splitting->instruction;
    if ((instruction->keyword != RECIPE_COPY && instruction->keyword != RECIPE_ADD) || instruction->json)
        return;
    size_t next = 0;
    for (size_t i = 0; i < instruction->word_count && next < instruction->document_count; i++) {
        struct recipe_marker marker;
        if (recipe_marker(splitting->scan->arena, instruction->words[i].text, &marker) &&
            strcmp(marker.name, instruction->documents[next].name) == 0)
            instruction->words[i].document = &instruction->documents[next++];
    }
}
