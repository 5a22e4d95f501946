/* What actions are leased that their objects did not have before (SEMANTICS 26). */
#include "reconciler/plan_internal.h"

/* An address that the file gives is no news to whoever wrote it. */
static bool is_told(const struct lease_address *address, const struct attachment *attachment)
{
    return !address->address6 && (!address->address || text_is_same(address->address, attachment->address));
}

static void take_addresses(struct planning *planning, struct action *action, const struct lease *lease,
                           const struct lease *before)
{
    const struct container *body = action->object->body;
    for (size_t i = 0; i < lease->addresses.count; i++) {
        struct lease_address *address = lease->addresses.items[i];
        const struct attachment *attachment = list_find(&body->networks, &attachment_table, address->network);
        const struct lease_address *old = before ? lease_in(before, address->network) : NULL;
        if (attachment && address->index >= 0 && (!old || old->index < 0) && !is_told(address, attachment))
            *arena_append(planning->arena, action->leased.items, action->leased.count) = address;
    }
}

static void take_subnets(struct action *action, const struct lease *lease, const struct lease *before)
{
    const struct network *network = action->object->body;
    if (lease->subnet && !network->subnet && !(before && before->subnet))
        action->leased_subnet = lease->subnet;
    if (lease->subnet6 && !text_is_same(lease->subnet6, network->subnet6) &&
        !(before && text_is_same(before->subnet6, lease->subnet6)))
        action->leased_subnet6 = lease->subnet6;
}

void plan_leases(struct planning *planning)
{
    const struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->count; i++) {
        struct action *action = plan->actions[i];
        const bool holds = action->kind == KIND_CONTAINER || action->kind == KIND_NETWORK;
        const struct lease *lease =
            holds && action->object ? grants_find(&plan->grants, action->kind, action->name) : NULL;
        if (!lease)
            continue;
        const struct lease *before =
            lease_recorded(planning->request->actual->snapshot, action->kind, action->name);
        if (before && (before->left || action->verb == VERB_CREATE))
            before = NULL; /* picked up again, it is shown again */
        if (action->kind == KIND_CONTAINER)
            take_addresses(planning, action, lease, before);
        else
            take_subnets(action, lease, before);
    }
}
