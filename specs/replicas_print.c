#include "specs/replicas_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"

const char *replicas_set(const struct object *object)
{
    return object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->set : NULL;
}

static bool is_of(const struct object *object, const char *set)
{
    return text_is_same(replicas_set(object), set);
}

const struct object *replicas_first(const struct object_set *all, const char *set)
{
    size_t i = 0;
    while (i < all->count && !is_of(all->items[i], set))
        i++;
    return i < all->count ? all->items[i] : NULL;
}

int64_t replicas_highest(const struct object_set *all, const char *set)
{
    int64_t highest = 0;
    for (size_t i = 0; i < all->count; i++) {
        const char *dash = is_of(all->items[i], set) ? strrchr(all->items[i]->name, '-') : NULL;
        const int64_t number = dash ? strtoll(dash + 1, NULL, 10) : 0;
        highest = number > highest ? number : highest;
    }
    return highest;
}

bool replicas_is_told(const struct object_set *all, const struct object *object)
{
    const char *set = replicas_set(object);
    return set && replicas_first(all, set) != object;
}

const char *replicas_awaited(const struct object_set *all, const struct list *dependencies,
                             const char *container)
{
    const struct object *object = object_find(all, KIND_CONTAINER, container);
    const char *set = object ? replicas_set(object) : NULL;
    for (size_t i = 0; set && i < all->count; i++)
        if (is_of(all->items[i], set) && !list_find(dependencies, &dependency_table, all->items[i]->name))
            return NULL;
    return set;
}

static bool is_own_layer(const struct object *object)
{
    const struct container *body = object->body;
    return !body->layer || strcmp(body->layer, object->name) == 0;
}

static void add_name(struct buffer *names, const char *name)
{
    buffer_printf(names, "%s%s", names->length ? ", " : "", name);
}

static void add_unlike(const struct object *first, const struct object *object, struct arena *arena,
                       struct buffer *names)
{
    struct container body = *(const struct container *)object->body;
    struct changes changes = {0};
    if (is_own_layer(object) && is_own_layer(first))
        body.layer = ((const struct container *)first->body)->layer;
    fields_diff(&container_table, first->body, &body, arena, &changes);
    if (changes.count)
        add_name(names, arena_printf(arena, "%s (%s)", name_bare(object->name), changes.items[0].field));
}

const char *replicas_unlike(const struct object_set *all, const char *set, struct arena *arena)
{
    const struct object *first = replicas_first(all, set);
    const int64_t highest = replicas_highest(all, set);
    _cleanup_buffer_ struct buffer unlike = {0}, missing = {0}, text = {0};
    for (int64_t number = 1; number <= highest; number++) {
        const char *name = arena_printf(arena, "%s-%" PRId64, set, number);
        const struct object *object = object_find(all, KIND_CONTAINER, name);
        if (!object || !is_of(object, set))
            add_name(&missing, name_bare(name));
        else if (object != first)
            add_unlike(first, object, arena, &unlike);
    }
    if (unlike.length)
        buffer_printf(&text, "    # Not yet like %s: %s. Apply makes them so.\n", name_bare(first->name),
                      unlike.bytes);
    if (missing.length)
        buffer_printf(&text, "    # Not there: %s. Apply makes them.\n", missing.bytes);
    return arena_strdup(arena, text.length ? text.bytes : "");
}
