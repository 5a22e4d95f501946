/* Containers whose image does not come in this run, since it is held or its making failed: what the spec changes of them waits
 * with the image, and what was in force stays so: their drift is repaired. Likewise who was skipped since it depends on
 * one of them. */
#include "reconciler/plan_internal.h"

struct unmet {
    struct planning *planning;
    bool found;
};

static void find_unmet(void *context, const struct object *user, enum kind kind, const char *name)
{
    struct unmet *unmet = context;
    (void)user;
    unmet->found |= kind != KIND_IMAGE && kind != KIND_LAYER && plan_is_blocked(unmet->planning, kind, name);
}

/* Who was to wait for the image was skipped when it failed, and did not fail himself. Of an image that is held nobody was
 * told yet. */
static bool image_does_not_come(struct planning *planning, const struct object *object, bool failed)
{
    const char *image = target_image(&planning->target, object);
    if (!image || failed)
        return image && plan_is_blocked(planning, KIND_IMAGE, image);
    return plan_is_held(planning, KIND_IMAGE, image) && plan_awaits_image(planning, object);
}

bool plan_stands(const struct planning *planning, const char *container)
{
    return map_get(&planning->standing, container);
}

/* Skipped with one that was. */
static bool depends_on_skipped(const struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->depends_on.count; i++)
        if (map_get(&planning->standing, ((const struct dependency *)body->depends_on.items[i])->container) ==
            &planning->failed)
            return true;
    return false;
}

const struct object *plan_let_stand(struct planning *planning, const struct object *object,
                                    const struct entry *entry)
{
    char id[OBJECT_ID_SIZE];
    object_id(KIND_CONTAINER, object->name, id);
    const bool failed = map_get(&planning->failed, id);
    struct unmet unmet = {.planning = planning};
    if (plan_is_new(entry) || container_is_adopted(object->body) ||
        plan_was(planning, KIND_CONTAINER, object->name) ||
        !(image_does_not_come(planning, object, failed) || (failed && depends_on_skipped(planning, object))))
        return object;
    plan_each_used(&entry->object, find_unmet, &unmet);
    if (unmet.found)
        return object;
    if (failed)
        *map_at(&planning->failed, id) = NULL;
    else
        plan_hold(
            planning, KIND_CONTAINER, object->name,
            arena_printf(planning->arena, "its image %s is held", target_image(&planning->target, object)),
            NULL, object->place);
    map_add(&planning->standing, object->name, failed ? &planning->failed : &planning->held);
    return &entry->object;
}
