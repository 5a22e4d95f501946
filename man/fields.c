/* Writes a manual page from its template and the rows of the tables, so that no field is described twice.
 *
 *   fields TEMPLATE >PAGE
 *
 * A template is mdoc with three directives, which mandoc would take for comments:
 *   .\" @fields TABLE      the table's help and a list of its fields, those of nested tables below them
 *   .\" @more TABLE.FIELD  what follows, up to @end, stands below that field's help
 *   .\" @end
 * A directive that names no table or field is an error, so that a template cannot speak of what is gone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/policy.h"

#define FIELDS     ".\\\" @fields "
#define MORE       ".\\\" @more "
#define END        ".\\\" @end"
#define WIDE       50                    /* characters of an example that has no space to break at */
#define PAGE_LIMIT ((size_t)1024 * 1024) /* bytes */

struct page {
    struct arena *arena;
    struct map more; /* "container.limits.memory" -> char *text; NULL once it is shown */
    bool classes;    /* a change of these fields has one */
    struct buffer out;
};

static int collect_more(struct page *page, char *text, struct error *error);
static int write_page(struct page *page, char *text, struct error *error);

int main(int argc, char **argv)
{
    struct error error = {0};
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_buffer_ struct buffer text = {0};
    struct page page = {.arena = arena};
    int result = argc == 2 ? buffer_read_file(&text, AT_FDCWD, argv[1], PAGE_LIMIT, &error)
                           : error_set(&error, -EINVAL, "usage: fields TEMPLATE");
    if (result >= 0)
        result = collect_more(&page, arena_strdup(arena, text.bytes), &error);
    if (result >= 0)
        result = write_page(&page, text.bytes, &error);
    if (result < 0)
        fprintf(stderr, "%s: %s\n", argv[argc - 1], error.text);
    else if (fwrite(page.out.bytes, 1, page.out.length, stdout) != page.out.length || fflush(stdout) != 0)
        result = -EIO;
    map_clear(&page.more);
    buffer_clear(&page.out);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const char *behind(const char *line, const char *directive)
{
    size_t length = strlen(directive);
    return strncmp(line, directive, length) == 0 ? line + length : NULL;
}

static int collect_more(struct page *page, char *text, struct error *error)
{
    _cleanup_buffer_ struct buffer more = {0};
    const char *field = NULL;
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
        if (field && strcmp(line, END) != 0) {
            buffer_printf(&more, "%s\n", line);
            continue;
        }
        if (field && !map_add(&page->more, field, arena_strdup(page->arena, more.bytes)))
            return error_set(error, -EINVAL, "%s has two texts", field);
        field = behind(line, MORE);
        buffer_clear(&more);
    }
    return field ? error_set(error, -EINVAL, "the text of %s does not end", field) : 0;
}

/* ---- fields ---- */

/* One argument of a macro, whatever it holds. */
static void print_quoted(const char *macro, const char *text, const char *behind, struct buffer *out)
{
    buffer_printf(out, "%s \"", macro);
    for (; *text; text++)
        if (*text == '\\' || *text == '"')
            buffer_text(out, *text == '"' ? "\\(dq" : "\\e");
        else
            buffer_add(out, text, 1);
    buffer_printf(out, "\"%s\n", behind);
}

/* Lines of text, a sentence each, as mdoc wants them; `code` is shown so. */
static void print_text(const char *text, struct buffer *out)
{
    bool open = false;
    for (const char *at = text; *at; at++) {
        bool ends = *at == ' ' && at > text && at[-1] == '.' && at[1] >= 'A' && at[1] <= 'Z';
        if (at == text && (*at == '.' || *at == '\''))
            buffer_text(out, "\\&");
        if (ends)
            buffer_text(out, "\n");
        else if (*at == '\\')
            buffer_text(out, "\\e");
        else if (*at == '`')
            buffer_text(out, (open = !open) ? "\\(oq" : "\\(cq");
        else
            buffer_add(out, at, 1);
    }
    buffer_text(out, "\n");
}

/* A digest or a key is wider than a page. */
static void print_example(const struct field *row, struct buffer *out)
{
    _cleanup_buffer_ struct buffer example = {0};
    const bool wide = strlen(row->example) > WIDE && !strchr(row->example, ' ');
    buffer_printf(&example, "%s: %.*s%s", row->key, wide ? WIDE / 2 : (int)strlen(row->example), row->example,
                  wide ? "..." : "");
    buffer_text(out, "For example\n");
    print_quoted(".Ql", example.bytes, " .", out);
}

static void print_words(const struct field *row, struct buffer *out)
{
    buffer_text(out, "One of\n");
    for (const char *const *word = row->words; *word; word++) {
        buffer_printf(out, ".Ql %s%s\n", *word, word[1] && word[2] ? " ," : word[1] ? "" : " .");
        buffer_text(out, word[1] && !word[2] ? "or\n" : "");
    }
}

static void print_class(const struct page *page, const struct field *row, struct buffer *out)
{
    _cleanup_buffer_ struct buffer note = {0};
    if (page->classes)
        buffer_printf(&note, ", %s", class_name(row->class));
    if (row->flags & FIELD_REQUIRED)
        buffer_text(&note, ", required");
    if (row->standard)
        buffer_printf(&note, ", default %s", row->standard);
    if (note.length)
        print_quoted(".Pq", note.bytes + strlen(", "), "", out);
}

static void print_list(struct page *page, const struct table *table);

static void print_field(struct page *page, const struct table *table, const struct field *row)
{
    struct buffer *out = &page->out;
    const char *name = arena_printf(page->arena, "%s.%s", table->name, row->key);
    buffer_printf(out, ".It Ic %s\n", row->key);
    print_class(page, row, out);
    print_text(row->help, out);
    for (size_t i = 0; i < page->more.count; i++)
        if (page->more.entries[i].value && strcmp(page->more.entries[i].key, name) == 0) {
            buffer_text(out, page->more.entries[i].value);
            page->more.entries[i].value = NULL;
        }
    if (row->words)
        print_words(row, out);
    else if (row->example && row->type != FIELD_BOOL)
        print_example(row, out);
    if (row->nested)
        print_list(page, row->nested);
}

static void print_list(struct page *page, const struct table *table)
{
    if (!table->count)
        return;
    buffer_text(&page->out, ".Bl -tag -width indent\n");
    for (size_t i = 0; i < table->count; i++)
        if (!(table->rows[i].flags & FIELD_DERIVED))
            print_field(page, table, &table->rows[i]);
    buffer_text(&page->out, ".El\n");
}

/* ---- the page ---- */

static const struct table *table_by_name(const char *name)
{
    enum kind kind;
    if (kind_parse(name, &kind) == 0)
        return kind_table(kind);
    return strcmp(name, policy_table.name) == 0 ? &policy_table : NULL;
}

static int print_table(struct page *page, const char *name, struct error *error)
{
    const struct table *table = table_by_name(name);
    if (!table)
        return error_set(error, -EINVAL, "there is no table %s", name);
    if (table->help)
        print_text(table->help, &page->out);
    page->classes = table != &policy_table;
    print_list(page, table);
    return 0;
}

static int write_page(struct page *page, char *text, struct error *error)
{
    bool copy = true;
    int result = 0;
    for (char *line = strsep(&text, "\n"); line && result >= 0; line = strsep(&text, "\n")) {
        const char *table = behind(line, FIELDS);
        copy = copy && !behind(line, MORE);
        if (table)
            result = print_table(page, table, error);
        else if (copy && (*line || text))
            buffer_printf(&page->out, "%s\n", line);
        copy = copy || strcmp(line, END) == 0;
    }
    for (size_t i = 0; i < page->more.count && result >= 0; i++)
        if (page->more.entries[i].value)
            result = error_set(error, -EINVAL, "there is no field %s", page->more.entries[i].key);
    return result;
}
