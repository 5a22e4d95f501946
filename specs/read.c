/* Reading by rows: every type of field once, every error with what was expected and what was found. */
#include "specs/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "lib/numbers.h"
#include "specs/shorthand.h"

#define TEXT_BOUND 65536 /* bytes of one text */

static void read_struct(const struct reader *reader, const struct field *row, const struct node *node,
                        void *object)
{
    struct described *head = object;
    if (!row->shorthand || node->type != NODE_SCALAR || scalar_kind(node) == SCALAR_NULL) {
        read_object(reader, row->nested, node, object);
        return;
    }
    head->place = node->place;
    head->places = arena_array_of(reader->arena, struct place, row->nested->count);
    read_shorthand(reader, row, node, object);
}

static void read_value(const struct reader *reader, const struct field *row, const struct node *node,
                       void *at);
static void read_list(const struct reader *reader, const struct field *row, const struct node *node,
                      struct list *list);
static void check_required(const struct reader *reader, const struct table *table, const struct node *node,
                           const void *object);
static void unknown_key(const struct reader *reader, const struct table *table, const struct node *key,
                        void *object);
static void expected(const struct reader *reader, const struct field *row, const struct node *node,
                     const char *what, const char *hint);

void read_object(const struct reader *reader, const struct table *table, const struct node *node,
                 void *object)
{
    struct described *head = object;
    head->places = arena_array_of(reader->arena, struct place, table->count + 1);
    if (!head->place.file)
        head->place = node->place;
    if (node->broken)
        head->present = UINT64_MAX; /* one problem is enough: nothing counts as missing */
    if (node->type == NODE_SCALAR && !node->broken && scalar_kind(node) == SCALAR_NULL) {
        check_required(reader, table, node, object);
        return;
    }
    if (node->type != NODE_MAPPING) {
        head->present = UINT64_MAX;
        if (node->broken)
            return;
        problem_add(reader->problems, node->place,
                    arena_printf(reader->arena, "fpsync explain %s", table->name),
                    "%s: expected a mapping, found %s", table->name, node_describe(reader->arena, node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct field *row = field_by_key(table, node->entries[i].key->text);
        if (!row || (row->flags & FIELD_DERIVED))
            unknown_key(reader, table, node->entries[i].key, object);
        else
            read_field(reader, table, row, node->entries[i].value, object);
    }
    check_required(reader, table, node, object);
}

const char *hint_nearest(struct arena *arena, const char *word, const char *const *known)
{
    if (strcmp(word, "placement") == 0 || strcmp(word, "cluster") == 0)
        return "the word is reserved for sets of several hosts, which this version does not know";
    const char *best = text_nearest(word, known);
    _cleanup_buffer_ struct buffer list = {0};
    for (; *known; known++)
        buffer_printf(&list, "%s%s", list.length ? ", " : "", *known);
    if (best)
        return arena_printf(arena, "did you mean '%s'?", best);
    return list.length ? arena_printf(arena, "known are: %s", list.bytes) : NULL;
}

const char *text_nearest(const char *word, const char *const *known)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (; *known; known++) {
        const size_t distance = text_distance(*known, word);
        if (distance < least && text_is_near(*known, word)) {
            least = distance;
            best = *known;
        }
    }
    return best;
}

static void unknown_key(const struct reader *reader, const struct table *table, const struct node *key,
                        void *object)
{
    const char **known = arena_array_of(reader->arena, const char *, table->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        if (!(table->rows[i].flags & FIELD_DERIVED)) {
            known[count++] = table->rows[i].key;
            if (text_is_near(table->rows[i].key, key->text))
                field_mark_present(table, object, &table->rows[i]); /* misspelt is not missing */
        }
    problem_add(reader->problems, key->place, hint_nearest(reader->arena, key->text, known),
                "unknown key '%s' in %s", key->text, table->name);
}

static void check_required(const struct reader *reader, const struct table *table, const struct node *node,
                           const void *object)
{
    for (const struct field *row = table->rows; !reader->partial && row < table->rows + table->count; row++)
        if ((row->flags & FIELD_REQUIRED) && !field_is_present(table, object, row))
            problem_add(reader->problems, node->place,
                        arena_printf(reader->arena, "add %s: %s", row->key, row->example), "%s needs '%s'",
                        table->name, row->key);
}

static void expected(const struct reader *reader, const struct field *row, const struct node *node,
                     const char *what, const char *hint)
{
    if (!node->broken)
        problem_add(reader->problems, node->place, hint, "'%s': expected %s, found %s", row->key, what,
                    node_describe(reader->arena, node));
}

static const char *written_as(const struct reader *reader, const struct field *row)
{
    return row->example ? arena_printf(reader->arena, "write %s: %s", row->key, row->example) : NULL;
}

/* Beside the list that says no network then. */
static void described_say_true(const struct table *table, void *object, const char *key)
{
    const struct field *row = field_by_key(table, key);
    *(bool *)field_at(object, row) = true;
    field_mark_present(table, object, row);
}

void read_field(const struct reader *reader, const struct table *table, const struct field *row,
                const struct node *node, void *object)
{
    struct described *head = object;
    field_mark_present(table, object, row);
    head->places[row - table->rows] = node->place;
    if (row->nested == &attachment_table && node->type == NODE_SCALAR &&
        strcmp(node->text, HOST_NETWORK) == 0)
        described_say_true(table, object, "host_network");
    else if (!node->broken)
        read_value(reader, row, node, field_at(object, row));
}

/* ---- scalars ---- */

static const char *with_example(const struct reader *reader, const struct field *row)
{
    const char *example = form_example(row->form);
    return example ? arena_printf(reader->arena, "%s, such as %s", form_expectation(row->form), example)
                   : form_expectation(row->form);
}

static const char *one_of(struct arena *arena, const char *const *words)
{
    _cleanup_buffer_ struct buffer list = {0};
    for (; *words; words++)
        buffer_printf(&list, "%s%s", !list.length ? "" : words[1] ? ", " : " or ", *words);
    return arena_strdup(arena, list.bytes);
}

static const char *word_hint(struct arena *arena, const char *word, const char *const *known)
{
    const char *hint = hint_nearest(arena, word, known);
    return hint && strncmp(hint, "did", 3) == 0 ? hint : NULL;
}

/* Where a volume is expected, as Compose has both in one list. */
static bool is_host_path(const struct field *row, const char *text)
{
    return row == field_by_key(&mount_table, "volume") && (*text == '/' || *text == '.');
}

/* The canonical text, or NULL after a problem. Numbers and booleans are taken as they are written. */
static const char *read_text(const struct reader *reader, const struct field *row, const struct node *node)
{
    if (node->broken)
        return NULL;
    if (node->type != NODE_SCALAR || scalar_kind(node) == SCALAR_NULL) {
        expected(reader, row, node,
                 row->words ? one_of(reader->arena, row->words) : with_example(reader, row),
                 node->type != NODE_SCALAR                ? NULL
                 : row->form == FORM_PLAIN && !row->words ? "write \"\" for an empty text, or remove the line"
                                                          : "give it a value, or remove the line");
        return NULL;
    }
    if (node->length > TEXT_BOUND) {
        problem_add(reader->problems, node->place, NULL, "'%s': longer than %d bytes", row->key, TEXT_BOUND);
        return NULL;
    }
    if (row->words) {
        for (const char *const *word = row->words; *word; word++)
            if (strcmp(*word, node->text) == 0)
                return *word;
        expected(reader, row, node, one_of(reader->arena, row->words),
                 word_hint(reader->arena, node->text, row->words));
        return NULL;
    }
    const char *canonical = form_canonical(&reader->context, row->form, node->text);
    if (!canonical)
        expected(reader, row, node, with_example(reader, row),
                 is_host_path(row, node->text)
                     ? arena_printf(reader->arena,
                                    "a folder of the host is no volume: write binds: [\"%s:/PATH\"]",
                                    node->text)
                     : form_hint(reader->arena, row->form, node->text));
    return canonical;
}

static void read_bool(const struct reader *reader, const struct field *row, const struct node *node, bool *at)
{
    if (node->type == NODE_SCALAR && scalar_kind(node) == SCALAR_BOOL)
        *at = scalar_as_bool(node);
    else
        expected(reader, row, node, "true or false",
                 node->type != NODE_SCALAR ? NULL
                 : node->plain             ? "yes, no, on and off are texts in YAML 1.2"
                                           : "without quotes");
}

static const char *number_text(const struct field *row, struct arena *arena, int64_t number)
{
    char text[UNITS_TEXT_SIZE];
    numbers_print(row->form, number, text);
    return arena_strdup(arena, text);
}

/* The largest that a field takes: one byte less than 2GiB is told so. */
static const char *maximum_text(const struct field *row, struct arena *arena, int64_t maximum)
{
    const bool just_below = row->form == FORM_SIZE && (maximum & 1023) == 1023;
    return just_below ? arena_printf(arena, "just below %s", number_text(row, arena, maximum + 1))
                      : number_text(row, arena, maximum);
}

/* A plain integer means what YAML says it means (010 is ten, 0x10 sixteen); all else is up to the form. */
static int parse_number(const struct reader *reader, const struct field *row, const struct node *node,
                        int64_t *number)
{
    if (scalar_kind(node) != SCALAR_INTEGER)
        return form_number(row->form, node->text, number);
    int64_t plain;
    if (!scalar_as_integer(node, &plain))
        return -ERANGE;
    return form_number(row->form, arena_printf(reader->arena, "%" PRId64, plain), number);
}

static void read_number(const struct reader *reader, const struct field *row, const struct node *node,
                        int64_t *at)
{
    const bool bare = row->form == FORM_PLAIN || row->form == FORM_PORT;
    int64_t number = 0;
    int result = node->type == NODE_SCALAR && scalar_kind(node) != SCALAR_NULL && (!bare || *node->text)
                     ? parse_number(reader, row, node, &number)
                     : -EINVAL;
    if (result == -EINVAL) {
        const char *hint =
            row->form == FORM_DURATION && node->type == NODE_SCALAR && scalar_kind(node) == SCALAR_INTEGER
                ? "a duration has a unit: ms, s, m, h or d"
            : node->type == NODE_SCALAR && scalar_kind(node) != SCALAR_NULL
                ? form_hint(reader->arena, row->form, node->text)
                : NULL;
        expected(reader, row, node, row->form == FORM_PLAIN ? "a whole number" : with_example(reader, row),
                 hint);
        return;
    }
    if (result == -ERANGE) {
        problem_add(reader->problems, node->place, NULL, "'%s': %s does not fit into 64 bits", row->key,
                    node_describe(reader->arena, node));
        return;
    }
    const bool bounded = row->minimum || row->maximum;
    int64_t minimum = bounded ? row->minimum : 0, maximum = bounded ? row->maximum : INT64_MAX;
    if (number < minimum || number > maximum) {
        problem_add(reader->problems, node->place, NULL, "'%s': must be %s %s%s%s, found %s", row->key,
                    maximum == INT64_MAX ? "at least" : "from", number_text(row, reader->arena, minimum),
                    maximum == INT64_MAX ? "" : " to ",
                    maximum == INT64_MAX ? "" : maximum_text(row, reader->arena, maximum),
                    node_describe(reader->arena, node));
        return;
    }
    *at = number;
}

/* ---- collections ---- */

/* One text, for a shell. */
static void read_shell(const struct reader *reader, const struct field *row, const struct node *node,
                       struct texts *texts)
{
    const char *const words[] = {"/bin/sh", "-c", read_text(reader, row, node)};
    for (size_t i = 0; words[2] && i < sizeof(words) / sizeof(*words); i++)
        *arena_append(reader->arena, texts->items, texts->count) = words[i];
}

static void read_texts(const struct reader *reader, const struct field *row, const struct node *node,
                       struct texts *texts)
{
    if (row->form == FORM_COMMAND && node->type == NODE_SCALAR && scalar_kind(node) != SCALAR_NULL) {
        read_shell(reader, row, node, texts);
        return;
    }
    if (node->type != NODE_SEQUENCE) {
        expected(reader, row, node,
                 row->form == FORM_COMMAND ? "a text or a list of texts" : "a list of texts",
                 written_as(reader, row));
        return;
    }
    struct text_place *places = arena_array_of(reader->arena, struct text_place, node->count + 1);
    if (row->item_places)
        *(struct text_place **)((char *)texts - row->offset + row->item_places) = places;
    for (size_t i = 0; i < node->count; i++) {
        const char *text = read_text(reader, row, node->items[i]);
        if (!text)
            continue;
        const struct node *item = node->items[i];
        places[texts->count] =
            (struct text_place){item->block.line ? item->block : item->place, item->block.line};
        *arena_append(reader->arena, texts->items, texts->count) = text;
    }
}

static int pair_compare(const void *left, const void *right)
{
    return strcmp(((const struct pair *)left)->key, ((const struct pair *)right)->key);
}

static void read_pairs(const struct reader *reader, const struct field *row, const struct node *node,
                       struct pairs *pairs)
{
    if (node->type != NODE_MAPPING) {
        expected(reader, row, node, "a mapping", written_as(reader, row));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct node *key = node->entries[i].key, *value = node->entries[i].value;
        if (!form_canonical(&reader->context, row->form, key->text)) {
            expected(reader, row, key, form_expectation(row->form), NULL);
            continue;
        }
        const struct field text_row = {.key = key->text, .form = FORM_PLAIN};
        const char *text = read_text(reader, &text_row, value);
        if (text)
            *arena_append(reader->arena, pairs->items, pairs->count) =
                (struct pair){.key = key->text, .value = text, .place = key->place};
    }
    if (pairs->count)
        qsort(pairs->items, pairs->count, sizeof(*pairs->items), pair_compare);
}

static void read_value(const struct reader *reader, const struct field *row, const struct node *node,
                       void *at)
{
    switch (row->type) {
    case FIELD_TEXT: {
        const char *text = read_text(reader, row, node);
        if (text)
            *(const char **)at = text;
        break;
    }
    case FIELD_BOOL:
        read_bool(reader, row, node, at);
        break;
    case FIELD_NUMBER:
        read_number(reader, row, node, at);
        break;
    case FIELD_TEXTS:
        read_texts(reader, row, node, at);
        break;
    case FIELD_PAIRS:
        read_pairs(reader, row, node, at);
        break;
    case FIELD_LIST:
        read_list(reader, row, node, at);
        break;
    case FIELD_STRUCT:
        read_struct(reader, row, node, *(void **)at);
        break;
    case FIELD_BYTES: /* in records only */
        break;
    }
}

/* ---- lists of nested objects ---- */

struct list_builder {
    const struct reader *reader;
    const struct field *row;
    struct list *list;
    struct map keys; /* of places */
};

/* A key as its writer would say it: references of the own project without it. */
static const char *name_of(const struct reader *reader, const struct table *nested, const char *key)
{
    size_t length = strlen(reader->context.project);
    const bool own =
        nested->rows[0].form == FORM_REFERENCE && strncmp(key, reader->context.project, length) == 0;
    return own && key[length] == '/' ? key + length + 1 : key;
}

/* `problems`: how many there were before the item. */
static void add_item(struct list_builder *builder, void *item, size_t problems)
{
    const struct table *nested = builder->row->nested;
    const struct reader *reader = builder->reader;
    if (reader->problems->count == problems)
        finish_item(reader, nested, item);
    const char *key = item_key(nested, item);
    if (!key)
        return; /* a problem says why */
    struct described *head = item;
    const struct place *before = map_get(&builder->keys, key);
    if (before) {
        problem_add(reader->problems, head->place,
                    arena_printf(reader->arena, "the first one is in line %u", before->line),
                    "'%s': %s is there twice", builder->row->key, name_of(reader, nested, key));
        return;
    }
    map_add(&builder->keys, key, &head->place);
    *arena_append(reader->arena, builder->list->items, builder->list->count) = item;
}

static void add_from_sequence(struct list_builder *builder, const struct node *node)
{
    void *item = described_new(builder->reader->arena, builder->row->nested);
    const size_t before = builder->reader->problems->count;
    struct described *head = item;
    head->place = node->place;
    if (node->broken)
        return;
    if (node->type == NODE_MAPPING) {
        read_object(builder->reader, builder->row->nested, node, item);
    } else if (node->type == NODE_SCALAR && builder->row->shorthand && scalar_kind(node) != SCALAR_NULL) {
        head->places = arena_array_of(builder->reader->arena, struct place, builder->row->nested->count);
        read_shorthand(builder->reader, builder->row, node, item);
    } else {
        expected(builder->reader, builder->row, node,
                 builder->row->shorthand
                     ? arena_printf(builder->reader->arena, "%s or a mapping", builder->row->shorthand)
                     : "a mapping",
                 NULL);
        return;
    }
    add_item(builder, item, before);
}

/* `name: {address: ...}`, or `name: started` where the table has one more field with words. */
static void add_from_mapping(struct list_builder *builder, const struct entry *entry)
{
    const struct table *nested = builder->row->nested;
    const struct reader *reader = builder->reader;
    const size_t before = reader->problems->count;
    void *item = described_new(reader->arena, nested);
    struct described *head = item;
    head->place = entry->key->place;
    head->places = arena_array_of(reader->arena, struct place, nested->count + 1);
    const struct field *second = nested->count > 1 ? &nested->rows[1] : NULL;
    const bool brief = entry->value->type == NODE_SCALAR && scalar_kind(entry->value) != SCALAR_NULL;
    set_part(reader, nested, item, nested->rows[0].key, entry->key->text, entry->key);
    const struct node *again =
        entry->value->type == NODE_MAPPING ? node_get(entry->value, nested->rows[0].key) : NULL;
    if (again)
        problem_add(reader->problems, again->place, "in a mapping the key says it; remove this one",
                    "'%s' is named twice", nested->rows[0].key);
    else if (!brief)
        read_object(reader, nested, entry->value, item);
    else if (second && second->words)
        read_field(reader, nested, second, entry->value, item);
    else
        expected(reader, builder->row, entry->value, "a mapping", written_as(reader, second));
    add_item(builder, item, before);
}

static int item_compare(const void *left, const void *right, void *table)
{
    return strcmp(item_key(table, *(void *const *)left), item_key(table, *(void *const *)right));
}

static void read_list(const struct reader *reader, const struct field *row, const struct node *node,
                      struct list *list)
{
    struct list_builder builder = {.reader = reader, .row = row, .list = list};
    const enum field_form key = row->nested->rows[0].form;
    const bool by_name = key == FORM_REFERENCE || key == FORM_NAME || row->nested == &build_secret_table;
    if (node->type == NODE_SEQUENCE)
        for (size_t i = 0; i < node->count; i++)
            add_from_sequence(&builder, node->items[i]);
    else if (node->type == NODE_MAPPING && by_name)
        for (size_t i = 0; i < node->count; i++)
            add_from_mapping(&builder, &node->entries[i]);
    else
        expected(reader, row, node, by_name ? "a list or a mapping" : "a list",
                 node->type == NODE_SCALAR && scalar_kind(node) == SCALAR_NULL
                     ? "write [] for none, or remove the line"
                     : written_as(reader, row));
    /* Only a written order can mean something (eth0, eth1, ...): elsewhere reordering changes nothing. */
    if (list->count && (!(row->flags & FIELD_ORDERED) || node->type == NODE_MAPPING))
        qsort_r(list->items, list->count, sizeof(*list->items), item_compare, (void *)row->nested);
    map_clear(&builder.keys);
}
