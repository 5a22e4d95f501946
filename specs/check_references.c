/* References: every name that is used is declared here or recorded for another source. And what hangs on them in
 * storage: layers, images. */
#include <string.h>

#include "specs/check.h"

static void check_reference(struct world *world, const struct object *from, struct place place,
                            enum kind kind, const char *name);
static void check_container_references(struct world *world, const struct object *object);
static void check_layer_users(struct world *world);
static void check_layer_image(struct world *world, const struct object *object);

void check_references(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        if (object->implicit)
            continue; /* refers to what its user refers to */
        if (object->kind == KIND_LAYER)
            check_reference(world, object,
                            field_place(&layer_table, object->body, field_by_key(&layer_table, "image")),
                            KIND_IMAGE, ((const struct layer *)object->body)->image);
        if (object->kind == KIND_IMAGE)
            check_reference(world, object,
                            field_place(&image_table, object->body, field_by_key(&image_table, "build")),
                            KIND_NETWORK, image_build_network(object->body));
        if (object->kind == KIND_CONTAINER)
            check_container_references(world, object);
    }
}

void check_storage(struct world *world)
{
    check_layer_users(world);
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        if (object->kind == KIND_IMAGE)
            check_image(world, object);
        if (object->kind != KIND_CONTAINER)
            continue;
        check_layer_image(world, object);
        check_mounts(world, object);
    }
}

static struct place place_in(const struct object *object, const char *key)
{
    const struct table *table = kind_table(object->kind);
    return field_place(table, object->body, field_by_key(table, key));
}

/* ---- references ---- */

static const char *nearest_name(struct world *world, const struct object *from, enum kind kind,
                                const char *word)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < world->own->count + world->foreign.count; i++) {
        const struct object *object =
            i < world->own->count ? world->own->items[i] : world->foreign.items[i - world->own->count];
        const char *name = name_seen_from(world->arena, object->name, from);
        if (object->kind != kind || object->implicit || !text_is_near(name, word))
            continue;
        size_t distance = text_distance(name, word);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}

/* SEMANTICS 38: what belongs to another project is its owner's to open. */
static void check_permission(struct world *world, const struct object *from, struct place place,
                             const struct object *used)
{
    const struct texts *allow = used->kind == KIND_NETWORK  ? &((const struct network *)used->body)->allow
                                : used->kind == KIND_VOLUME ? &((const struct volume *)used->body)->allow
                                                            : NULL;
    const char *project = name_project(world->arena, from->name);
    if (!allow || strcmp(project, name_project(world->arena, used->name)) == 0)
        return;
    for (size_t i = 0; i < allow->count; i++)
        if (strcmp(allow->items[i], project) == 0)
            return;
    problem_add(world->problems, place,
                arena_printf(world->arena, "its owner writes allow: [%s] to %s", project,
                             world_name(world, used, from)),
                "%s '%s' is not open to project %s", kind_name(used->kind), used->name, project);
}

static void check_reference(struct world *world, const struct object *from, struct place place,
                            enum kind kind, const char *name)
{
    const struct object *found = name ? world_find(world, kind, name) : NULL;
    if (found)
        check_permission(world, from, place, found);
    if (!name || world->incomplete || found)
        return;
    const char *seen = name_seen_from(world->arena, name, from),
               *near = nearest_name(world, from, kind, seen);
    problem_add(world->problems, place,
                near ? arena_printf(world->arena, "did you mean '%s'?", near)
                     : arena_printf(world->arena, "declare it below %s:", kind_plural(kind)),
                "there is no %s '%s'", kind_name(kind), seen);
}

static void check_container_references(struct world *world, const struct object *object)
{
    const struct container *container = object->body;
    check_reference(world, object, place_in(object, "image"), KIND_IMAGE, container->image);
    check_reference(world, object, place_in(object, "layer"), KIND_LAYER, container->layer);
    for (size_t i = 0; i < container->networks.count; i++) {
        const struct attachment *attachment = container->networks.items[i];
        check_reference(world, object, attachment->described.place, KIND_NETWORK, attachment->network);
    }
    for (size_t i = 0; i < container->volumes.count; i++) {
        const struct mount *mount = container->volumes.items[i];
        check_reference(world, object, field_place(&mount_table, mount, field_by_key(&mount_table, "volume")),
                        KIND_VOLUME, mount->volume);
    }
    for (size_t i = 0; i < container->depends_on.count; i++) {
        const struct dependency *dependency = container->depends_on.items[i];
        check_reference(world, object, dependency->described.place, KIND_CONTAINER, dependency->container);
    }
}

/* ---- storage ---- */

static void check_layer_users(struct world *world)
{
    _cleanup_map_ struct map users = {0};
    for (size_t i = 0; i < world->foreign.count; i++) {
        const struct object *object = world->foreign.items[i];
        const char *layer =
            object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->layer : NULL;
        if (layer)
            map_add(&users, layer, (void *)object);
    }
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        const char *layer =
            object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->layer : NULL;
        if (!layer || map_add(&users, layer, (void *)object))
            continue;
        problem_add(world->problems, place_in(object, "layer"),
                    "a layer serves one container; share data by a volume", "layer '%s' is used by %s",
                    name_seen_from(world->arena, layer, object),
                    world_name(world, map_get(&users, layer), object));
    }
}

static void check_layer_image(struct world *world, const struct object *object)
{
    const struct container *container = object->body;
    const struct object *found = container->layer ? world_find(world, KIND_LAYER, container->layer) : NULL;
    const struct layer *layer = found ? found->body : NULL;
    if (!layer || !layer->image || !container->image || strcmp(layer->image, container->image) == 0)
        return;
    problem_add(world->problems, place_in(object, "image"), "leave image out: the layer knows it",
                "the container's image is '%s', its layer '%s' stands on '%s'",
                name_seen_from(world->arena, container->image, object),
                name_seen_from(world->arena, container->layer, object),
                name_seen_from(world->arena, layer->image, object));
}
