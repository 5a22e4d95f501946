#include "reconciler/routes.h"

#include <string.h>

#include "lib/map.h"
#include "reconciler/addresses.h"
#include "reconciler/addresses6.h"

static const struct network *network_of(const struct routes *routes, const char *name)
{
    if (routes->target) {
        const struct object *object = object_find(routes->target->all, KIND_NETWORK, name);
        return object ? object->body : NULL;
    }
    const struct entry *entry = actual_find(routes->actual, KIND_NETWORK, name);
    return entry ? entry->object.body : NULL;
}

static const struct lease *lease_of(const struct routes *routes, enum kind kind, const char *name)
{
    return routes->target ? grants_find(routes->target->grants, kind, name)
                          : lease_recorded(routes->actual->snapshot, kind, name);
}

static const char *address_in(const struct routes *routes, const char *container, const char *network)
{
    const struct lease *lease = lease_of(routes, KIND_CONTAINER, container);
    const struct lease_address *address = lease ? lease_in(lease, network) : NULL;
    if (!address || address->index < 0)
        return NULL;
    return routes->of6 ? address->address6 : address->address;
}

static bool is_container(const char *gateway)
{
    return gateway && strchr(gateway, '/');
}

/* What a network says of its gateway: an address speaks for its own family, everything else for both. */
static const char *said_gateway(const struct routes *routes, const struct network *body)
{
    if (!routes->of6)
        return body->gateway;
    return body->gateway6                                                             ? body->gateway6
           : is_container(body->gateway) || text_is_same(body->gateway, GATEWAY_NONE) ? body->gateway
                                                                                      : NULL;
}

const char *routes_gateway(const struct routes *routes, const char *network)
{
    const struct network *body = network_of(routes, network);
    const struct lease *lease = lease_of(routes, KIND_NETWORK, network);
    const char *said = body ? said_gateway(routes, body) : NULL;
    const char *subnet = !lease ? NULL : routes->of6 ? lease->subnet6 : lease->subnet;
    if (!body || !lease || text_is_same(said, GATEWAY_NONE) || (routes->of6 && !subnet))
        return NULL;
    if (said)
        return is_container(said) ? address_in(routes, said, network) : said;
    if (network_is_attached(body) || !subnet)
        return NULL;
    char *bridge =
        routes->of6 ? subnet6_gateway(routes->arena, subnet) : subnet_gateway(routes->arena, subnet);
    *strchr(bridge, '/') = '\0';
    return bridge;
}

/* Nobody is his own gateway; of IPv6 the kernel even refuses it, and in a LAN only some have an address of that. */
static const char *gateway_for(const struct routes *routes, const char *name, const char *network)
{
    const struct network *body = network_of(routes, network);
    const char *gateway =
        body && text_is_same(said_gateway(routes, body), name) ? NULL : routes_gateway(routes, network);
    const char *own = gateway && routes->of6 ? address_in(routes, name, network) : NULL;
    return routes->of6 && (!own || strcmp(gateway, own) == 0) ? NULL : gateway;
}

/* The bridge of an isolated network leads nowhere, but answers to a forwarded port go back by it: it is the way of who
 * has no other. */
static bool leads_out(const struct routes *routes, const char *network)
{
    const struct network *body = network_of(routes, network);
    return body && (!body->isolated || said_gateway(routes, body));
}

struct way_out routes_way_out(const struct routes *routes, const char *name, const struct container *body)
{
    struct way_out best = {0};
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        bool better = !best.network || attachment->default_route ||
                      (!leads_out(routes, best.network) && leads_out(routes, attachment->network));
        const char *gateway =
            better && !attachment->dhcp ? gateway_for(routes, name, attachment->network) : NULL;
        if (gateway || (better && attachment->dhcp))
            best = (struct way_out){.network = attachment->network, .gateway = gateway};
        if (text_is_same(best.network, attachment->network) && attachment->default_route)
            return best;
    }
    return best;
}

bool routes_lead_in6(const struct routes *routes, const char *name, const struct container *body)
{
    const struct lease *lease = lease_of(routes, KIND_CONTAINER, name);
    for (size_t i = 0; lease && i < body->networks.count; i++) {
        const struct lease_address *address =
            lease_in(lease, item_key(&attachment_table, body->networks.items[i]));
        const struct network *network =
            address && address->address6 ? network_of(routes, address->network) : NULL;
        if (network && !network_is_attached(network))
            return true;
    }
    return false;
}

const char *routes_print(struct arena *arena, struct way_out way)
{
    return way.network ? arena_printf(arena, "%s in %s", way.gateway ? way.gateway : "by DHCP", way.network)
                       : NULL;
}
