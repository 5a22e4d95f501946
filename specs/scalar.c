/* Scalars by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/, 10.3.2). */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "specs/tree.h"

#define SHOWN 60 /* characters of a value that a message quotes */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_integer(const char *text)
{
    if (strncmp(text, "0o", 2) == 0)
        return text[2] && strspn(text + 2, "01234567") == strlen(text + 2);
    if (strncmp(text, "0x", 2) == 0)
        return text[2] && strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2);
    text += *text == '-' || *text == '+';
    return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_float(const char *text)
{
    static const char *const special[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(text, special))
        return true;
    text += *text == '-' || *text == '+';
    if (is_one_of(text, special))
        return strchr("iI", text[1]) != NULL;
    size_t whole = strspn(text, "0123456789");
    text += whole;
    size_t part = 0;
    if (*text == '.') {
        part = strspn(text + 1, "0123456789");
        text += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t digits = strspn(text, "0123456789");
        return digits && !text[digits];
    }
    return !*text;
}

enum scalar_kind scalar_kind(const struct node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (!node->plain)
        return SCALAR_TEXT;
    if (is_one_of(node->text, nulls))
        return node->was_interpolated ? SCALAR_TEXT : SCALAR_NULL;
    if (is_one_of(node->text, bools))
        return SCALAR_BOOL;
    if (is_integer(node->text))
        return SCALAR_INTEGER;
    return is_float(node->text) ? SCALAR_FLOAT : SCALAR_TEXT;
}

bool scalar_as_bool(const struct node *node)
{
    return *node->text == 't' || *node->text == 'T';
}

bool scalar_as_integer(const struct node *node, int64_t *value)
{
    const char *text = node->text;
    int base = strncmp(text, "0o", 2) == 0 ? 8 : strncmp(text, "0x", 2) == 0 ? 16 : 10;
    errno = 0;
    long long number = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (errno)
        return false;
    *value = number;
    return true;
}

const char *node_describe(struct arena *arena, const struct node *node)
{
    if (node->type == NODE_SEQUENCE)
        return "a list";
    if (node->type == NODE_MAPPING)
        return "a mapping";
    if (scalar_kind(node) == SCALAR_NULL)
        return "nothing";
    size_t length = strlen(node->text), shown = length;
    if (length > SHOWN) {
        shown = SHOWN;
        while (shown && ((unsigned char)node->text[shown] & 0xc0) == 0x80)
            shown--; /* never half a character */
    }
    return arena_printf(arena, "'%.*s%s'", (int)shown, node->text, shown < length ? "..." : "");
}
