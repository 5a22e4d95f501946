/* libyaml's events become a tree of nodes; the only file that includes yaml.h. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/map.h"
#include "specs/tree.h"

struct anchor {
    struct node *node; /* NULL while the node is still being read: an alias to it would be a cycle */
};

struct builder {
    yaml_parser_t parser;
    const char *file, *text;
    size_t size;
    struct arena *arena;
    struct problems *problems;
    struct map anchors; /* of struct anchor, one document */
    size_t nodes;       /* so far, aliases expanded */
    bool wrong;         /* a problem was told after which the rest can still be read */
    size_t line, start; /* from 0: a line that was looked at, and the byte of `text` that it begins at */
};

static bool read_documents(struct builder *builder, struct documents *documents);
static bool next_event(struct builder *builder, yaml_event_t *event);
static struct node *build(struct builder *builder, yaml_event_t *event, size_t depth);
static struct place place_of(const struct builder *builder, yaml_mark_t mark);

bool yaml_read(const char *file, const char *text, size_t size, struct arena *arena,
               struct problems *problems, struct documents *documents)
{
    struct builder builder = {.file = file, .text = text, .size = size, .arena = arena, .problems = problems};
    struct place place = {.file = file};
    if (size > YAML_SIZE) {
        problem_add(problems, place, "split it into several files", "the file is larger than 1 MiB");
        return false;
    }
    if (!yaml_parser_initialize(&builder.parser))
        abort(); /* out of memory, as in lib/arena.h */
    /* With its encoding set libyaml takes a byte order mark for a character of the first line. */
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        builder.text += 3;
        builder.size -= 3;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)(text ? builder.text : ""),
                                 builder.size);
    bool fine = read_documents(&builder, documents) && !builder.wrong;
    map_clear(&builder.anchors);
    yaml_parser_delete(&builder.parser);
    return fine;
}

struct node *node_get(const struct node *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->entries[i].key->text, key) == 0)
            return mapping->entries[i].value;
    return NULL;
}

static bool read_documents(struct builder *builder, struct documents *documents)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (type == YAML_DOCUMENT_START_EVENT)
            map_clear(&builder->anchors);
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        struct node *root = build(builder, &event, 1);
        yaml_event_delete(&event);
        if (!root)
            return false;
        *arena_append(builder->arena, documents->roots, documents->count) = root;
    }
}

/* ---- events ---- */

static struct place place_of(const struct builder *builder, yaml_mark_t mark)
{
    return (struct place){
        .file = builder->file, .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

/* The reader knows only the offset of a bad byte. */
static struct place place_of_offset(const struct builder *builder, size_t offset)
{
    struct place place = {.file = builder->file, .line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < builder->size; i++) {
        place.column++;
        if (builder->text[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

static const char *syntax_hint(const char *problem)
{
    static const struct {
        const char *part, *hint;
    } hints[] = {
        {"cannot start any token", "indent with spaces, not tabs; quote values that start with %, @ or `"},
        {"mapping values are not allowed",
         "quote a value that holds \": \"; keys of one mapping start in one column"},
        {"did not find expected key",
         "keys of one mapping start in one column; quote values that hold special characters"},
        {"could not find expected ':'", "every line of a mapping reads \"key: value\""},
        {"undefined alias", "an anchor (&name) stands before its aliases (*name), in the same document"},
        {"unexpected end of stream", "a quote is opened and never closed"},
        {"expected ',' or",
         "a bracket is opened and never closed, a comma is missing, or a value with ${...} needs quotes"},
        {"UTF-8", "save the file as UTF-8"},
        {"control characters are not allowed", "save the file as UTF-8 without control characters"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
        if (strstr(problem, hints[i].part))
            return hints[i].hint;
    return NULL;
}

static bool next_event(struct builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return true;
    const yaml_parser_t *parser = &builder->parser;
    const char *text = parser->problem ? parser->problem : "out of memory";
    struct place place = parser->error == YAML_READER_ERROR ? place_of_offset(builder, parser->problem_offset)
                                                            : place_of(builder, parser->problem_mark);
    problem_add(builder->problems, place, syntax_hint(text), "not YAML: %s%s%s",
                parser->context ? parser->context : "", parser->context ? ": " : "", text);
    return false;
}

/* ---- nodes ---- */

static bool weigh(struct builder *builder, struct place place, size_t nodes, size_t depth)
{
    builder->nodes += nodes;
    if (builder->nodes > YAML_NODES) {
        problem_add(builder->problems, place, "aliases count as often as they are used",
                    "more than %d values in one file", YAML_NODES);
        return false;
    }
    if (depth > YAML_DEPTH) {
        problem_add(builder->problems, place, NULL, "nested deeper than %d levels", YAML_DEPTH);
        return false;
    }
    return true;
}

/* Stands for a value that a problem was told about. */
static struct node *broken_node(struct builder *builder, struct place place)
{
    struct node *node = arena_new_of(builder->arena, struct node);
    *node = (struct node){
        .type = NODE_SCALAR, .place = place, .text = "", .broken = true, .weight = 1, .height = 1};
    builder->wrong = true;
    return node;
}

static struct node *build_alias(struct builder *builder, const yaml_event_t *event, size_t depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct place place = place_of(builder, event->start_mark);
    const struct anchor *anchor = map_get(&builder->anchors, name);
    if (!weigh(builder, place, anchor && anchor->node ? anchor->node->weight : 1,
               anchor && anchor->node ? depth + anchor->node->height - 1 : depth))
        return NULL;
    if (!anchor) {
        problem_add(builder->problems, place,
                    "an anchor (&name) stands before its aliases, in the same document",
                    "no anchor '&%s' before this alias", name);
        return broken_node(builder, place);
    }
    if (!anchor->node) {
        problem_add(builder->problems, place, NULL, "alias '*%s' stands inside the value it names", name);
        return broken_node(builder, place);
    }
    return anchor->node;
}

static struct anchor *name_anchor(struct builder *builder, const yaml_char_t *name)
{
    if (!name)
        return NULL;
    struct anchor *anchor = map_get(&builder->anchors, (const char *)name);
    if (!anchor) {
        anchor = arena_new_of(builder->arena, struct anchor);
        map_add(&builder->anchors, (const char *)name, anchor);
    }
    anchor->node = NULL; /* a second anchor of one name replaces the first */
    return anchor;
}

/* Texts, lists and mappings may say that they are one; no other tag has a meaning here. */
static void check_tag(struct builder *builder, struct node *node, const yaml_char_t *tag, const char *own)
{
    if (!tag || strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, own) == 0)
        return;
    problem_add(builder->problems, node->place, "remove the tag", "the tag '%s' has no meaning here",
                (const char *)tag);
    node->broken = builder->wrong = true;
}

static void adopt_child(struct node *parent, const struct node *child)
{
    parent->weight += child->weight;
    if (child->height + 1 > parent->height)
        parent->height = child->height + 1;
}

static bool build_sequence(struct builder *builder, struct node *node, size_t depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        struct node *item = build(builder, &event, depth + 1);
        yaml_event_delete(&event);
        if (!item)
            return false;
        *arena_append(builder->arena, node->items, node->count) = item;
        adopt_child(node, item);
    }
}

/* Adds what `from` has and `node` has not. */
static bool merge_from(struct builder *builder, struct node *node, struct map *keys, const struct node *from,
                       struct place place)
{
    if (from->broken) {
        node->broken = true;
        return true;
    }
    if (from->type != NODE_MAPPING) {
        problem_add(builder->problems, place, "write <<: *anchor, or <<: [*one, *two]",
                    "'<<' merges mappings, found %s", node_describe(builder->arena, from));
        node->broken = builder->wrong = true;
        return true;
    }
    if (!weigh(builder, place, from->weight, 1))
        return false;
    for (size_t i = 0; i < from->count; i++) {
        if (!map_add(keys, from->entries[i].key->text, from->entries[i].key))
            continue;
        *arena_append(builder->arena, node->entries, node->count) = from->entries[i];
        adopt_child(node, from->entries[i].value);
    }
    return true;
}

static bool merge(struct builder *builder, struct node *node, struct map *keys, const struct node *value)
{
    const struct node *key = map_get(keys, "<<");
    if (value->type != NODE_SEQUENCE)
        return merge_from(builder, node, keys, value, key->place);
    for (size_t i = 0; i < value->count; i++)
        if (!merge_from(builder, node, keys, value->items[i], key->place))
            return false;
    return true;
}

/* Whether the key can stand here; a problem is told if not. */
static bool key_is_fine(struct builder *builder, struct map *keys, struct node *key)
{
    const struct node *before = key->type == NODE_SCALAR ? map_get(keys, key->text) : NULL;
    if (key->type == NODE_SCALAR && !key->broken && !before)
        return map_add(keys, key->text, key);
    builder->wrong = true;
    if (before)
        problem_add(builder->problems, key->place,
                    arena_printf(builder->arena, "the first one is in line %u", before->place.line),
                    "the key '%s' is there twice", key->text);
    else if (!key->broken)
        problem_add(builder->problems, key->place, NULL, "a key must be a text, found %s",
                    node_describe(builder->arena, key));
    return false;
}

/* One key and its value. A merge is kept for the end, where it cannot win over a written key. */
static bool build_entry(struct builder *builder, yaml_event_t *event, struct node *node, struct map *keys,
                        struct node **merged, size_t depth)
{
    struct node *key = build(builder, event, depth + 1);
    if (!key)
        return false;
    const bool fine = key_is_fine(builder, keys, key);
    yaml_event_t next;
    if (!next_event(builder, &next))
        return false;
    struct node *value = build(builder, &next, depth + 1);
    yaml_event_delete(&next);
    if (!value)
        return false;
    if (!fine)
        return true;
    if (key->plain && strcmp(key->text, "<<") == 0) {
        *merged = value;
        return true;
    }
    *arena_append(builder->arena, node->entries, node->count) = (struct entry){.key = key, .value = value};
    adopt_child(node, key);
    adopt_child(node, value);
    return true;
}

static bool build_mapping(struct builder *builder, struct node *node, size_t depth)
{
    _cleanup_map_ struct map keys = {0};
    struct node *merged = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return !merged || merge(builder, node, &keys, merged);
        }
        bool fine = build_entry(builder, &event, node, &keys, &merged, depth);
        yaml_event_delete(&event);
        if (!fine)
            return false;
    }
}

/* Lines are asked for in their order. */
static const char *line_at(struct builder *builder, size_t line)
{
    for (; builder->line < line; builder->line++) {
        const char *from = builder->text + builder->start;
        const char *end = memchr(from, '\n', builder->size - builder->start);
        builder->start = end ? (size_t)(end + 1 - builder->text) : builder->size;
    }
    return builder->text + builder->start;
}

/* How far the lines of a block stand in: libyaml does not say, and what an indicator (|2) leaves is part of the text. */
static struct place place_of_block(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    const size_t blank = strspn(text, "\n"), first = event->start_mark.line + 1;
    const char *end = builder->text + builder->size, *line = line_at(builder, first + blank);
    size_t spaces = 0;
    while (line + spaces < end && line[spaces] == ' ')
        spaces++;
    const size_t own = strspn(text + blank, " ");
    return (struct place){builder->file, (uint32_t)first + 1,
                          (uint32_t)(spaces - (own < spaces ? own : spaces)) + 1};
}

static struct node *build(struct builder *builder, yaml_event_t *event, size_t depth)
{
    if (event->type == YAML_ALIAS_EVENT)
        return build_alias(builder, event, depth);
    struct node *node = arena_new_of(builder->arena, struct node);
    node->place = place_of(builder, event->start_mark);
    node->weight = node->height = 1;
    if (!weigh(builder, node->place, 1, depth))
        return NULL;
    struct anchor *anchor;
    bool fine;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = name_anchor(builder, event->data.scalar.anchor);
        node->type = NODE_SCALAR;
        node->length = event->data.scalar.length;
        node->text = arena_strndup(builder->arena, (const char *)event->data.scalar.value, node->length);
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
        if (event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE)
            node->block = place_of_block(builder, event);
        check_tag(builder, node, event->data.scalar.tag, YAML_STR_TAG);
        fine = true;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = name_anchor(builder, event->data.sequence_start.anchor);
        node->type = NODE_SEQUENCE;
        check_tag(builder, node, event->data.sequence_start.tag, YAML_SEQ_TAG);
        fine = build_sequence(builder, node, depth);
    } else {
        anchor = name_anchor(builder, event->data.mapping_start.anchor);
        node->type = NODE_MAPPING;
        check_tag(builder, node, event->data.mapping_start.tag, YAML_MAP_TAG);
        fine = build_mapping(builder, node, depth);
    }
    if (fine && anchor)
        anchor->node = node;
    return fine ? node : NULL;
}
