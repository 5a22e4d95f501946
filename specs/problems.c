/* Problems: collected by every stage of the loader, sorted once, printed as text or JSON. */
#include "specs/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "specs/forms.h"

#define MESSAGE_SIZE 1024 /* bytes; a longer message is cut */

static const char *safe_copy(struct arena *arena, const char *text);
static int problem_compare(const void *left, const void *right);

void problem_print(const struct problem *problem, struct buffer *out)
{
    if (problem->place.file)
        buffer_text(out, problem->place.file);
    if (problem->place.line)
        buffer_printf(out, ":%u:%u", problem->place.line, problem->place.column);
    buffer_printf(out, "%s%s\n", problem->place.file ? ": " : "", problem->message);
    if (problem->hint)
        buffer_printf(out, "    hint: %s\n", problem->hint);
}

struct json *problems_to_json(const struct problems *problems)
{
    struct json *object = json_new_object();
    json_set(object, "schema", json_new_number(1));
    struct json *errors = json_set(object, "errors", json_new_array());
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        struct json *item = json_append(errors, json_new_object());
        json_set(item, "file", json_new_text(problem->place.file));
        json_set(item, "line", json_new_number(problem->place.line));
        json_set(item, "column", json_new_number(problem->place.column));
        json_set(item, "message", json_new_text(problem->message));
        json_set(item, "hint", json_new_text(problem->hint));
    }
    return object;
}

void problem_add(struct problems *problems, struct place place, const char *hint, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct problem *problem = arena_append(problems->arena, problems->items, problems->count);
    problem->place = place;
    problem->place.file = place.file ? safe_copy(problems->arena, place.file) : NULL;
    problem->message = safe_copy(problems->arena, text);
    problem->hint = hint ? safe_copy(problems->arena, hint) : NULL;
}

void problems_sort(struct problems *problems)
{
    if (problems->count < 2)
        return;
    qsort(problems->items, problems->count, sizeof(*problems->items), problem_compare);
    size_t kept = 1;
    for (size_t i = 1; i < problems->count; i++) {
        struct problem *last = &problems->items[kept - 1];
        if (problem_compare(last, &problems->items[i]) != 0)
            problems->items[kept++] = problems->items[i];
        else if (!last->hint)
            last->hint = problems->items[i].hint;
    }
    problems->count = kept;
}

/* What a user's file says is quoted on terminals and in logs: it must not carry escape sequences there. */
static const char *safe_copy(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *at = copy, *end = copy + strlen(copy); (at += text_printable(at, (size_t)(end - at))) < end;)
        *at = '?';
    return copy;
}

static int problem_compare(const void *left, const void *right)
{
    const struct problem *a = left, *b = right;
    int order = strcmp(a->place.file ? a->place.file : "", b->place.file ? b->place.file : "");
    if (!order)
        order = (a->place.line > b->place.line) - (a->place.line < b->place.line);
    if (!order)
        order = (a->place.column > b->place.column) - (a->place.column < b->place.column);
    return order ? order : strcmp(a->message, b->message);
}
