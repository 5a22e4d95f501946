/* Who uses what: one walk over what an object names, and who is the first to name something. */
#include <string.h>

#include "reconciler/plan_internal.h"

void plan_each_used(const struct object *user, used_function *see, void *context)
{
    const struct container *body = user->body;
    if (user->kind == KIND_LAYER && ((const struct layer *)user->body)->image)
        see(context, user, KIND_IMAGE, ((const struct layer *)user->body)->image);
    if (user->kind == KIND_IMAGE && image_build_network(user->body))
        see(context, user, KIND_NETWORK, image_build_network(user->body));
    if (user->kind == KIND_NETWORK && ((const struct network *)user->body)->gateway)
        see(context, user, KIND_CONTAINER, ((const struct network *)user->body)->gateway);
    if (user->kind == KIND_NETWORK && ((const struct network *)user->body)->gateway6)
        see(context, user, KIND_CONTAINER, ((const struct network *)user->body)->gateway6);
    if (user->kind != KIND_CONTAINER)
        return;
    if (body->image)
        see(context, user, KIND_IMAGE, body->image);
    if (body->layer)
        see(context, user, KIND_LAYER, body->layer);
    for (size_t i = 0; i < body->networks.count; i++)
        see(context, user, KIND_NETWORK, ((const struct attachment *)body->networks.items[i])->network);
    for (size_t i = 0; i < body->volumes.count; i++)
        see(context, user, KIND_VOLUME, ((const struct mount *)body->volumes.items[i])->volume);
    for (size_t i = 0; i < body->depends_on.count; i++)
        see(context, user, KIND_CONTAINER, ((const struct dependency *)body->depends_on.items[i])->container);
}

struct wanted {
    enum kind kind;
    const char *name;
    bool found;
};

static void compare_used(void *context, const struct object *user, enum kind kind, const char *name)
{
    (void)user;
    struct wanted *wanted = context;
    wanted->found = wanted->found || (kind == wanted->kind && text_is_same(name, wanted->name));
}

bool plan_uses(const struct object *user, enum kind kind, const char *name)
{
    struct wanted wanted = {.kind = kind, .name = name};
    plan_each_used(user, compare_used, &wanted);
    return wanted.found;
}

static void add_user(void *context, const struct object *user, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    map_add(context, object_id(kind, name, id), (void *)user);
}

void plan_add_user(struct planning *planning, const struct object *user)
{
    plan_each_used(user, add_user, &planning->users);
}

const struct object *plan_user_of(struct planning *planning, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    if (!planning->users.count)
        for (size_t i = 0; i < planning->plan->all.count; i++)
            plan_add_user(planning, planning->plan->all.items[i]);
    return map_get(&planning->users, object_id(kind, name, id));
}
