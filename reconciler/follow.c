#include "reconciler/follow.h"

#include <string.h>

#include "lib/error.h"
#include "lib/map.h"

bool root_is_copy(const struct container *container)
{
    return text_is_same(container->root, "copy");
}

const char *digest_brief(struct arena *arena, const char *digest)
{
    return digest ? arena_strndup(arena, digest, 12) : NULL;
}

const char *root_kept_as(struct arena *arena, const struct container *now, int64_t generation)
{
    return arena_printf(arena, "before-%s-%lld", now->root, (long long)generation);
}

/* The container's word, else its layer's. */
static const char *policy_of(const struct target *target, const struct container *body, const char *layer)
{
    const struct object *object = object_find(target->all, KIND_LAYER, layer);
    const struct layer *declared = object ? object->body : NULL;
    return body->on_image_change ? body->on_image_change : declared ? declared->on_image_change : "auto";
}

static const struct observed_difference *difference_of(const struct world *world, const char *file)
{
    for (size_t i = 0; i < world->difference_count; i++)
        if (strcmp(world->differences[i].layer, file) == 0)
            return &world->differences[i].found;
    return NULL;
}

static const char *trouble_of(const struct observed_difference *found)
{
    return !found ? NULL : found->database ? found->database : found->system;
}

/* SEMANTICS 9: an upper belongs on the image it was made on; where the spec says so, another takes its place. So does
 * one of what never came up, be it a copy, in which the other image is. */
static bool begins_fresh(const struct target *target, const struct world *world,
                         const struct object *container, const struct entry *layer)
{
    const struct container *body = container->body;
    const bool unfinished = layer && entry_is_unfinished(layer);
    return layer && layer->facts->digest && (unfinished || (body->fresh && !root_is_copy(body))) &&
           !text_is_same(((struct layer *)layer->object.body)->image, target_image(target, container)) &&
           world_has_layer(world, target_layer_file(target, container));
}

struct follow follow_of(const struct target *target, const struct actual *actual, const struct world *world,
                        const struct object *container, bool changing)
{
    const struct container *body = container->body;
    const char *layer = body->layer ? body->layer : container->name;
    const struct entry *entry = actual_find(actual, KIND_LAYER, layer);
    struct follow follow = {.image = target_image(target, container)};
    const struct entry *image = follow.image ? actual_find(actual, KIND_IMAGE, follow.image) : NULL;
    if (begins_fresh(target, world, container, entry)) {
        follow.how = FOLLOW_RESET;
        follow.from = entry->facts->digest;
        follow.to = changing || !image ? NULL : image->facts->digest;
        return follow;
    }
    const bool known = image && image->facts->digest;
    if (!entry || !entry->facts->digest || !(known || changing) || root_is_copy(body))
        return follow;
    follow.from = entry->facts->digest;
    follow.to = changing ? NULL : image->facts->digest;
    if (text_is_same(follow.from, follow.to) ||
        !text_is_same(((struct layer *)entry->object.body)->image, follow.image))
        return follow;
    const char *file = target_layer_file(target, container), *policy = policy_of(target, body, layer);
    if (strcmp(policy, "keep") == 0 || !world_has_layer(world, file))
        return follow;
    follow.checked = strcmp(policy, "auto") == 0;
    follow.reason = follow.checked ? trouble_of(difference_of(world, file)) : NULL;
    if (follow.reason && !known) /* made anew, it may well be what it was: who holds it back is to be sure */
        return follow;
    follow.how = follow.reason ? FOLLOW_HELD : strcmp(policy, "reset") == 0 ? FOLLOW_RESET : FOLLOW_RESTACK;
    return follow;
}

const struct entry *layer_of_other_image(const struct actual *actual, const struct object *container,
                                         const char *image)
{
    const struct container *body = container->body;
    if (container_is_adopted(body) || body->fresh)
        return NULL;
    const struct entry *entry = actual_find(actual, KIND_LAYER, body->layer ? body->layer : container->name);
    const char *made_on = entry ? ((const struct layer *)entry->object.body)->image : NULL;
    return made_on && !text_is_same(made_on, image) && !entry_is_unfinished(entry) ? entry : NULL;
}

bool follow_moves(const struct follow *follow)
{
    return follow->how == FOLLOW_RESTACK || follow->how == FOLLOW_RESET;
}

bool image_is_made(const struct object_set *desired, const struct builds *builds, const struct world *world,
                   const char *name, const struct entry *image, struct arena *arena)
{
    const struct object *wanted = object_find(desired, KIND_IMAGE, name);
    const struct build_wish *wish = builds_find(builds, name);
    struct changes changes = {0};
    if (builds_awaits(builds, name))
        return true;
    if (wish)
        return wish->made;
    if (world_image_changed(world, name))
        return true;
    if (wanted && image && image->facts->digest)
        fields_diff(&image_table, image->object.body, wanted->body, arena, &changes);
    else
        return wanted;
    for (size_t i = 0; i < changes.count; i++)
        if (changes.items[i].class != CLASS_RECORD)
            return true;
    return false;
}

void follow_look(const struct paths *paths, const struct object_set *desired, const struct builds *builds,
                 const struct actual *actual, struct arena *arena, struct world *world)
{
    const struct call call = {.arena = arena, .cancel = -1};
    for (size_t i = 0; i < actual->count; i++) {
        const struct entry *layer = &actual->items[i];
        const char *name = layer->kind == KIND_LAYER ? ((struct layer *)layer->object.body)->image : NULL;
        const struct entry *image =
            name && layer->facts->digest ? actual_find(actual, KIND_IMAGE, name) : NULL;
        const bool known = image && image->facts->digest;
        const bool differs =
            name && layer->facts->digest && image_is_made(desired, builds, world, name, image, arena);
        if (!known && !differs)
            continue;
        const char *file = paths_file_name(arena, layer->name);
        if ((!differs && strcmp(layer->facts->digest, image->facts->digest) == 0) ||
            !world_has_layer(world, file))
            continue;
        struct world_difference *found = arena_append(arena, world->differences, world->difference_count);
        struct error error = {0};
        found->layer = file;
        if (storage_view.dump_difference(paths, file, layer->facts->digest,
                                         differs ? NULL : image->facts->digest, &call, &found->found,
                                         &error) < 0)
            found->found.database = arena_strdup(arena, error.text);
    }
}

const char *layer_lost(const struct actual *actual, const struct object *container, const struct entry *entry,
                       bool there)
{
    const struct container *body = container->body;
    const char *name = body->layer ? body->layer : container->name;
    if (!entry || container_is_adopted(body) || entry_is_unfinished(entry) || entry_is_retained(entry) ||
        there)
        return NULL;
    const struct entry *layer = actual_find(actual, KIND_LAYER, name);
    if (!layer || !layer->object.implicit || layer->was || entry_is_retained(layer) ||
        entry_is_thrown_away(layer) || !layer->facts->digest || entry_has_intent(actual, entry))
        return NULL;
    return name;
}
