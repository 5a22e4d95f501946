/* The order of actions: what must go before something else may take its place, and who waits for whom. */
#include <string.h>

#include "lib/index.h"
#include "reconciler/plan_internal.h"
#include "specs/ports.h"

static const char *link_of(const struct planning *planning, const char *network)
{
    const struct object *object = object_find(planning->target.all, KIND_NETWORK, network);
    const struct entry *entry = object ? NULL : actual_find(planning->request->actual, KIND_NETWORK, network);
    return object  ? network_link(object->body, network)
           : entry ? network_link(entry->object.body, network)
                   : network;
}

static const struct lease *lease_before(const struct planning *planning, const struct action *action)
{
    return lease_recorded(planning->request->actual->snapshot, KIND_CONTAINER, action->name);
}

static const struct lease *lease_behind(const struct planning *planning, const struct action *action)
{
    return grants_find(&planning->plan->grants, KIND_CONTAINER, action->name);
}

static bool are_one(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

static bool addresses_meet(const struct planning *planning, const struct lease *old, const struct lease *new)
{
    for (size_t i = 0; old && i < old->addresses.count; i++) {
        const struct lease_address *held = old->addresses.items[i];
        for (size_t j = 0; held->index >= 0 && new &&j < new->addresses.count; j++) {
            const struct lease_address *claimed = new->addresses.items[j];
            if ((are_one(held->address, claimed->address) || are_one(held->address6, claimed->address6)) &&
                strcmp(link_of(planning, held->network), link_of(planning, claimed->network)) == 0)
                return true;
        }
    }
    return false;
}

/* True when the plan gives away something that `going` still holds: its port, its address or its layer. */
static bool frees_for(struct planning *planning, const struct action *going, const struct action *claiming)
{
    if (going->kind != KIND_CONTAINER || claiming->kind != KIND_CONTAINER || !claiming->object)
        return false;
    const struct container *old = going->entry->object.body, *new = claiming->object->body;
    for (size_t i = 0; i < new->ports.count; i++)
        for (size_t j = 0; j < old->ports.count; j++)
            if (ports_meet(new->ports.items[i], old->ports.items[j]))
                return true;
    if (addresses_meet(planning, lease_before(planning, going), lease_behind(planning, claiming)))
        return true;
    return text_is_same(old->layer, new->layer) && new->layer;
}

static const char *recorded_subnet(const struct planning *planning, const char *network)
{
    const struct lease *lease = lease_recorded(planning->request->actual->snapshot, KIND_NETWORK, network);
    return lease ? lease->subnet : NULL;
}

static bool waits_for(const struct action *action, const struct action *other)
{
    if (action == other)
        return true;
    for (size_t i = 0; i < action->need_count; i++)
        if (waits_for(action->needs[i], other))
            return true;
    return false;
}

/* Containers that move from the one network to the other cannot move before the other is there, nor that before the one
 * is gone: the one goes under them, and they come back on the other. */
static void cut_loose(struct action *leaves, const struct action *claims)
{
    size_t kept = 0;
    for (size_t i = 0; i < leaves->need_count; i++)
        if (!waits_for(leaves->needs[i], claims))
            leaves->needs[kept++] = leaves->needs[i];
    leaves->cuts = leaves->cuts || kept < leaves->need_count;
    leaves->need_count = kept;
}

/* A network that claims a subnet waits for the one that gives it up. */
static void order_subnet(struct planning *planning, struct action *claims, struct action *leaves)
{
    if (claims == leaves || !claims->object)
        return;
    const char *claimed = target_subnet(&planning->target, claims->name);
    if (!claimed || !subnets_overlap(recorded_subnet(planning, leaves->name), claimed))
        return;
    if (!leaves->object)
        cut_loose(leaves, claims);
    plan_need(planning, claims, leaves);
}

static bool leaves_subnet(const struct planning *planning, const struct action *action)
{
    const char *old = action->entry ? recorded_subnet(planning, action->name) : NULL;
    return old && !text_is_same(old, action->object ? target_subnet(&planning->target, action->name) : NULL);
}

static void order_subnets(struct planning *planning)
{
    struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->actions[i]->kind != KIND_NETWORK || !leaves_subnet(planning, plan->actions[i]))
            continue;
        for (size_t j = 0; j < plan->count; j++)
            if (plan->actions[j]->kind == KIND_NETWORK)
                order_subnet(planning, plan->actions[j], plan->actions[i]);
    }
}

/* ---- who frees what ---- */

#define PORTS_A_BUCKET 64

struct held_thing { /* by a container that goes */
    const char *key;
    size_t gone; /* of planning->gone */
};

struct things {
    struct held_thing *items;
    size_t count;
};

static void add_thing(struct planning *planning, struct things *things, size_t gone, const char *key)
{
    *(struct held_thing *)arena_append(planning->arena, things->items, things->count) =
        (struct held_thing){.key = key, .gone = gone};
}

/* Only to find who is worth a look: whether they really meet is up to frees_for(). */
static void add_common_things(struct planning *planning, struct things *things, size_t gone,
                              const struct container *body)
{
    for (size_t i = 0; i < body->ports.count; i++) {
        const struct port *port = body->ports.items[i];
        for (int64_t bucket = port->host / PORTS_A_BUCKET;
             bucket <= (port->host + port->count - 1) / PORTS_A_BUCKET; bucket++)
            add_thing(planning, things, gone, arena_printf(planning->arena, "ports %d", (int)bucket));
    }
    if (body->layer)
        add_thing(planning, things, gone, arena_join(planning->arena, "layer", ' ', body->layer));
}

static void add_addresses(struct planning *planning, struct things *things, size_t gone,
                          const struct lease *lease)
{
    for (size_t i = 0; lease && i < lease->addresses.count; i++) {
        const struct lease_address *address = lease->addresses.items[i];
        const char *link = address->index >= 0 ? link_of(planning, address->network) : NULL;
        if (link && address->address)
            add_thing(planning, things, gone, arena_join(planning->arena, link, ' ', address->address));
        if (link && address->address6)
            add_thing(planning, things, gone, arena_join(planning->arena, link, ' ', address->address6));
    }
}

static void add_held_things(struct planning *planning, struct things *things, size_t gone)
{
    const struct action *action = planning->gone[gone];
    if (action->kind != KIND_CONTAINER)
        return;
    add_common_things(planning, things, gone, action->entry->object.body);
    add_addresses(planning, things, gone, lease_before(planning, action));
}

static struct things claimed_things(struct planning *planning, const struct action *claiming)
{
    struct things things = {0};
    if (claiming->kind != KIND_CONTAINER || !claiming->object)
        return things;
    add_common_things(planning, &things, 0, claiming->object->body);
    add_addresses(planning, &things, 0, lease_behind(planning, claiming));
    return things;
}

/* Lets every change wait for the deletes that free something for it, and marks those in `front`. */
static void find_freeing(struct planning *planning, struct action *const *changes, size_t count, bool *front)
{
    struct things held = {0};
    for (size_t i = 0; i < planning->gone_count; i++)
        add_held_things(planning, &held, i);
    const struct index by_key = index_make(planning->arena, held.items, held.count, sizeof(*held.items),
                                           offsetof(struct held_thing, key));
    for (size_t j = 0; j < count && held.count; j++) {
        const struct things claimed = claimed_things(planning, changes[j]);
        for (size_t k = 0; k < claimed.count; k++)
            for (const struct held_thing *thing = index_find(&by_key, claimed.items[k].key); thing;
                 thing = index_next(&by_key, thing, claimed.items[k].key)) {
                struct action *going = planning->gone[thing->gone];
                if (!frees_for(planning, going, changes[j]))
                    continue;
                plan_need(planning, changes[j], going);
                front[thing->gone] = true;
            }
    }
}

/* What is renamed goes on under a name that no record of its users may lack: those that go, go first. */
static void find_users_of_renamed(struct planning *planning, struct action *const *changes, size_t count,
                                  bool *front)
{
    for (size_t j = 0; j < count; j++)
        for (size_t i = 0; changes[j]->was && i < planning->gone_count; i++) {
            struct action *going = planning->gone[i];
            if (going->kind != KIND_CONTAINER ||
                !plan_uses(&going->entry->object, changes[j]->kind, changes[j]->name))
                continue;
            plan_need(planning, changes[j], going);
            front[i] = true;
        }
}

/* ---- the order ---- */

struct waiting { /* of deletes for one of their users */
    struct planning *planning;
    const struct map *gone; /* "kind/project/name" -> action */
    struct action *user;
};

static void wait_for_user(void *context, const struct object *user, enum kind kind, const char *name)
{
    (void)user;
    const struct waiting *waiting = context;
    char id[OBJECT_ID_SIZE];
    struct action *going = kind == KIND_CONTAINER ? NULL : map_get(waiting->gone, object_id(kind, name, id));
    if (going)
        plan_need(waiting->planning, going, waiting->user);
}

/* The used waits for every container that used it and now goes or moves. */
static void wait_for_users(struct planning *planning)
{
    const struct plan *plan = planning->plan;
    _cleanup_map_ struct map gone = {0};
    char id[OBJECT_ID_SIZE];
    for (size_t i = 0; i < planning->gone_count; i++)
        map_add(&gone, object_id(planning->gone[i]->kind, planning->gone[i]->name, id), planning->gone[i]);
    struct waiting waiting = {.planning = planning, .gone = &gone};
    for (size_t j = 0; j < plan->count && gone.count; j++) {
        waiting.user = plan->actions[j];
        if (waiting.user->entry && waiting.user->kind == KIND_CONTAINER)
            plan_each_used(&waiting.user->entry->object, wait_for_user, &waiting);
    }
}

/* Freeing deletes go to the front, all others to the end, users before the used. */
static void place_removals(struct planning *planning)
{
    struct plan *plan = planning->plan;
    struct action **changes = plan->actions;
    const size_t change_count = plan->count;
    plan->actions = NULL;
    plan->count = 0;
    bool *front = arena_array_of(planning->arena, bool, planning->gone_count + 1);
    find_freeing(planning, changes, change_count, front);
    find_users_of_renamed(planning, changes, change_count, front);
    for (size_t i = 0; i < planning->gone_count; i++)
        if (front[i])
            plan_append_action(planning, planning->gone[i]);
    for (size_t i = 0; i < change_count; i++)
        plan_append_action(planning, changes[i]);
    static const enum kind order[] = {KIND_CONTAINER, KIND_LAYER, KIND_VOLUME, KIND_NETWORK, KIND_IMAGE};
    for (size_t k = 0; k < KIND_COUNT; k++)
        for (size_t i = 0; i < planning->gone_count; i++)
            if (!front[i] && planning->gone[i]->kind == order[k])
                plan_append_action(planning, planning->gone[i]);
    wait_for_users(planning);
}

void plan_order(struct planning *planning)
{
    place_removals(planning);
    plan_handovers(planning);
    order_subnets(planning);
    plan_hints(planning);
    plan_warnings(planning);
}
