/* Interpolation: `${V}`, `${V:-default}`, `${V:?message}`, `$$`; `$x` is literal. */
#include "specs/interpolate.h"

#include <stdlib.h>
#include <string.h>

#include "lib/asked.h"
#include "specs/forms.h"
#include "specs/specs.h"

#define PRODUCED_BOUND ((size_t)4 << 20) /* bytes one file may grow by */

static void interpolate_entry(struct variables *variables, struct entry *entry);
static void finish_scalar(struct variables *variables, struct node *node);
static void expand_scalar(struct variables *variables, struct node *node);
static void read_line(struct variables *variables, struct place place, char *line);

void variables_read(struct variables *variables, const char *file, const char *text, size_t size)
{
    struct place place = {.file = file, .column = 1};
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = stop ? (size_t)(stop - text) : (size_t)(end - text);
        place.line++;
        char *line = arena_strndup(variables->arena, text, length);
        if (strlen(line) < length)
            problem_add(variables->problems, place, NULL, "a NUL byte in the file");
        if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        read_line(variables, place, line);
        text += length + (stop != NULL);
    }
}

void variables_clear(struct variables *variables)
{
    map_clear(&variables->values);
}

void interpolate(struct variables *variables, struct node *node)
{
    if (node->finished)
        return;
    node->finished = true;
    if (node->type == NODE_SCALAR)
        finish_scalar(variables, node);
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == NODE_SEQUENCE) {
            interpolate(variables, node->items[i]);
            continue;
        }
        interpolate_entry(variables, &node->entries[i]);
    }
}

static bool takes_lines(const char *key)
{
    const struct field *row = field_by_key(&image_build_table, key);
    return row && row->flags & FIELD_LINES;
}

/* Copies, for what an alias names may also stand where no line breaks are read. */
static struct node *with_lines(struct variables *variables, const struct node *list)
{
    struct node *copy = arena_copy(variables->arena, list, sizeof(*list));
    copy->items = arena_array_of(variables->arena, struct node *, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        copy->items[i] = arena_copy(variables->arena, list->items[i], sizeof(*list));
        copy->items[i]->takes_lines = true;
    }
    return copy;
}

static void interpolate_entry(struct variables *variables, struct entry *entry)
{
    if (text_printable(entry->key->text, entry->key->length) < entry->key->length)
        problem_add(variables->problems, entry->key->place, NULL, "a key holds a control character");
    if (entry->value->type == NODE_SEQUENCE && !entry->value->finished && takes_lines(entry->key->text))
        entry->value = with_lines(variables, entry->value);
    interpolate(variables, entry->value);
}

static struct node *named_key(struct variables *variables, struct node *key)
{
    static const char word[] = "${INSTANCE}";
    _cleanup_buffer_ struct buffer text = {0};
    const char *rest = key->text;
    for (const char *at; (at = strstr(rest, word)); rest = at + strlen(word)) {
        buffer_add(&text, rest, (size_t)(at - rest));
        buffer_text(&text, variables->instance);
    }
    if (rest == key->text)
        return key;
    buffer_text(&text, rest);
    struct node *named = arena_copy(variables->arena, key, sizeof(*key)); /* aliases share keys */
    named->text = arena_strdup(variables->arena, text.bytes);
    named->length = text.length;
    return named;
}

void interpolate_keys(struct variables *variables, struct node *node)
{
    _cleanup_map_ struct map keys = {0};
    for (size_t i = 0; variables->instance && i < node->count; i++) {
        if (node->type == NODE_SEQUENCE) {
            interpolate_keys(variables, node->items[i]);
            continue;
        }
        struct node *key = node->entries[i].key = named_key(variables, node->entries[i].key);
        if (!map_add(&keys, key->text, key))
            problem_add(variables->problems, key->place, NULL, "the key '%s' is there twice", key->text);
        interpolate_keys(variables, node->entries[i].value);
    }
}

static void read_line(struct variables *variables, struct place place, char *line)
{
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return;
    char *equals = strchr(line, '=');
    if (equals)
        *equals = '\0';
    const struct form_context context = {.arena = variables->arena};
    if (!equals || !form_canonical(&context, FORM_VARIABLE, line)) {
        problem_add(variables->problems, place, "write NAME=VALUE, one a line", "expected NAME=VALUE");
        return;
    }
    char *value = equals + 1;
    size_t length = strlen(value);
    while (length && strchr(" \t", value[length - 1]))
        value[--length] = '\0';
    if (*value == '"' || *value == '\'') {
        if (length < 2 || value[length - 1] != *value) {
            problem_add(variables->problems, place, "nothing may follow the closing quote",
                        "the quote around the value of %s is not closed", line);
            return;
        }
        value[length - 1] = '\0';
        value++;
    }
    if (!map_add(&variables->values, line, value))
        problem_add(variables->problems, place, NULL, "the variable %s is there twice", line);
}

static const char *lookup(struct variables *variables, const char *name)
{
    if (variables->instance && strcmp(name, "INSTANCE") == 0)
        return variables->instance;
    const char *value = variables->use_environment ? ask_getenv(name) : NULL;
    if (!value)
        return map_get(&variables->values, name);
    digest_add(variables->digest, name, strlen(name) + 1);
    digest_add(variables->digest, value, strlen(value) + 1);
    return value;
}

/* The value of what stands between the braces, or NULL after a problem. */
static const char *expand(struct variables *variables, const struct node *node, char *inside)
{
    char *operator= strchr(inside, ':');
    char how = operator? operator[1] : '\0';
    if (operator)
        *operator= '\0';
    const struct form_context context = {.arena = variables->arena};
    if (!form_canonical(&context, FORM_VARIABLE, inside) || (operator&& how != '-' && how != '?') ||
        (operator&& strstr(operator+ 2, "${"))) {
        problem_add(variables->problems, node->place, "${NAME}, ${NAME:-default} or ${NAME:?message}; $$ for a '$'",
                    "not an interpolation: '${%s%s%s}'", inside, operator ? ":" : "", operator ? operator + 1 : "");
        return NULL;
    }
    const char *value = lookup(variables, inside);
    if (how == '-')
        return value && *value ? value : operator+ 2;
    if (how == '?' && (!value || !*value) && operator[2]) {
        problem_add(variables->problems, node->place, NULL, "variable %s: %s", inside, operator+ 2);
        return NULL;
    }
    if (!value || (how == '?' && !*value)) {
        problem_add(variables->problems, node->place,
                    variables->use_environment
                        ? "set it in .env beside the file or in the environment, or write ${NAME:-default}"
                        : "set it in .env beside the file, or write ${NAME:-default}",
                    "variable %s is not set", inside);
        return NULL;
    }
    return value;
}

/* True when the text could be expanded as a whole. */
static bool expand_text(struct variables *variables, const struct node *node, struct buffer *out)
{
    const char *at = node->text;
    while (*at) {
        size_t literal = strcspn(at, "$");
        buffer_add(out, at, literal);
        at += literal;
        if (at[0] == '$' && at[1] == '{') {
            const char *end = strchr(at, '}');
            if (!end) {
                problem_add(variables->problems, node->place, "$$ for a '$'", "'${' without '}'");
                return false;
            }
            const char *value =
                expand(variables, node, arena_strndup(variables->arena, at + 2, (size_t)(end - at - 2)));
            if (!value)
                return false;
            if (text_printable(value, strlen(value)) < strlen(value)) {
                problem_add(variables->problems, node->place, NULL,
                            "a variable puts a control character, or what is not UTF-8, into the text");
                return false;
            }
            buffer_text(out, value);
            at = end + 1;
        } else if (at[0] == '$') {
            buffer_text(out, "$");
            at += at[1] == '$' ? 2 : 1;
        }
    }
    return true;
}

static void finish_scalar(struct variables *variables, struct node *node)
{
    const size_t before = variables->problems->count;
    expand_scalar(variables, node);
    node->broken |= variables->problems->count > before;
}

/* Up to the first character that must not be there. */
static size_t fine_length(const struct node *node)
{
    size_t at = 0;
    while ((at += text_printable(node->text + at, node->length - at)) < node->length && node->takes_lines &&
           (node->text[at] == '\n' || node->text[at] == '\t'))
        at++;
    return at;
}

/* A block has one that means nothing. */
static void cut_line_ends(struct variables *variables, struct node *node)
{
    while (node->length && node->text[node->length - 1] == '\n')
        node->length--;
    node->text = arena_strndup(variables->arena, node->text, node->length);
}

static void expand_scalar(struct variables *variables, struct node *node)
{
    if (node->takes_lines)
        cut_line_ends(variables, node);
    if (fine_length(node) < node->length) {
        problem_add(variables->problems, node->place, "texts are one line; for a long one use >-",
                    "the text holds a control character or a line break");
        return;
    }
    if (!strchr(node->text, '$'))
        return;
    _cleanup_buffer_ struct buffer text = {0};
    buffer_text(&text, "");
    if (!expand_text(variables, node, &text))
        return;
    variables->produced += text.length;
    if (variables->produced > PRODUCED_BOUND) {
        problem_add(variables->problems, node->place, NULL, "variables make the file larger than %zu bytes",
                    PRODUCED_BOUND);
        return;
    }
    node->was_interpolated = true;
    node->length = text.length;
    node->text = arena_strndup(variables->arena, text.bytes, text.length);
}
