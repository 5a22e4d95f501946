/* Which address a container is leased: that of its record, a free one of what the network hands out, or when none is
 * left that of an absent name.
 *
 * What is taken is taken on a link: all networks that are attached to one bridge or parent are one LAN, and a router
 * that one of them names is there for all. A network of fpsync's own is a link by itself. */
#include <string.h>

#include "reconciler/addresses.h"
#include "reconciler/addresses6.h"
#include "reconciler/leases_internal.h"
#include "specs/forms.h"

struct lan {
    const char *link;
    const struct network *body; /* NULL: nothing is known of it but its name */
    bool is_measured;           /* whether the pools were made */
    struct address_pool pools[2];
};

/* Holds what nobody is leased. No container has no name. */
static const struct lease nobody = {.name = ""};

/* One that goes in this plan is a LAN's until it is gone. */
static const struct network *body_of(const struct granting *granting, const char *network)
{
    const struct object *object = object_find(granting->all, KIND_NETWORK, network);
    const struct entry *entry = object ? NULL : actual_find(granting->actual, KIND_NETWORK, network);
    return object ? object->body : entry ? entry->object.body : NULL;
}

static struct lan *lan_of(struct granting *granting, const char *network)
{
    struct lan *lan = map_get(&granting->lans, network);
    if (lan)
        return lan;
    lan = arena_new_of(granting->arena, struct lan);
    *lan = (struct lan){.body = body_of(granting, network), .link = network};
    if (lan->body)
        lan->link = network_link(lan->body, network);
    map_add(&granting->lans, network, lan);
    return lan;
}

/* ---- pools ---- */

static void bound(struct address_pool *pool, const char *name, uint64_t first, uint64_t last)
{
    pool->name = name;
    pool->first = pool->next = first;
    pool->last = last;
    pool->is_spent = first > last;
}

static uint32_t hosts_of(const char *subnet)
{
    int bits;
    subnet_split(subnet, &bits);
    return bits ? ~(~(uint32_t)0 << (32 - bits)) : ~(uint32_t)0;
}

/* An own network's first address is its bridge's. */
static void measure(const struct lan *lan, struct address_pool *pool)
{
    const uint32_t hosts = hosts_of(pool->subnet);
    uint32_t first, last;
    if (!lan->body || !network_is_attached(lan->body))
        bound(pool, pool->subnet, 2, hosts - 1);
    else if (lan->body->range && range_parse(lan->body->range, &first, &last))
        bound(pool, lan->body->range, first & hosts, last & hosts);
}

/* An own network makes those of IPv6 of MAC addresses, and never runs out of them. */
static void measure6(const struct lan *lan, struct address_pool *pool)
{
    struct range6 range;
    if (!lan->body || !network_is_attached(lan->body))
        bound(pool, pool->subnet, 2, UINT64_MAX);
    else if (lan->body->range6 && range6_parse(lan->body->range6, &range))
        bound(pool, lan->body->range6, range.first, range.last);
}

static struct address_pool *pool_of(struct granting *granting, const char *network, bool of6)
{
    struct lan *lan = lan_of(granting, network);
    const struct lease *lease =
        lan->is_measured ? NULL : grants_find(granting->grants, KIND_NETWORK, network);
    lan->is_measured = true;
    if (lease && (lan->pools[false].subnet = lease->subnet))
        measure(lan, &lan->pools[false]);
    if (lease && (lan->pools[true].subnet = lease->subnet6))
        measure6(lan, &lan->pools[true]);
    lan->pools[true].of6 = true;
    return &lan->pools[of6];
}

const char *granting_offered(struct granting *granting, const char *network, bool of6)
{
    return pool_of(granting, network, of6)->name;
}

static uint64_t host_in(const struct address_pool *pool, const char *address)
{
    return pool->of6 ? address6_host(address) : address_number(address) & hosts_of(pool->subnet);
}

static const char *address_at(const struct granting *granting, const struct address_pool *pool, uint64_t host)
{
    int bits;
    return pool->of6 ? address6_at(granting->arena, pool->subnet, host)
                     : address_text(granting->arena, subnet_split(pool->subnet, &bits) | (uint32_t)host);
}

/* ---- what is taken ---- */

static const char *key_of(const struct granting *granting, const char *link, const char *address)
{
    return arena_join(granting->arena, link, ' ', address);
}

static void hold(struct granting *granting, const char *network, const char *address,
                 const struct lease *lease)
{
    if (address)
        map_add(&granting->taken, key_of(granting, lan_of(granting, network)->link, address), (void *)lease);
}

static void hold_said(struct granting *granting, const struct container *body)
{
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        hold(granting, attachment->network, attachment->address, &nobody);
        hold(granting, attachment->network, attachment->address6, &nobody);
    }
}

static void hold_gateways(struct granting *granting, const struct object *object)
{
    const struct network *body = object->body;
    hold(granting, object->name, body->gateway, &nobody);
    hold(granting, object->name, body->gateway6, &nobody);
}

static bool is_network(const struct object *object, bool attached)
{
    return object->kind == KIND_NETWORK && network_is_attached(object->body) == attached;
}

static void hold_recorded(struct granting *granting, bool left)
{
    for (size_t i = 0; i < granting->snapshot->lease_count; i++) {
        const struct lease *lease = granting->snapshot->leases[i];
        for (size_t j = 0; j < lease->addresses.count && (lease->left != 0) == left; j++) {
            const struct lease_address *address = lease->addresses.items[j];
            hold(granting, address->network, address->address, lease);
            hold(granting, address->network, address->address6, lease);
        }
    }
}

/* The first to hold an address has it. In an own network the gateway may be a container by its leased address. */
void granting_collect_addresses(struct granting *granting)
{
    for (size_t i = 0; i < granting->all->count; i++) {
        const struct object *object = granting->all->items[i];
        if (object->kind == KIND_CONTAINER)
            hold_said(granting, object->body);
        else if (is_network(object, true))
            hold_gateways(granting, object);
    }
    hold_recorded(granting, false);
    for (size_t i = 0; i < granting->all->count; i++)
        if (is_network(granting->all->items[i], false))
            hold_gateways(granting, granting->all->items[i]);
    hold_recorded(granting, true);
}

static bool is_said(struct granting *granting, const char *key)
{
    return map_get(&granting->taken, key) == &nobody;
}

bool granting_may_reclaim(struct granting *granting, const struct address_pool *pool, const char *link,
                          const struct lease *lease, const char *network, const char *address)
{
    const uint64_t host = host_in(pool, address);
    const struct lease *holder = map_get(&granting->taken, key_of(granting, link, address));
    return strcmp(lan_of(granting, network)->link, link) == 0 && host >= pool->first && host <= pool->last &&
           strcmp(address_at(granting, pool, host), address) == 0 && holder &&
           strcmp(holder->name, lease->name) == 0;
}

/* What its own record holds is free for it, once. */
static bool take_recorded(struct granting *granting, const struct lease *lease, const char *key)
{
    void **place = map_at(&granting->taken, key);
    const struct lease *holder = place ? *place : NULL;
    if (!place)
        return map_add(&granting->taken, key, (void *)lease);
    if (holder == lease || strcmp(holder->name, lease->name) != 0)
        return false;
    *place = (void *)lease;
    return true;
}

/* ---- choice ---- */

static const char *next_free(struct granting *granting, const struct lease *lease, struct address_pool *pool,
                             const char *link)
{
    while (!pool->is_spent) {
        const char *address = address_at(granting, pool, pool->next);
        pool->is_spent = pool->next == pool->last;
        pool->next++;
        if (map_add(&granting->taken, key_of(granting, link, address), (void *)lease))
            return address;
    }
    return reclaim_address(granting, pool, link);
}

static const char *pick_leased(struct granting *granting, const struct lease *lease,
                               struct address_pool *pool, const char *link, const char *recorded)
{
    const uint64_t host = recorded ? host_in(pool, recorded) : 0;
    if (recorded && host >= pool->first && host <= pool->last) {
        const char *kept = address_at(granting, pool, host);
        if (take_recorded(granting, lease, key_of(granting, link, kept)))
            return kept;
    }
    return next_free(granting, lease, pool, link);
}

/* The recorded one, in another subnet its host part, or what the MAC address makes. */
static const char *pick_made(struct granting *granting, const struct lease_address *address,
                             const struct address_pool *pool, const char *link)
{
    const uint64_t host = address->address6 ? host_in(pool, address->address6) : 0;
    const char *moved = host >= pool->first ? address_at(granting, pool, host) : NULL;
    if (moved && !is_said(granting, key_of(granting, link, moved)))
        return moved;
    return address6_of_mac(granting->arena, pool->subnet, address->mac); /* the other is another's now */
}

const char *granting_address(struct granting *granting, const struct lease *lease,
                             const struct lease_address *address, bool of6)
{
    const struct lan *lan = lan_of(granting, address->network);
    struct address_pool *pool = pool_of(granting, address->network, of6);
    if (of6 && !(lan->body && network_is_attached(lan->body)))
        return pick_made(granting, address, pool, lan->link);
    return pick_leased(granting, lease, pool, lan->link, of6 ? address->address6 : address->address);
}
