#include "specs/replicas_print.h"

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
