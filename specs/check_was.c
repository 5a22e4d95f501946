/* `was`: what takes another name over is alone in that, and the other is declared no more. */
#include <string.h>

#include "specs/check.h"

static void check_one(struct world *world, const struct object *object, struct map *claims)
{
    struct place at;
    const char *was = object_was(object, &at);
    if (!was)
        return;
    if (object->kind == KIND_CONTAINER && container_is_adopted(object->body))
        problem_add(world->problems, at, "fpsync forget the old name, and adopt it under the new one",
                    "an adopted container cannot go on from another name");
    char id[OBJECT_ID_SIZE];
    const char *seen = name_seen_from(world->arena, was, object);
    const struct object *still = map_get(world->own->by_id, object_id(object->kind, was, id));
    if (still == object)
        problem_add(world->problems, at, "name what it was called before", "%s '%s' was always called so",
                    kind_name(object->kind), seen);
    else if (still)
        problem_add(world->problems, at, "remove this line, or what keeps the other", "%s is there still",
                    world_name(world, still, object));
    else if (!map_add(claims, id, (void *)object))
        problem_add(world->problems, at, "one can go on from it", "%s goes on from %s '%s' already",
                    world_name(world, map_get(claims, id), object), kind_name(object->kind), seen);
}

void check_was(struct world *world)
{
    _cleanup_map_ struct map claims = {0};
    for (size_t i = 0; i < world->own->count; i++)
        check_one(world, world->own->items[i], &claims);
}
