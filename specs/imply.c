/* What is meant without being written: the project's default network, a container's own layer, the image of a
 * named layer.
 *
 * What is implied is filled in and marked like something written, so that writing it out changes nothing. */
#include <string.h>

#include "specs/check.h"

static void imply_type(const struct object *object);
static void imply_layer(struct world *world, const struct object *object);
static void imply_image(struct world *world, const struct object *object);
static void imply_networks(struct world *world, const struct object *object);
static void imply_build_network(struct world *world, const struct object *object);
static struct object *add_implicit(struct world *world, enum kind kind, const char *name,
                                   const struct object *user);

void imply_all(struct world *world)
{
    const size_t declared = world->own->count;
    for (size_t i = 0; i < declared; i++) {
        const struct object *object = world->own->items[i];
        if (object->kind == KIND_VOLUME)
            imply_type(object);
        if (object->kind == KIND_IMAGE)
            imply_build_network(world, object);
        if (object->kind != KIND_CONTAINER)
            continue;
        imply_image(world, object);
        imply_layer(world, object);
        imply_networks(world, object);
    }
}

static struct object *add_implicit(struct world *world, enum kind kind, const char *name,
                                   const struct object *user)
{
    struct object *object = collection_add(world->own, kind, name, user->place, user->source);
    object->implicit = true;
    return object;
}

/* A folder has no size of its own. */
static void imply_type(const struct object *object)
{
    struct volume *volume = object->body;
    if (!volume->size || field_is_present(&volume_table, volume, field_by_key(&volume_table, "type")))
        return;
    volume->type = "loop";
    field_mark(&volume_table, volume, offsetof(struct volume, type));
}

static void imply_image(struct world *world, const struct object *object)
{
    struct container *container = object->body;
    const size_t image = offsetof(struct container, image);
    if (container->image || container_is_adopted(container) ||
        field_is_present(&container_table, container, field_by_key(&container_table, "image")))
        return;
    const struct object *layer =
        world_find(world, KIND_LAYER, container->layer ? container->layer : object->name);
    if (layer && !layer->implicit) {
        container->image = ((const struct layer *)layer->body)->image;
        if (container->image)
            field_mark(&container_table, container, image);
    } else if (!container->layer) {
        problem_add(world->problems, object->place, "add image: NAME, or layer: NAME of a declared layer",
                    "container needs 'image'");
    }
}

static void imply_layer(struct world *world, const struct object *object)
{
    struct container *container = object->body;
    if (container->layer || container_is_adopted(container) ||
        field_is_present(&container_table, container, field_by_key(&container_table, "layer")))
        return;
    container->layer = object->name;
    field_mark(&container_table, container, offsetof(struct container, layer));
    const struct object *known = world_find(world, KIND_LAYER, object->name);
    if (known && !known->implicit)
        return;
    struct layer *layer = add_implicit(world, KIND_LAYER, object->name, object)->body;
    layer->image = container->image;
    layer->retain = container->retain;
    if (layer->image)
        field_mark(&layer_table, layer, offsetof(struct layer, image));
    field_mark(&layer_table, layer, offsetof(struct layer, retain));
}

static void imply_networks(struct world *world, const struct object *object)
{
    struct container *container = object->body;
    const struct field *row = field_by_key(&container_table, "networks");
    const char *name = arena_printf(world->arena, "%s/default", name_project(world->arena, object->name));
    if (!field_is_present(&container_table, container, row)) {
        struct attachment *attachment = described_new(world->arena, &attachment_table);
        attachment->described.place = object->place;
        attachment->network = name;
        field_mark(&attachment_table, attachment, offsetof(struct attachment, network));
        *arena_append(world->arena, container->networks.items, container->networks.count) = attachment;
        field_mark_present(&container_table, container, row);
    }
    /* Also where `default` is written out without being declared. */
    if (list_find(&container->networks, &attachment_table, name) && !world_find(world, KIND_NETWORK, name))
        add_implicit(world, KIND_NETWORK, name, object);
}

static void imply_build_network(struct world *world, const struct object *object)
{
    const struct image *image = object->body;
    const char *name = arena_printf(world->arena, "%s/default", name_project(world->arena, object->name));
    if (!image_is_built(image))
        return;
    if (!image->build->network) {
        image->build->network = name;
        field_mark(&image_build_table, image->build, offsetof(struct image_build, network));
    }
    if (strcmp(image->build->network, name) == 0 && !world_find(world, KIND_NETWORK, name))
        add_implicit(world, KIND_NETWORK, name, object);
}
