/* What a container says of its health, and who may wait for it (SEMANTICS 42). */
#include <string.h>

#include "specs/check.h"

static void check_probe(struct world *world, const struct health *health)
{
    static const char *const ways[] = {"http", "tcp", "command", "none"};
    const bool said[] = {health->http, health->tcp, health->command.count, health->none};
    const char *first = NULL, *second = NULL;
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
        if (said[i])
            *(first ? &second : &first) = ways[i];
    if (second)
        problem_add(world->problems, field_place(&health_table, health, field_by_key(&health_table, second)),
                    "keep one of http, tcp, command and none", "'%s' and '%s' exclude each other", first,
                    second);
}

/* Whether its image may say how: one that is bootstrapped says nothing, and what was adopted has none. */
static bool image_may_say(const struct world *world, const struct container *body)
{
    const struct object *layer = body->layer ? world_find(world, KIND_LAYER, body->layer) : NULL;
    const char *name = body->image ? body->image : layer ? ((const struct layer *)layer->body)->image : NULL;
    const struct object *image = name ? world_find(world, KIND_IMAGE, name) : NULL;
    if (container_is_adopted(body))
        return false;
    const char *source = image ? ((const struct image *)image->body)->source : NULL;
    return !source || strncmp(source, "bootstrap:", strlen("bootstrap:")) != 0;
}

static void check_awaited(struct world *world, const struct object *object,
                          const struct dependency *dependency)
{
    const struct object *other = world_find(world, KIND_CONTAINER, dependency->container);
    const struct container *body = other ? other->body : NULL;
    if (strcmp(dependency->condition, "healthy") != 0 || !body || health_is_probed(body->health) ||
        (!body->health->none && image_may_say(world, body)))
        return;
    problem_add(world->problems,
                field_place(&dependency_table, dependency, field_by_key(&dependency_table, "condition")),
                "give it health: { tcp: 80 }, or wait for started",
                "'healthy': nothing says how container '%s' is probed",
                name_seen_from(world->arena, dependency->container, object));
}

void check_health(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        const struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
        if (body && !object_is_unread(body->health))
            check_probe(world, body->health);
        for (size_t j = 0; body && j < body->depends_on.count; j++)
            check_awaited(world, object, body->depends_on.items[j]);
    }
}
