/* What the fields of one container say together. */
#include "specs/check.h"

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
    }
}
