/* See recipe_lines.h. The order of things is that of the reference: directives, then line by line, comments before
 * continuations, here-documents after the line that names them. */
#include "specs/recipe_lines.h"

#include <ctype.h>
#include <string.h>

#include "specs/recipe_words.h"

#define BLANKS " \t\v\f\r"

static bool take_physical(struct recipe_scan *scan, const char **text, size_t *length);
static void take_continuations(struct recipe_scan *scan, struct recipe_line *line);
static bool ends_in_escape(const struct recipe_scan *scan, const char *text, size_t *length);
static void append(struct recipe_scan *scan, struct recipe_line *line, size_t skipped, const char *text,
                   size_t length);
static void take_documents(struct recipe_scan *scan, struct recipe_line *line);
static bool names_documents(const struct recipe_line *line);

static size_t characters(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* Of what stands `skipped` bytes from the begin of the physical line that was taken last. */
static struct recipe_segment segment_at(const struct recipe_scan *scan, size_t offset, const char *start,
                                        size_t skipped)
{
    const struct place place = scan->piece->place;
    if (scan->piece->fixed)
        return (struct recipe_segment){offset, place.line, place.column};
    return (struct recipe_segment){offset, place.line + scan->line - 1,
                                   place.column + (uint32_t)characters(start, skipped)};
}

static struct place place_here(const struct recipe_scan *scan)
{
    struct recipe_segment segment = segment_at(scan, 0, "", 0);
    return (struct place){scan->piece->place.file, segment.line, segment.column};
}

struct place recipe_line_place(const struct recipe_line *line, size_t offset)
{
    size_t i = line->segment_count - 1;
    while (i && line->segments[i].offset > offset)
        i--;
    const struct recipe_segment *segment = &line->segments[i];
    uint32_t column = segment->column;
    if (!line->piece->fixed)
        column += (uint32_t)characters(line->text + segment->offset, offset - segment->offset);
    return (struct place){line->piece->place.file, segment->line, column};
}

bool recipe_scan_next(struct recipe_scan *scan, struct recipe_line *line)
{
    const char *text;
    size_t length, skipped;
    do {
        if (!take_physical(scan, &text, &length))
            return false;
        skipped = strspn(text, BLANKS);
    } while (skipped >= length || text[skipped] == '#');
    *line = (struct recipe_line){.piece = scan->piece};
    size_t kept = length - skipped;
    const bool goes_on = ends_in_escape(scan, text + skipped, &kept);
    append(scan, line, skipped, text, kept);
    if (goes_on)
        take_continuations(scan, line);
    while (line->length && strchr(BLANKS, line->text[line->length - 1]))
        line->text[--line->length] = '\0';
    if (names_documents(line))
        take_documents(scan, line);
    return true;
}

/* Without its end; the text that is scanned ends with a NUL, so that strspn() stops. */
static bool take_physical(struct recipe_scan *scan, const char **text, size_t *length)
{
    const size_t size = scan->piece->length;
    if (scan->at >= size)
        return false;
    *text = scan->piece->text + scan->at;
    const char *end = memchr(*text, '\n', size - scan->at);
    *length = end ? (size_t)(end - *text) : size - scan->at;
    scan->at += *length + (end != NULL);
    scan->line++;
    while (*length && (*text)[*length - 1] == '\r')
        --*length;
    return true;
}

static void take_continuations(struct recipe_scan *scan, struct recipe_line *line)
{
    const char *text;
    size_t length;
    bool goes_on = true, told = false;
    while (goes_on && take_physical(scan, &text, &length)) {
        const size_t blank = strspn(text, BLANKS);
        if (blank < length && text[blank] == '#')
            continue;
        if (blank >= length) {
            if (!told)
                problem_add(scan->warnings, place_here(scan),
                            "remove the empty line, or the line's end above it",
                            "an empty line inside an instruction, which goes on below it");
            told = true;
            continue;
        }
        goes_on = ends_in_escape(scan, text, &length);
        append(scan, line, 0, text, length);
        if (line->length > RECIPE_LINE) {
            problem_add(scan->problems, recipe_line_place(line, 0), NULL,
                        "the instruction is longer than %zu KiB", RECIPE_LINE >> 10);
            scan->at = scan->piece->length;
        }
    }
}

/* An escape before the blanks that end the line, and no second one before it: cut off. */
static bool ends_in_escape(const struct recipe_scan *scan, const char *text, size_t *length)
{
    size_t end = *length;
    while (end && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    if (!end || text[end - 1] != scan->escape || (end > 1 && text[end - 2] == scan->escape))
        return false;
    *length = end - 1;
    return true;
}

/* Doubles its room, so that a long instruction costs what it is long. */
static void append(struct recipe_scan *scan, struct recipe_line *line, size_t skipped, const char *text,
                   size_t length)
{
    size_t room = 64, old = 64;
    while (old < line->length + 1)
        old *= 2;
    while (room < line->length + length + 1)
        room *= 2;
    if (!line->text || room > old) {
        char *grown = arena_alloc(scan->arena, room);
        if (line->length)
            memcpy(grown, line->text, line->length);
        line->text = grown;
    }
    *arena_append(scan->arena, line->segments, line->segment_count) =
        segment_at(scan, line->length, text, skipped);
    memcpy(line->text + line->length, text + skipped, length);
    line->length += length;
    line->text[line->length] = '\0';
}

/* ---- here-documents ---- */

static bool names_documents(const struct recipe_line *line)
{
    static const char *const keywords[] = {"ADD", "COPY", "RUN"};
    const size_t length = strcspn(line->text, BLANKS);
    if (!strstr(line->text, "<<"))
        return false;
    for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
        if (strlen(keywords[i]) == length && strncasecmp(line->text, keywords[i], length) == 0)
            return true;
    return false;
}

static bool take_document(struct recipe_scan *scan, struct recipe_document *document)
{
    _cleanup_buffer_ struct buffer content = {0};
    const char *text;
    size_t length;
    buffer_text(&content, "");
    for (size_t start = scan->at; take_physical(scan, &text, &length); start = scan->at) {
        const size_t tabs = document->strips ? strspn(text, "\t") : 0, whole = scan->at - start;
        if (length >= tabs && strlen(document->name) == length - tabs &&
            memcmp(text + tabs, document->name, length - tabs) == 0) {
            document->text = arena_strndup(scan->arena, content.bytes, content.length);
            return true;
        }
        buffer_add(&content, text + (tabs < whole ? tabs : whole), whole - (tabs < whole ? tabs : whole));
    }
    document->text = arena_strndup(scan->arena, content.bytes, content.length);
    return false;
}

static void take_documents(struct recipe_scan *scan, struct recipe_line *line)
{
    for (size_t at = 0, end; at < line->length; at = end) {
        at += strspn(line->text + at, BLANKS);
        /* The shell reads these words, whose escape is '\', whatever that of the recipe is. */
        end = recipe_word_end(line->text, at, '\\');
        struct recipe_marker marker;
        if (!recipe_marker(scan->arena, arena_strndup(scan->arena, line->text + at, end - at), &marker))
            continue;
        struct recipe_document *document = arena_append(scan->arena, line->documents, line->document_count);
        *document = (struct recipe_document){.name = marker.name,
                                             .expands = marker.expands,
                                             .strips = marker.strips,
                                             .place = recipe_line_place(line, at)};
        if (!take_document(scan, document)) {
            problem_add(scan->problems, document->place,
                        arena_printf(scan->arena, "end it by a line that is only: %s", marker.name),
                        "the here-document '%s' has no end", marker.name);
            return;
        }
    }
}

/* ---- directives ---- */

struct directive {
    char key[16];
    const char *value;
    size_t length;
    size_t column; /* bytes before the key */
};

/* "# key = value" */
static bool is_directive(const char *text, size_t length, struct directive *directive)
{
    const char *at = text + strspn(text, BLANKS), *end = text + length;
    if (at >= end || *at != '#')
        return false;
    at += 1 + strspn(at + 1, BLANKS);
    size_t size = 0;
    while (at + size < end && isalnum((unsigned char)at[size]))
        size++;
    if (!size || size >= sizeof(directive->key) || isdigit((unsigned char)*at))
        return false;
    for (size_t i = 0; i < size; i++)
        directive->key[i] = (char)tolower((unsigned char)at[i]);
    directive->key[size] = '\0';
    directive->column = (size_t)(at - text);
    at += size + strspn(at + size, BLANKS);
    if (at >= end || *at != '=')
        return false;
    at += 1 + strspn(at + 1, BLANKS);
    while (end > at && strchr(BLANKS, end[-1]))
        end--;
    directive->value = at;
    directive->length = end > at ? (size_t)(end - at) : 0;
    return directive->length > 0;
}

static void set_escape(struct recipe_scan *scan, const struct directive *directive, struct place place)
{
    if (directive->length == 1 && strchr("\\`", *directive->value))
        scan->escape = *directive->value;
    else
        problem_add(scan->problems, place, NULL, "escape: expected \\ or `, found '%.*s'",
                    (int)directive->length, directive->value);
}

/* Another language than this must not be read as if it were this one. */
static void check_syntax(struct recipe_scan *scan, const char *value, struct place place)
{
    static const char *const known[] = {"docker/dockerfile", "docker.io/docker/dockerfile",
                                        "docker/dockerfile-upstream", "docker.io/docker/dockerfile-upstream"};
    const size_t length = strcspn(value, ":@");
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strlen(known[i]) == length && strncmp(known[i], value, length) == 0)
            return;
    problem_add(scan->problems, place, "docker/dockerfile is what is read here",
                "syntax: the recipe asks to be read by '%s', which is a program for BuildKit", value);
}

void recipe_scan_directives(struct recipe_scan *scan, struct recipe *recipe)
{
    bool has_escape = false;
    for (;;) {
        const struct recipe_scan before = *scan;
        struct directive directive;
        const char *text;
        size_t length;
        const char **value = NULL;
        if (!take_physical(scan, &text, &length) || !is_directive(text, length, &directive)) {
            *scan = before;
            return;
        }
        const struct recipe_segment at = segment_at(scan, 0, text, directive.column);
        const struct place place = {scan->piece->place.file, at.line, at.column};
        const bool is_escape = strcmp(directive.key, "escape") == 0;
        if (!is_escape)
            value = strcmp(directive.key, "syntax") == 0  ? &recipe->syntax
                    : strcmp(directive.key, "check") == 0 ? &recipe->check
                                                          : NULL;
        if (!is_escape && !value) { /* a comment, and none but comments may follow */
            *scan = before;
            return;
        }
        if (is_escape ? has_escape : *value != NULL) {
            problem_add(scan->problems, place, "keep one of them", "%s: given twice", directive.key);
        } else if (is_escape) {
            set_escape(scan, &directive, place);
            has_escape = true;
        } else {
            *value = arena_strndup(scan->arena, directive.value, directive.length);
            if (value == &recipe->syntax)
                check_syntax(scan, *value, place);
        }
    }
}
