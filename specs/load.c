/* The loader: sources, files, documents, what is implied, checks. */
#include <errno.h>
#include <stdlib.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/check.h"
#include "specs/defaults.h"
#include "specs/gather.h"

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
    _cleanup_defaults_ struct defaults defaults = {0};
    struct collection collection = {.arena = arena, .problems = problems, .by_id = &by_id};
    struct gathered gathered = {0};
    gather(request, &files, arena, problems, digest, &gathered);
    for (size_t i = 0; i < gathered.count; i++)
        defaults_add(&defaults, &collection, &gathered.items[i]);
    defaults_check(&defaults, &collection);
    for (size_t i = 0; i < gathered.count; i++)
        document_read(&collection, &gathered.items[i], &defaults);

    /* References are judged over everything that was declared, also beside errors elsewhere. */
    check_all(&collection, recorded, &loaded, gathered.incomplete);
    problems_sort(problems);
    if (problems->count > before)
        return error_set(error, -EINVAL, "%zu problems in the specs", problems->count - before);

    loaded.objects = (struct object_set){.items = collection.items, .count = collection.count};
    if (loaded.objects.count)
        qsort(loaded.objects.items, loaded.objects.count, sizeof(*loaded.objects.items), object_compare);
    object_set_index(&loaded.objects, arena);
    digest_finish(digest, loaded.digest);
    *set = loaded;
    return 0;
}

static int object_compare(const void *left, const void *right)
{
    const struct object *a = *(struct object *const *)left, *b = *(struct object *const *)right;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}
