/* Documents: `fpsync`, `project`, one section a kind, and x-* for everybody else; `include` and `defaults` were taken
 * before. */
#include "specs/document.h"

#include <string.h>

#include "specs/defaults.h"

#define LANGUAGE_VERSION 1 /* SEMANTICS 28: a default never changes within one */

static void check_version(struct collection *collection, const struct node *node);
static void read_section(struct collection *collection, enum kind kind, const struct node *node,
                         const struct document *document, const struct defaults *defaults);
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

static bool is_taken_before(const char *key)
{
    return strcmp(key, "project") == 0 || strcmp(key, "include") == 0 || strcmp(key, "defaults") == 0;
}

bool document_ignores(const char *key)
{
    return strncmp(key, "x-", 2) == 0;
}

void document_read(struct collection *collection, const struct document *document,
                   const struct defaults *defaults)
{
    const struct node *root = document->root;
    if (root->type == NODE_SCALAR && (root->broken || scalar_kind(root) == SCALAR_NULL))
        return;
    if (root->type != NODE_MAPPING) {
        problem_add(collection->problems, root->place,
                    "start with a key such as containers:", "expected a mapping at the top, found %s",
                    node_describe(collection->arena, root));
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        const struct entry *entry = &root->entries[i];
        const char *key = entry->key->text;
        enum kind kind;
        if (strcmp(key, "fpsync") == 0)
            check_version(collection, entry->value);
        else if (kind_parse(key, &kind) == 0 && strcmp(key, kind_plural(kind)) == 0)
            read_section(collection, kind, entry->value, document, defaults);
        else if (!is_taken_before(key) && !document_ignores(key))
            unknown_section(collection, entry->key);
    }
}

const char *document_project(struct arena *arena, struct problems *problems, const struct node *root)
{
    const struct node *node = root->type == NODE_MAPPING ? node_get(root, "project") : NULL;
    if (!node || node->broken)
        return NULL;
    if (node->type == NODE_SCALAR && name_is_valid(node->text))
        return node->text;
    problem_add(problems, node->place, NULL, "'project': expected %s, found %s", form_expectation(FORM_NAME),
                node_describe(arena, node));
    return NULL;
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
    const char *known[KIND_COUNT + 5] = {"project"};
    for (size_t i = 0; i < KIND_COUNT; i++)
        known[i + 1] = kind_plural((enum kind)i);
    known[KIND_COUNT + 1] = "include";
    known[KIND_COUNT + 2] = "defaults";
    known[KIND_COUNT + 3] = "fpsync";
    problem_add(collection->problems, key->place, hint_nearest(collection->arena, key->text, known),
                "unknown key '%s' at the top", key->text);
}

static void read_section(struct collection *collection, enum kind kind, const struct node *node,
                         const struct document *document, const struct defaults *defaults)
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
        .arena = collection->arena,
        .problems = collection->problems,
        .context = {.arena = collection->arena, .project = document->project, .folder = document->folder}};
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
        const char *name = arena_join(collection->arena, document->project, '/', key->text);
        struct object *object = collection_add(collection, kind, name, key->place, document->source);
        const struct node *value =
            defaults_below(defaults, collection, document, kind, node->entries[i].value);
        read_object(&reader, kind_table(kind), value, object->body);
    }
}
