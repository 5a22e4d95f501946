/* depends_on: no cycles, no waiting for what never ends. */
#include <string.h>

#include "specs/check.h"

enum color { UNSEEN, OPEN, DONE };

struct visit {
    const struct object *object;
    enum color color;
    size_t next; /* dependency to follow */
};

/* Depth first with a stack of its own: a chain is as long as the user likes. */
struct walk {
    struct world *world;
    struct map visits;    /* of struct visit, by full name */
    struct visit **stack; /* has room for every container */
    size_t depth;
};

static void walk_from(struct walk *walk, const struct object *object);

/* Who starts again whenever it ends never comes to its end. */
static void check_conditions(struct world *world, const struct object *object)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct dependency *dependency = body->depends_on.items[i];
        const struct object *other = world_find(world, KIND_CONTAINER, dependency->container);
        if (strcmp(dependency->condition, "completed") == 0 && other &&
            strcmp(((const struct container *)other->body)->restart, "always") == 0)
            problem_add(
                world->problems,
                field_place(&dependency_table, dependency, field_by_key(&dependency_table, "condition")),
                "give it restart: on-failure or never",
                "'completed': container '%s' is started again whenever it ends",
                name_seen_from(world->arena, dependency->container, object));
    }
}

void check_dependencies(struct world *world)
{
    const size_t most = world->own->count + world->foreign.count;
    struct walk walk = {.world = world, .stack = arena_array_of(world->arena, struct visit *, most)};
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        if (object->kind != KIND_CONTAINER)
            continue;
        check_conditions(world, object);
        walk_from(&walk, object);
    }
    map_clear(&walk.visits);
}

static struct visit *visit_of(struct walk *walk, const struct object *object)
{
    struct visit *visit = map_get(&walk->visits, object->name);
    if (!visit) {
        visit = arena_new_of(walk->world->arena, struct visit);
        visit->object = object;
        map_add(&walk->visits, object->name, visit);
    }
    return visit;
}

static void push(struct walk *walk, struct visit *visit)
{
    visit->color = OPEN;
    walk->stack[walk->depth++] = visit;
}

static void report_cycle(struct walk *walk, const struct visit *again, struct place place)
{
    _cleanup_buffer_ struct buffer path = {0};
    size_t start = walk->depth;
    while (walk->stack[start - 1] != again)
        start--;
    for (size_t i = start - 1; i < walk->depth; i++)
        buffer_printf(&path, "%s -> ",
                      name_seen_from(walk->world->arena, walk->stack[i]->object->name, again->object));
    buffer_text(&path, name_bare(again->object->name));
    problem_add(walk->world->problems, place, "remove one of these dependencies", "depends_on goes round: %s",
                path.bytes);
}

static void walk_from(struct walk *walk, const struct object *object)
{
    struct visit *start = visit_of(walk, object);
    if (start->color != UNSEEN)
        return;
    push(walk, start);
    while (walk->depth) {
        struct visit *visit = walk->stack[walk->depth - 1];
        const struct list *dependencies = &((const struct container *)visit->object->body)->depends_on;
        if (visit->next == dependencies->count) {
            visit->color = DONE;
            walk->depth--;
            continue;
        }
        const struct dependency *dependency = dependencies->items[visit->next++];
        const struct object *other = world_find(walk->world, KIND_CONTAINER, dependency->container);
        struct visit *next = other ? visit_of(walk, other) : NULL;
        if (next && next->color == OPEN)
            report_cycle(walk, next, dependency->described.place);
        else if (next && next->color == UNSEEN)
            push(walk, next);
    }
}
