#include "reconciler/narrow.h"

#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/plan_internal.h"

struct narrowing {
    const struct object_set *all;
    struct arena *arena;
    struct map kept;       /* of struct object, by id */
    struct object **queue; /* the same, in the order of being found */
    size_t count;
};

static void keep(struct narrowing *narrowing, struct object *object)
{
    if (object && map_add(&narrowing->kept, object->id, object))
        *arena_append(narrowing->arena, narrowing->queue, narrowing->count) = object;
}

static void keep_used(void *context, const struct object *user, enum kind kind, const char *name)
{
    (void)user;
    struct narrowing *narrowing = context;
    keep(narrowing, object_find(narrowing->all, kind, name));
}

static int not_found(const struct object_set *all, enum kind kind, const char *name, struct error *error)
{
    _cleanup_map_ struct map names = {0};
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->kind == kind) {
            map_add(&names, all->items[i]->name, all->items[i]);
            map_add(&names, name_bare(all->items[i]->name), all->items[i]);
        }
    const char *near = map_nearest(&names, name);
    return error_set(error, -ENOENT, "no %s %s is declared%s%s%s", kind_name(kind), name,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int narrow_find(const struct object_set *all, const char *target, struct arena *arena, struct object **object,
                struct error *error)
{
    const char *slash = strchr(target, '/');
    enum kind kind;
    if (!slash || kind_parse(arena_strndup(arena, target, (size_t)(slash - target)), &kind) < 0)
        return error_set(error, -EINVAL, "--target: expected KIND/NAME, such as container/web, found \"%s\"",
                         target);
    const char *name = slash + 1;
    struct object *found = NULL;
    for (size_t i = 0; i < all->count; i++) {
        struct object *item = all->items[i];
        if (item->kind != kind || item->implicit)
            continue;
        const bool standard = strncmp(item->name, "default/", 8) == 0;
        if (strcmp(item->name, name) == 0) {
            *object = item;
            return 0;
        }
        if (strchr(name, '/') || strcmp(name_bare(item->name), name) != 0)
            continue;
        if (found && !standard && strncmp(found->name, "default/", 8) != 0)
            return error_set(error, -EINVAL, "both %s and %s are called %s; write %s/PROJECT/NAME",
                             found->name, item->name, name, kind_name(kind));
        if (!found || standard)
            found = item;
    }
    *object = found;
    return found ? 0 : not_found(all, kind, name, error);
}

/* All members of a set: they are found by its name as a container is. */
static bool keep_members(struct narrowing *narrowing, const char *target)
{
    static const char prefix[] = "container/";
    const size_t length = strlen(prefix);
    const char *name = strncmp(target, prefix, length) == 0 ? target + length : NULL;
    bool found = false;
    for (size_t i = 0; name && i < narrowing->all->count; i++) {
        struct object *object = narrowing->all->items[i];
        const char *set =
            object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->set : NULL;
        if (!set || (strcmp(set, name) != 0 && strcmp(name_bare(set), name) != 0))
            continue;
        keep(narrowing, object);
        found = true;
    }
    return found;
}

static void keep_bases(struct narrowing *narrowing, const struct build_wish *wish)
{
    for (size_t i = 0; wish && i < wish->build->base_count; i++)
        if (wish->build->bases[i].image)
            keep(narrowing, object_find(narrowing->all, KIND_IMAGE, wish->build->bases[i].image));
}

int narrow_set(struct spec_set *set, const struct builds *builds, const char *const *targets, size_t count,
               struct arena *arena, struct error *error)
{
    struct narrowing narrowing = {.all = &set->objects, .arena = arena};
    int result = 0;
    for (size_t i = 0; i < count && result >= 0; i++) {
        struct object *object = NULL;
        if (keep_members(&narrowing, targets[i]))
            continue;
        result = narrow_find(&set->objects, targets[i], arena, &object, error);
        keep(&narrowing, object);
    }
    for (size_t i = 0; i < narrowing.count; i++) {
        plan_each_used(narrowing.queue[i], keep_used, &narrowing);
        keep_bases(&narrowing, builds_find(builds, narrowing.queue[i]->name));
    }
    struct object_set kept = {.items = arena_array_of(arena, struct object *, set->objects.count + 1)};
    for (size_t i = 0; i < set->objects.count; i++)
        if (map_get(&narrowing.kept, set->objects.items[i]->id))
            kept.items[kept.count++] = set->objects.items[i];
    map_clear(&narrowing.kept);
    if (result < 0)
        return result;
    set->objects = kept;
    object_set_index(&set->objects, arena);
    for (size_t i = 0; i < set->source_count; i++)
        set->sources[i].prunes = false;
    set->digest[0] = '\0'; /* what was applied is not this set */
    return 0;
}
