/* The loader: sources, files, documents, what is implied, checks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/asked.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/defaults.h"
#include "specs/gather.h"
#include "specs/replicas.h"

static bool is_of(const struct spec_set *set, const struct object *object)
{
    for (size_t i = 0; i < set->source_count; i++)
        if (object->source && strcmp(set->sources[i].name, object->source) == 0)
            return true;
    return false;
}

/* What is recorded of files that are held back, and of files that only those include, is declared as it was. */
static void stand_in(const struct spec_request *request, const struct object_set *recorded,
                     const struct spec_set *set, const struct gathered *gathered,
                     struct collection *collection)
{
    for (size_t i = 0; recorded && i < recorded->count; i++) {
        struct object *object = recorded->items[i];
        if (!is_of(set, object) || !object->place.file)
            continue;
        const char *file = spec_file_owner(collection->arena, object->place.file);
        const bool unread = !texts_have(&gathered->files, file) && ask_access(file) == 0;
        if ((texts_have(&request->held_back, file) || unread) &&
            map_add(collection->by_id, object->id, object))
            *arena_append(collection->arena, collection->items, collection->count) = object;
    }
}

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
    _cleanup_defaults_ struct defaults defaults = {0};
    struct collection collection = {.arena = arena, .problems = problems, .by_id = &by_id};
    struct gathered gathered = {0};
    gather(request, &files, arena, problems, digest, &gathered);
    for (size_t i = 0; i < loaded.source_count; i++)
        loaded.sources[i].is_empty = !texts_have(&gathered.heard, loaded.sources[i].name);
    for (size_t i = 0; i < gathered.count; i++)
        defaults_add(&defaults, &collection, &gathered.items[i]);
    defaults_check(&defaults, &collection);
    for (size_t i = 0; i < gathered.count; i++)
        document_read(&collection, &gathered.items[i], &defaults);
    replicas_expand(&collection);

    if (request->held_back.count)
        stand_in(request, recorded, &loaded, &gathered, &collection);

    /* References are judged over everything that was declared, also beside errors elsewhere. */
    check_all(&collection, recorded, &loaded, gathered.incomplete);
    problems_sort(problems);
    if (problems->count > before) {
        *set = (struct spec_set){.refused = {.items = collection.items, .count = collection.count}};
        return error_set(error, -EINVAL, "%zu problems in the specs", problems->count - before);
    }

    loaded.objects = (struct object_set){.items = collection.items, .count = collection.count};
    object_set_sort(&loaded.objects);
    object_set_index(&loaded.objects, arena);
    digest_finish(digest, loaded.digest);
    *set = loaded;
    return 0;
}
