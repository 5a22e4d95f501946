/* What the fields of one container say together. */
#include "specs/check.h"

#include "lib/map.h"

static bool names(const struct texts *capabilities, const char *name)
{
    for (size_t i = 0; i < capabilities->count; i++)
        if (text_is_same(capabilities->items[i], name))
            return true;
    return false;
}

static void check_router(struct world *world, const struct container *body)
{
    const struct capabilities *asked = body->capabilities;
    if (body->router &&
        (names(&asked->drop, "net_admin") || (asked->keep.count && !names(&asked->keep, "net_admin"))))
        problem_add(world->problems,
                    field_place(&container_table, body, field_by_key(&container_table, "router")),
                    "let it keep the capability net_admin", "a router needs to administer its network");
}

static struct place place_in(const struct container *body, const char *key)
{
    return field_place(&container_table, body, field_by_key(&container_table, key));
}

static void check_command(struct world *world, const struct container *body)
{
    const char *of_command = body->user ? "user" : body->directory ? "directory" : NULL;
    if (body->init && body->command.count)
        problem_add(world->problems, place_in(body, "init"), "remove one of the two",
                    "init and command exclude each other");
    else if (body->init && of_command)
        problem_add(world->problems, place_in(body, of_command), "remove it, or remove init",
                    "'%s' is of a command, and with init there is none", of_command);
}

/* lxc.container.conf(5) knows the one or the other. */
void check_capabilities(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        const struct capabilities *asked =
            object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->capabilities : NULL;
        if (asked && asked->drop.count && asked->keep.count)
            problem_add(world->problems,
                        field_place(&capabilities_table, asked, field_by_key(&capabilities_table, "drop")),
                        "leave drop out: keep says all that stays", "drop and keep exclude each other");
        if (asked)
            check_router(world, object->body);
        if (asked)
            check_command(world, object->body);
    }
}
