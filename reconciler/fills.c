#include "reconciler/fills.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct fill_source *a = left, *b = right;
    int order = strcmp(a->volume, b->volume);
    order = order ? order : (int)a->mount->read_only - (int)b->mount->read_only;
    order = order ? order : strcmp(a->container->name, b->container->name);
    return order ? order : strcmp(a->mount->path, b->mount->path);
}

static void find_all(const struct target *target, struct fills *fills)
{
    fills->known = true;
    for (size_t i = 0; i < target->all->count; i++) {
        const struct object *container = target->all->items[i];
        if (container->kind != KIND_CONTAINER || !target_image(target, container))
            continue;
        const struct list *mounts = &((const struct container *)container->body)->volumes;
        for (size_t j = 0; j < mounts->count; j++) {
            const struct mount *mount = mounts->items[j];
            *(struct fill_source *)arena_append(target->arena, fills->items, fills->count) =
                (struct fill_source){.volume = mount->volume, .container = container, .mount = mount};
        }
    }
    if (fills->count)
        qsort(fills->items, fills->count, sizeof(*fills->items), compare);
}

static size_t find_first(const struct fills *fills, const char *volume)
{
    size_t low = 0, high = fills->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (strcmp(fills->items[middle].volume, volume) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct fill_sources fills_of(const struct target *target, struct fills *fills, const char *volume)
{
    if (!target_volume(target, volume)->fill)
        return (struct fill_sources){0};
    if (!fills->known)
        find_all(target, fills);
    const size_t first = find_first(fills, volume);
    size_t end = first;
    while (end < fills->count && strcmp(fills->items[end].volume, volume) == 0)
        end++;
    return end - first < 2 ? (struct fill_sources){0}
                           : (struct fill_sources){.items = fills->items + first, .count = end - first};
}

struct texts fills_list(const struct target *target, struct fills *fills, const char *volume,
                        const struct fill_digests *digests)
{
    struct texts list = {0};
    const struct fill_sources sources = fills_of(target, fills, volume);
    for (size_t i = 0; i < sources.count; i++) {
        const struct fill_source *from = &sources.items[i];
        const char *digest = strcmp(from->container->name, digests->container->name) == 0
                                 ? digests->own
                                 : digests->of(digests->context, target_image(target, from->container));
        if (digest)
            *arena_append(target->arena, list.items, list.count) =
                arena_printf(target->arena, "%s%s", digest, from->mount->path);
    }
    return list;
}
