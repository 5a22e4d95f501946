/* Data for programs: one tree, written as JSON or as YAML. */
#include <string.h>
#include <strings.h>

#include "lib/fields.h"
#include "lib/json.h"
#include "reconciler/cli/cli.h"

#define STEP 2 /* spaces a level */

/* `opened`: the first line has its indentation already. */
static void print_block(const struct json *value, int indent, bool opened, struct buffer *out);

void print_data(const struct options *options, struct json *value)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (strcmp(options->format, "yaml") == 0) {
        print_block(value, 0, false, &text);
    } else {
        json_print(value, true, &text);
        buffer_text(&text, "\n");
    }
    print_out(&text);
    json_free(value);
}

void print_list(const struct options *options, const char *key, struct json *list)
{
    struct json *object = json_new_object();
    json_set(object, "schema", json_new_number(1));
    json_set(object, key, list);
    print_data(options, object);
}

/* Words that readers of YAML 1.1, which most languages still have, take for a truth value. */
static bool is_truth(const char *text)
{
    static const char *const words[] = {"yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static void print_scalar(const struct json *value, struct buffer *out)
{
    const char *text = json_as_text(value);
    if (text && !is_truth(text))
        scalar_print(text, out);
    else
        json_print(value, false, out);
}

/* What follows "KEY:" or "-", up to the end of its lines. The first key of an object stands behind its dash. */
static void print_behind(const struct json *value, int indent, bool dash, struct buffer *out)
{
    bool block = json_length(value) > 0, same_line = !block || (dash && json_holds_object(value));
    buffer_text(out, same_line ? " " : "\n");
    if (block) {
        print_block(value, indent, same_line, out);
        return;
    }
    print_scalar(value, out);
    buffer_text(out, "\n");
}

static void print_block(const struct json *value, int indent, bool opened, struct buffer *out)
{
    for (void *at = json_holds_object(value) ? json_first(value) : NULL; at; at = json_next(value, at)) {
        buffer_printf(out, "%*s", opened ? 0 : indent, "");
        opened = false;
        scalar_print(json_key(at), out);
        buffer_text(out, ":");
        print_behind(json_value(at), indent + STEP, false, out);
    }
    for (size_t i = 0; json_holds_array(value) && i < json_length(value); i++) {
        buffer_printf(out, "%*s-", indent, "");
        print_behind(json_at(value, i), indent + STEP, true, out);
    }
}
