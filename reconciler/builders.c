#include "reconciler/builders.h"

#include <string.h>

#include "reconciler/plan_internal.h"

static const char suffix[] = ".build";

char *builder_name(struct arena *arena, const char *image)
{
    return arena_printf(arena, "%s%s", image, suffix);
}

struct object *builder_of(struct arena *arena, const struct object *image)
{
    struct container *body = described_new(arena, &container_table);
    const char *network = image_build_network(image->body);
    struct object *object = arena_new_of(arena, struct object);
    if (network) {
        struct attachment *attachment = described_new(arena, &attachment_table);
        attachment->network = network;
        field_mark(&attachment_table, attachment, offsetof(struct attachment, network));
        *arena_append(arena, body->networks.items, body->networks.count) = attachment;
    }
    field_mark(&container_table, body, offsetof(struct container, networks));
    body->hostname = "build";
    field_mark(&container_table, body, offsetof(struct container, hostname));
    char id[OBJECT_ID_SIZE];
    const char *name = builder_name(arena, image->name);
    *object = (struct object){.kind = KIND_CONTAINER,
                              .name = name,
                              .id = arena_strdup(arena, object_id(KIND_CONTAINER, name, id)),
                              .implicit = true,
                              .place = image->place,
                              .source = image->source,
                              .body = body};
    return object;
}

bool builder_is(const struct object *object)
{
    return object->kind == KIND_CONTAINER && object->implicit && strstr(object->name, suffix);
}

const char *builder_image(struct arena *arena, const struct object *builder)
{
    return arena_strndup(arena, builder->name, strlen(builder->name) - strlen(suffix));
}

void builders_enter(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    const struct object_set *desired = planning->request->desired;
    for (size_t i = 0; i < desired->count && desired->items[i]->kind == KIND_IMAGE; i++)
        if (!builds_awaits(planning->request->builds, desired->items[i]->name) &&
            plan_will_build(planning, desired->items[i]))
            *arena_append(planning->arena, all->items, all->count) =
                builder_of(planning->arena, desired->items[i]);
}

void builders_drop_denied(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        if (!builder_is(all->items[i]) ||
            !grants_denied(&planning->plan->grants, KIND_CONTAINER, all->items[i]->name))
            all->items[kept++] = all->items[i];
    all->count = kept;
    object_set_index(all, planning->arena);
}

bool builders_leave(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        if (!builder_is(all->items[i]))
            all->items[kept++] = all->items[i];
    const bool any = kept < all->count;
    all->count = kept;
    object_set_index(all, planning->arena);
    return any;
}
