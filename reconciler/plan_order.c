/* The order of actions: what must go before something else may take its place, and who waits for whom. */
#include <string.h>

#include "reconciler/plan_internal.h"

/* True when the plan gives away something that `going` still holds: its port, its address or its layer. */
static bool frees_for(struct planning *planning, const struct action *going, const struct action *claiming)
{
    if (going->kind != KIND_CONTAINER || claiming->kind != KIND_CONTAINER || !claiming->object)
        return false;
    const struct container *old = going->entry->object.body, *new = claiming->object->body;
    for (size_t i = 0; i < new->ports.count; i++)
        if (list_find(&old->ports, &port_table, ((struct port *)new->ports.items[i])->listen))
            return true;
    const struct lease *lease = grants_find(&planning->plan->grants, KIND_CONTAINER, claiming->name);
    for (size_t i = 0; lease && i < lease->addresses.count; i++) {
        const struct lease_address *address = lease->addresses.items[i];
        const struct attachment *held = list_find(&old->networks, &attachment_table, address->network);
        if (held && text_is_same(held->address, address->address))
            return true;
    }
    return text_is_same(old->layer, new->layer) && new->layer;
}

static const char *recorded_subnet(const struct planning *planning, const char *network)
{
    const struct lease *lease = lease_recorded(planning->request->actual->snapshot, KIND_NETWORK, network);
    return lease ? lease->subnet : NULL;
}

/* A network that claims a subnet waits for the one that gives it up. */
static void order_subnet(struct planning *planning, struct action *claims, struct action *leaves)
{
    if (claims == leaves || !claims->object || !leaves->entry)
        return;
    const char *old = recorded_subnet(planning, leaves->name);
    const char *now = leaves->object ? target_subnet(&planning->target, leaves->name) : NULL;
    const char *claimed = target_subnet(&planning->target, claims->name);
    if (old && !text_is_same(old, now) && claimed && subnets_overlap(old, claimed))
        plan_need(planning, claims, leaves);
}

static void order_subnets(struct planning *planning)
{
    struct plan *plan = planning->plan;
    struct action **networks = arena_array_of(planning->arena, struct action *, plan->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->kind == KIND_NETWORK)
            networks[count++] = plan->actions[i];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            order_subnet(planning, networks[i], networks[j]);
}

/* Freeing deletes go to the front, all others to the end, users before the used. */
static void place_removals(struct planning *planning)
{
    struct plan *plan = planning->plan;
    struct action **changes = plan->actions;
    size_t change_count = plan->count;
    plan->actions = NULL;
    plan->count = 0;
    bool *front = arena_array_of(planning->arena, bool, planning->gone_count + 1);
    for (size_t i = 0; i < planning->gone_count; i++)
        for (size_t j = 0; j < change_count; j++)
            if (frees_for(planning, planning->gone[i], changes[j])) {
                plan_need(planning, changes[j], planning->gone[i]);
                front[i] = true;
            }
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
    /* The used waits for every container that used it and now goes or moves. */
    for (size_t i = 0; i < planning->gone_count; i++)
        for (size_t j = 0; j < plan->count; j++) {
            const struct entry *entry = plan->actions[j]->entry;
            if (planning->gone[i]->kind != KIND_CONTAINER && entry &&
                plan->actions[j]->kind == KIND_CONTAINER &&
                plan_uses(&entry->object, planning->gone[i]->kind, planning->gone[i]->name))
                plan_need(planning, planning->gone[i], plan->actions[j]);
        }
}

void plan_order(struct planning *planning)
{
    place_removals(planning);
    order_subnets(planning);
}
