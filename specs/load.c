/* The loader: sources, files, documents, what is implied, checks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/check.h"
#include "specs/document.h"
#include "specs/interpolate.h"
#include "specs/sources.h"

struct loader {
    const struct spec_request *request;
    struct collection collection;
    struct digest *digest;
    bool incomplete; /* a file could not be read as a whole: what it declares is unknown */
};

static void load_file(struct loader *loader, const struct spec_file *file);
static void read_documents(struct loader *loader, const struct spec_file *file, const struct buffer *text);
static int object_compare(const void *left, const void *right);

int specs_load(const struct spec_request *request, const struct object_set *recorded, struct arena *arena,
               struct spec_set *set, struct problems *problems, struct error *error)
{
    if (!problems->arena)
        problems->arena = arena;
    const size_t before = problems->count;
    struct spec_set loaded = {0};
    struct file_list files = {0};
    int result = sources_collect(request, recorded, arena, &loaded, &files, problems, error);
    if (result < 0)
        return result;

    _cleanup_map_ struct map by_id = {0};
    _cleanup_digest_ struct digest *digest = digest_new();
    struct loader loader = {.request = request,
                            .digest = digest,
                            .collection = {.arena = arena, .problems = problems, .by_id = &by_id}};
    for (size_t i = 0; i < files.count; i++)
        load_file(&loader, &files.items[i]);

    /* References are judged over everything that was declared, also beside errors elsewhere. */
    check_all(&loader.collection, recorded, &loaded, loader.incomplete);
    problems_sort(problems);
    if (problems->count > before)
        return error_set(error, -EINVAL, "%zu problems in the specs", problems->count - before);

    loaded.objects = (struct object_set){.items = loader.collection.items, .count = loader.collection.count};
    if (loaded.objects.count)
        qsort(loaded.objects.items, loaded.objects.count, sizeof(*loaded.objects.items), object_compare);
    digest_finish(digest, loaded.digest);
    *set = loaded;
    return 0;
}

static int object_compare(const void *left, const void *right)
{
    const struct object *a = *(struct object *const *)left, *b = *(struct object *const *)right;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

/* Lengths are part of the digest, so that bytes cannot move from one file to the next unnoticed. */
static void digest_piece(struct digest *digest, const char *name, const struct buffer *text)
{
    uint64_t length = text->length;
    digest_add(digest, name, strlen(name) + 1);
    digest_add(digest, &length, sizeof(length));
    digest_add(digest, text->bytes, text->length);
}

static void load_file(struct loader *loader, const struct spec_file *file)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (!spec_file_read(file->path, loader->request->use_environment, false, loader->collection.problems,
                        &text)) {
        loader->incomplete = true;
        return;
    }
    digest_piece(loader->digest, file->source, &text);
    digest_add(loader->digest, file->folder, strlen(file->folder) + 1);
    read_documents(loader, file, &text);
}

static void read_variables(struct loader *loader, const struct spec_file *file, struct variables *variables)
{
    if (strcmp(file->path, "-") == 0)
        return; /* there is no "beside" */
    struct arena *arena = loader->collection.arena;
    const char *slash = strrchr(file->path, '/');
    const char *path =
        slash ? arena_printf(arena, "%.*s/.env", (int)(slash - file->path), file->path) : ".env";
    _cleanup_buffer_ struct buffer text = {0};
    if (!spec_file_read(path, loader->request->use_environment, true, loader->collection.problems, &text))
        return;
    digest_piece(loader->digest, ".env", &text);
    if (text.length)
        variables_read(variables, path, text.bytes, text.length);
}

static void read_documents(struct loader *loader, const struct spec_file *file, const struct buffer *text)
{
    struct collection *collection = &loader->collection;
    struct documents documents = {0};
    if (!yaml_read(arena_strdup(collection->arena, file->path), text->bytes, text->length, collection->arena,
                   collection->problems, &documents))
        loader->incomplete = true; /* documents before the error are still read, for their own errors */
    struct variables variables = {.use_environment = loader->request->use_environment,
                                  .digest = loader->digest,
                                  .problems = collection->problems,
                                  .arena = collection->arena};
    read_variables(loader, file, &variables);
    for (size_t i = 0; i < documents.count; i++) {
        struct node *root = documents.roots[i];
        if (root->type == NODE_SCALAR)
            interpolate(&variables, root);
        for (size_t j = 0; root->type == NODE_MAPPING && j < root->count; j++)
            if (!document_ignores(root->entries[j].key->text))
                interpolate(&variables, root->entries[j].value);
        document_read(collection, root, file->source, file->folder);
    }
    variables_clear(&variables);
}
