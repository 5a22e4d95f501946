/* The canonical printer: a set as YAML, one document a project; loading it gives an equal set.
 *
 * What is implied is left out, references are bare where they can be, lists and mappings take a line an item. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "specs/ports.h"
#include "specs/replicas_print.h"

struct printer {
    const struct object_set *set;
    struct arena *arena;
    const char *project;
    struct buffer *out;
    bool hide; /* values that must not be shown stand as variables, to be given by whoever applies it */
};

static void print_project(const struct printer *printer);
static void print_object(const struct printer *printer, const struct object *object);
static void print_field(const struct printer *printer, const struct field *row, const void *body);
static void print_mapping(const struct printer *printer, const struct table *table, const void *item);
static bool says_more_than_its_key(const struct table *table, const void *item);
static bool is_implied(const struct printer *printer, const struct object *object, const struct field *row);

static void print_set(const struct object_set *set, bool hide, struct buffer *out);

void specs_print(const struct object_set *set, struct buffer *out)
{
    print_set(set, false, out);
}

void specs_export(const struct object_set *set, struct buffer *out)
{
    print_set(set, true, out);
}

static void print_set(const struct object_set *set, bool hide, struct buffer *out)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct texts projects = {0};
    for (size_t i = 0; i < set->count; i++) {
        const char *project = name_project(arena, set->items[i]->name);
        size_t at = 0;
        while (at < projects.count && strcmp(projects.items[at], project) != 0)
            at++;
        if (at == projects.count)
            *arena_append(arena, projects.items, projects.count) = project;
    }
    for (size_t i = 0; i < projects.count; i++) {
        const struct printer printer = {
            .set = set, .arena = arena, .project = projects.items[i], .out = out, .hide = hide};
        buffer_text(out, i ? "---\n" : "");
        print_project(&printer);
    }
}

static void print_project(const struct printer *printer)
{
    const size_t length = strlen(printer->project);
    buffer_printf(printer->out, "project: %s\n", printer->project);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        bool opened = false;
        for (size_t i = 0; i < printer->set->count; i++) {
            const struct object *object = printer->set->items[i];
            if (object->kind != kind || object->implicit || replicas_is_told(printer->set, object) ||
                strncmp(object->name, printer->project, length) != 0 || object->name[length] != '/')
                continue;
            if (!opened)
                buffer_printf(printer->out, "%s:\n", kind_plural(kind));
            opened = true;
            print_object(printer, object);
        }
    }
}

static bool shares_host_network(const struct object *object, const struct field *row)
{
    return object->kind == KIND_CONTAINER && row->nested == &attachment_table &&
           ((const struct container *)object->body)->host_network;
}

static void print_object(const struct printer *printer, const struct object *object)
{
    const struct table *table = kind_table(object->kind);
    const char *set = replicas_set(object), *name = name_bare(set ? set : object->name);
    size_t start = printer->out->length;
    buffer_printf(printer->out, "  %s:\n", name);
    size_t empty = printer->out->length;
    if (set)
        buffer_printf(printer->out, "    replicas: %" PRId64 "\n", replicas_highest(printer->set, set));
    if (set && printer->hide)
        buffer_text(printer->out, replicas_unlike(printer->set, set, printer->arena));
    for (size_t i = 0; i < table->count; i++)
        if (shares_host_network(object, &table->rows[i]))
            buffer_printf(printer->out, "    networks: %s\n", HOST_NETWORK);
        else if (field_is_said(table, object->body, &table->rows[i]) &&
                 !(table->rows[i].flags & FIELD_DERIVED) && !is_implied(printer, object, &table->rows[i]))
            print_field(printer, &table->rows[i], object->body);
    if (printer->out->length > empty)
        return;
    printer->out->length = start;
    buffer_printf(printer->out, "  %s: {}\n", name);
}

static bool is_implied(const struct printer *printer, const struct object *object, const struct field *row)
{
    if (object->kind != KIND_CONTAINER)
        return false;
    const struct container *container = object->body;
    if (row->offset == offsetof(struct container, layer)) {
        const struct object *layer = object_find(printer->set, KIND_LAYER, container->layer);
        return strcmp(container->layer, object->name) == 0 && (!layer || layer->implicit);
    }
    if (row->offset != offsetof(struct container, networks) || container->networks.count != 1)
        return false;
    const struct attachment *only = container->networks.items[0];
    size_t project = strlen(printer->project);
    return !says_more_than_its_key(&attachment_table, only) &&
           strncmp(only->network, printer->project, project) == 0 &&
           strcmp(only->network + project, "/default") == 0;
}

/* ---- values ---- */

/* `$` would be read as the start of an interpolation. */
static void print_text(const struct printer *printer, const char *text)
{
    _cleanup_buffer_ struct buffer escaped = {0};
    buffer_text(&escaped, "");
    for (; *text; text++) {
        buffer_add(&escaped, text, 1);
        if (*text == '$')
            buffer_text(&escaped, "$");
    }
    scalar_print(escaped.bytes, printer->out);
}

static const char *reference(const struct printer *printer, const char *full)
{
    size_t length = strlen(printer->project);
    return strncmp(full, printer->project, length) == 0 && full[length] == '/' ? full + length + 1 : full;
}

static void print_texts(const struct printer *printer, const struct texts *texts)
{
    buffer_text(printer->out, "[");
    for (size_t i = 0; i < texts->count; i++) {
        buffer_text(printer->out, i ? ", " : "");
        print_text(printer, texts->items[i]);
    }
    buffer_text(printer->out, "]");
}

static void print_pair(const struct printer *printer, const struct pair *pair)
{
    scalar_print(pair->key, printer->out);
    buffer_text(printer->out, ": ");
    if (printer->hide && variable_is_hidden(pair->key))
        buffer_printf(printer->out, "\"${%s:?its value is not exported}\"", pair->key);
    else
        print_text(printer, pair->value);
}

static void print_pairs(const struct printer *printer, const struct pairs *pairs)
{
    buffer_text(printer->out, pairs->count ? "\n" : " {}\n");
    for (size_t i = 0; i < pairs->count; i++) {
        buffer_text(printer->out, "      ");
        print_pair(printer, &pairs->items[i]);
        buffer_text(printer->out, "\n");
    }
}

static bool says_more_than_its_key(const struct table *table, const void *item)
{
    for (size_t i = 1; i < table->count; i++)
        if (field_is_said(table, item, &table->rows[i]))
            return true;
    return false;
}

/* In one line, as it stands inside brackets. */
static void print_value(const struct printer *printer, const struct field *row, const void *item)
{
    const void *at = field_at(item, row);
    const char *text = row->type == FIELD_TEXT ? *(const char *const *)at : NULL;
    const struct pairs *pairs = at;
    const struct list *list = at;
    if (row->flags & FIELD_SENSITIVE) {
        field_print(row, item, printer->out);
    } else if (text) {
        const bool refers = row->form == FORM_REFERENCE || row->form == FORM_GATEWAY ||
                            row->form == FORM_GATEWAY6 || row->form == FORM_BUILD_NETWORK;
        print_text(printer, refers ? reference(printer, text) : text);
    } else if (row->type == FIELD_TEXTS) {
        print_texts(printer, at);
    } else if (row->type == FIELD_PAIRS) {
        buffer_text(printer->out, "{");
        for (size_t i = 0; i < pairs->count; i++) {
            buffer_text(printer->out, i ? ", " : "");
            print_pair(printer, &pairs->items[i]);
        }
        buffer_text(printer->out, "}");
    } else if (row->type == FIELD_LIST) {
        buffer_text(printer->out, "[");
        for (size_t i = 0; i < list->count; i++) {
            buffer_text(printer->out, i ? ", " : "");
            print_mapping(printer, row->nested, list->items[i]);
        }
        buffer_text(printer->out, "]");
    } else if (row->type == FIELD_STRUCT) {
        print_mapping(printer, row->nested, *(void *const *)at);
    } else {
        field_print(row, item, printer->out);
    }
}

static void print_mapping(const struct printer *printer, const struct table *table, const void *item)
{
    const char *between = "";
    buffer_text(printer->out, "{");
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        if (!field_is_said(table, item, row) || (row->flags & FIELD_DERIVED))
            continue;
        buffer_printf(printer->out, "%s%s: ", between, row->key);
        print_value(printer, row, item);
        between = ", ";
    }
    buffer_text(printer->out, "}");
}

/* The name of a network alone, or a port in short, where there is nothing else to say. */
static void print_item(const struct printer *printer, const struct table *table, const void *item)
{
    if (table == &port_table && !((const struct port *)item)->take)
        buffer_printf(printer->out, "\"%s\"", port_short(printer->arena, item));
    else if (table == &attachment_table && !says_more_than_its_key(table, item))
        scalar_print(reference(printer, ((const struct attachment *)item)->network), printer->out);
    else
        print_mapping(printer, table, item);
}

static void print_list(const struct printer *printer, const struct field *row, const struct list *list)
{
    buffer_text(printer->out, list->count ? "\n" : " []\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct dependency *dependency = row->nested == &dependency_table ? list->items[i] : NULL;
        const char *set = dependency ? replicas_awaited(printer->set, list, dependency->container) : NULL;
        if (set && strcmp(dependency->container, replicas_first(printer->set, set)->name) != 0)
            continue; /* its first member stands for it */
        buffer_text(printer->out, "      - ");
        if (set) {
            struct dependency whole = *dependency;
            whole.container = set;
            print_item(printer, row->nested, &whole);
            buffer_text(printer->out, "\n");
            continue;
        }
        print_item(printer, row->nested, list->items[i]);
        buffer_text(printer->out, "\n");
    }
}

static void print_field(const struct printer *printer, const struct field *row, const void *body)
{
    const void *at = field_at(body, row);
    buffer_printf(printer->out, "    %s:", row->key);
    switch (row->type) {
    case FIELD_PAIRS:
        print_pairs(printer, at);
        break;
    case FIELD_LIST:
        print_list(printer, row, at);
        break;
    default:
        buffer_text(printer->out, " ");
        print_value(printer, row, body);
        buffer_text(printer->out, "\n");
    }
}
