/* Documents: `fpsync`, `project`, one section a kind, and x-* for everybody else. */
#include "specs/document.h"

#include <string.h>

#include "lib/map.h"

#define LANGUAGE_VERSION 1 /* SEMANTICS 28: a default never changes within one */

static const char *read_project(struct collection *collection, const struct node *root);
static void check_version(struct collection *collection, const struct node *node);
static void read_section(struct collection *collection, enum kind kind, const struct node *node,
                         const char *source, const struct form_context *context);
static void unknown_section(struct collection *collection, const struct node *key);

struct object *collection_add(struct collection *collection, enum kind kind, const char *full_name,
                              struct place place, const char *source)
{
    struct object *object = arena_new_of(collection->arena, struct object);
    *object = (struct object){
        .kind = kind,
        .name = full_name,
        .id = arena_join(collection->arena, kind_name(kind), '/', full_name),
        .place = place,
        .source = source,
        .body = described_new(collection->arena, kind_table(kind)),
    };
    ((struct described *)object->body)->place = place;
    if (!map_add(collection->by_id, object->id, object)) {
        const struct object *before = map_get(collection->by_id, object->id);
        problem_add(collection->problems, place,
                    arena_printf(collection->arena, "the first one is at %s:%u", before->place.file,
                                 before->place.line),
                    "%s %s is declared twice", kind_name(kind), full_name);
        return object; /* read all the same, for its own errors */
    }
    *arena_append(collection->arena, collection->items, collection->count) = object;
    return object;
}

bool document_ignores(const char *key)
{
    return strncmp(key, "x-", 2) == 0;
}

void document_read(struct collection *collection, const struct node *root, const char *source,
                   const char *folder)
{
    if (root->type == NODE_SCALAR && (root->broken || scalar_kind(root) == SCALAR_NULL))
        return;
    if (root->type != NODE_MAPPING) {
        problem_add(collection->problems, root->place,
                    "start with a key such as containers:", "expected a mapping at the top, found %s",
                    node_describe(collection->arena, root));
        return;
    }
    const struct form_context context = {
        .arena = collection->arena, .project = read_project(collection, root), .folder = folder};
    for (size_t i = 0; i < root->count; i++) {
        const struct entry *entry = &root->entries[i];
        enum kind kind;
        if (strcmp(entry->key->text, "fpsync") == 0)
            check_version(collection, entry->value);
        else if (kind_parse(entry->key->text, &kind) == 0 && strcmp(entry->key->text, kind_plural(kind)) == 0)
            read_section(collection, kind, entry->value, source, &context);
        else if (strcmp(entry->key->text, "project") != 0 && !document_ignores(entry->key->text))
            unknown_section(collection, entry->key);
    }
}

static const char *read_project(struct collection *collection, const struct node *root)
{
    const struct node *node = node_get(root, "project");
    if (!node || node->broken)
        return "default";
    if (node->type == NODE_SCALAR && name_is_valid(node->text))
        return node->text;
    problem_add(collection->problems, node->place, NULL, "'project': expected %s, found %s",
                form_expectation(FORM_NAME), node_describe(collection->arena, node));
    return "default";
}

static void check_version(struct collection *collection, const struct node *node)
{
    int64_t version;
    if (node->type == NODE_SCALAR && scalar_kind(node) == SCALAR_INTEGER &&
        scalar_as_integer(node, &version) && version == LANGUAGE_VERSION)
        return;
    if (!node->broken)
        problem_add(collection->problems, node->place,
                    "write fpsync: 1, without quotes, for the version of the language, or leave it out",
                    "'fpsync': this fpsync knows language version %d, found %s", LANGUAGE_VERSION,
                    node_describe(collection->arena, node));
}

static void unknown_section(struct collection *collection, const struct node *key)
{
    const char *known[KIND_COUNT + 3] = {"project"};
    for (size_t i = 0; i < KIND_COUNT; i++)
        known[i + 1] = kind_plural((enum kind)i);
    known[KIND_COUNT + 1] = "fpsync";
    problem_add(collection->problems, key->place, hint_nearest(collection->arena, key->text, known),
                "unknown key '%s' at the top", key->text);
}

static void read_section(struct collection *collection, enum kind kind, const struct node *node,
                         const char *source, const struct form_context *context)
{
    if (node->type == NODE_SCALAR && (node->broken || scalar_kind(node) == SCALAR_NULL))
        return;
    if (node->type != NODE_MAPPING) {
        problem_add(collection->problems, node->place,
                    arena_printf(collection->arena, "write %s: { NAME: {...} }", kind_plural(kind)),
                    "'%s': expected a mapping of names, found %s", kind_plural(kind),
                    node_describe(collection->arena, node));
        return;
    }
    const struct reader reader = {
        .arena = collection->arena, .problems = collection->problems, .context = *context};
    for (size_t i = 0; i < node->count; i++) {
        const struct node *key = node->entries[i].key;
        if (!name_is_valid(key->text)) {
            problem_add(collection->problems, key->place, NULL, "%s name: expected %s, found %s",
                        kind_name(kind), form_expectation(FORM_NAME), node_describe(collection->arena, key));
            continue;
        }
        if (kind == KIND_CONTAINER && strcmp(key->text, "localhost") == 0)
            problem_add(collection->problems, key->place, "take another name",
                        "container name: 'localhost' is what every host calls itself");
        const char *name = arena_join(collection->arena, context->project, '/', key->text);
        struct object *object = collection_add(collection, kind, name, key->place, source);
        read_object(&reader, kind_table(kind), node->entries[i].value, object->body);
    }
}
