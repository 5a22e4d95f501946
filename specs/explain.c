/* Help from the rows: `fpsync explain container.limits.memory`. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "specs/forms.h"
#include "specs/specs.h"

#define WIDTH 78 /* characters of a line of help */

static void explain_kinds(struct buffer *out);
static void explain_table(const struct table *table, struct buffer *out);
static void explain_row(const struct table *table, const struct field *row, struct buffer *out);
static int find_kind(const char *word, enum kind *kind, struct error *error);
static int find_row(const struct table *table, const char *word, const struct field **row,
                    struct error *error);

int specs_explain(const char *path, struct buffer *out, struct error *error)
{
    if (!*path) {
        explain_kinds(out);
        return 0;
    }
    _cleanup_arena_ struct arena *arena = arena_new();
    char *rest = arena_strdup(arena, path), *word = strsep(&rest, ".");
    enum kind kind;
    int result = find_kind(word, &kind, error);
    if (result < 0)
        return result;
    const struct table *table = kind_table(kind), *above = NULL;
    const struct field *row = NULL;
    while ((word = strsep(&rest, "."))) {
        if (!table)
            return error_set(error, -ENOENT, "%s.%s has no fields", above->name, row->key);
        result = find_row(table, word, &row, error);
        if (result < 0)
            return result;
        above = table;
        table = row->nested;
    }
    if (row)
        explain_row(above, row, out);
    if (table)
        explain_table(table, out);
    return 0;
}

static int not_found(struct error *error, const char *word, const char *where, const char *near)
{
    return near ? error_set(error, -ENOENT, "there is no '%s' in %s; did you mean '%s'?", word, where, near)
                : error_set(error, -ENOENT, "there is no '%s' in %s", word, where);
}

static int find_kind(const char *word, enum kind *kind, struct error *error)
{
    if (kind_parse(word, kind) == 0)
        return 0;
    _cleanup_map_ struct map known = {0};
    for (enum kind i = 0; i < KIND_COUNT; i++) {
        map_add(&known, kind_name(i), NULL);
        map_add(&known, kind_plural(i), NULL);
    }
    return not_found(error, word, "a spec", map_nearest(&known, word));
}

static int find_row(const struct table *table, const char *word, const struct field **row,
                    struct error *error)
{
    *row = field_by_key(table, word);
    if (*row && !((*row)->flags & FIELD_DERIVED))
        return 0;
    _cleanup_map_ struct map known = {0};
    for (size_t i = 0; i < table->count; i++)
        if (!(table->rows[i].flags & FIELD_DERIVED))
            map_add(&known, table->rows[i].key, NULL);
    return not_found(error, word, table->name, map_nearest(&known, word));
}

/* ---- texts ---- */

/* Words of `text` in lines of WIDTH, each after `indent` blanks. */
static void wrap(struct buffer *out, const char *text, int indent)
{
    size_t column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column && column + 1 + length > WIDTH) {
            buffer_text(out, "\n");
            column = 0;
        }
        buffer_printf(out, "%*s%.*s", column ? 1 : indent, "", (int)length, text);
        column += (column ? 1 : (size_t)indent) + length;
        text += length;
        text += strspn(text, " ");
    }
    buffer_text(out, "\n");
}

static void explain_kinds(struct buffer *out)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        buffer_printf(out, "%s\n", kind_name(kind));
        wrap(out, kind_table(kind)->help, 4);
    }
}

static void type_text(const struct field *row, struct buffer *out)
{
    if (row->words) {
        for (const char *const *word = row->words; *word; word++)
            buffer_printf(out, "%s%s", word == row->words ? "" : " | ", *word);
        return;
    }
    switch (row->type) {
    case FIELD_BOOL:
        buffer_text(out, "true or false");
        break;
    case FIELD_NUMBER:
        buffer_text(out, row->form == FORM_PLAIN ? "a whole number" : form_expectation(row->form));
        break;
    case FIELD_TEXTS:
        buffer_text(out, "a list of texts");
        break;
    case FIELD_PAIRS:
        buffer_text(out, "a mapping of texts");
        break;
    case FIELD_LIST:
        buffer_printf(out, "a list of %s%smappings%s", row->shorthand ? row->shorthand : "",
                      row->shorthand ? " or " : "",
                      row->nested->rows[0].form == FORM_REFERENCE || row->nested == &build_secret_table
                          ? ", or a mapping of names"
                          : "");
        break;
    case FIELD_STRUCT:
        buffer_printf(out, "%s%sa mapping", row->shorthand ? row->shorthand : "",
                      row->shorthand ? " or " : "");
        break;
    default:
        buffer_text(out, form_expectation(row->form));
    }
}

static const char *class_text(enum field_class class)
{
    static const char *const texts[] = {
        [CLASS_RECORD] = "a change is noted and moves nothing",
        [CLASS_LIVE] = "a change is applied while it runs",
        [CLASS_RESTART] = "a change restarts the container",
        [CLASS_RECREATE] = "a change makes the object anew; names, addresses and data are kept",
        [CLASS_FIXED] = "a change is refused: it would lose data",
    };
    return texts[class];
}

static void explain_row(const struct table *table, const struct field *row, struct buffer *out)
{
    buffer_printf(out, "%s.%s: ", table->name, row->key);
    type_text(row, out);
    buffer_text(out, row->flags & FIELD_REQUIRED ? " (required)\n" : "\n");
    wrap(out, row->help, 4);
    buffer_printf(out, "    class %s: %s\n", class_name(row->class), class_text(row->class));
    if (row->standard)
        buffer_printf(out, "    default: %s\n", row->standard);
    if (row->example)
        buffer_printf(out, "    example: %s: %s\n", row->key, row->example);
}

static void explain_table(const struct table *table, struct buffer *out)
{
    buffer_printf(out, "%s\n", table->name);
    wrap(out, table->help, 4);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *row = &table->rows[i];
        if (row->flags & FIELD_DERIVED)
            continue;
        buffer_printf(out, "\n  %s: ", row->key);
        type_text(row, out);
        buffer_printf(out, "  [%s%s%s%s]\n", class_name(row->class),
                      row->flags & FIELD_REQUIRED ? ", required" : "", row->standard ? ", default " : "",
                      row->standard ? row->standard : "");
        wrap(out, row->help, 6);
    }
}
