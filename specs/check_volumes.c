/* What a volume is made of, and that it stays so: whatever would lose data is refused (SEMANTICS 13). */
#include <string.h>

#include "lib/units.h"
#include "specs/check.h"

static struct place place_in(const struct object *object, const char *key)
{
    const struct table *table = kind_table(object->kind);
    return field_place(table, object->body, field_by_key(table, key));
}

static void check_size(struct world *world, const struct object *object)
{
    const struct volume *volume = object->body;
    if (volume->size && strcmp(volume->type, "dir") == 0)
        problem_add(world->problems, place_in(object, "type"), "leave type out, or the size",
                    "a volume of type dir is as large as the store: it has no size");
    if (!volume->size && strcmp(volume->type, "loop") == 0)
        problem_add(world->problems, place_in(object, "type"), "add size: 2GiB",
                    "a volume of type loop needs a size");
}

static void check_change(struct world *world, const struct object *object)
{
    const struct object *known =
        world->recorded ? object_find(world->recorded, KIND_VOLUME, object->name) : NULL;
    const struct volume *volume = object->body, *before = known ? known->body : NULL;
    if (!before)
        return;
    char was[UNITS_TEXT_SIZE], is[UNITS_TEXT_SIZE];
    size_print(before->size, was);
    size_print(volume->size, is);
    if (strcmp(volume->type, before->type) != 0)
        problem_add(world->problems, place_in(object, volume->size ? "size" : "type"),
                    "declare another volume and copy what is in this one",
                    "volume %s is of type %s and cannot become one of type %s",
                    name_seen_from(world->arena, object->name, object), before->type, volume->type);
    else if (volume->size && before->size && volume->size < before->size)
        problem_add(world->problems, place_in(object, "size"),
                    arena_printf(world->arena, "write size: %s or more", was),
                    "volume %s has %s and cannot shrink to %s",
                    name_seen_from(world->arena, object->name, object), was, is);
}

void check_volumes(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        const struct container *container = object->body;
        if (object->kind == KIND_VOLUME) {
            check_size(world, object);
            check_change(world, object);
        }
        const struct object *layer = object->kind == KIND_CONTAINER && container->layer
                                         ? world_find(world, KIND_LAYER, container->layer)
                                         : NULL;
        if (layer && !layer->implicit && strcmp(container->retain, "gc") != 0)
            problem_add(world->problems, place_in(object, "retain"), "write it to the layer",
                        "layer %s is declared by itself, and so is what becomes of it",
                        name_seen_from(world->arena, container->layer, object));
    }
}
