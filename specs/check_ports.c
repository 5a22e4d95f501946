/* Ports of the host: each is claimed once, in ranges or singly, on one address or on all, over the whole set and what
 * other sources have on record.
 *
 * Claims are sorted by protocol and address and swept once each; a claim of one address is then looked up among those
 * of all addresses. So a set with many ranges costs no more than sorting it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "specs/check.h"
#include "specs/forms.h"
#include "specs/ports.h"

struct port_user { /* a port, which claims once for each protocol */
    const struct object *object;
    const struct port *port;
    size_t order; /* of reading; whoever comes later is told */
    bool is_own, told;
};

struct port_claim {
    struct port_user *user;
    const char *protocol, *address; /* address "": all */
    int64_t first, last;
    size_t widest; /* the claim up to here, of the same protocol and address, that ends last */
};

struct port_claims {
    struct port_claim *items;
    size_t count;
};

/* From 224.0.0.0 on: multicast, reserved, broadcast. A forward from there would be made, and never get a packet. */
static void check_port_address(struct world *world, const struct port *port)
{
    uint32_t address;
    if (!port->address)
        return;
    if (strcmp(port->address, "::1") == 0)
        problem_add(world->problems, port->described.place, "take 127.0.0.1, or an address of the host",
                    "port %s: the kernel leads nothing from ::1 into a container", port->listen);
    else if (ipv4_parse(port->address, &address) ? address >> 29 == 7 : strncmp(port->address, "ff", 2) == 0)
        problem_add(world->problems, port->described.place, "leave the address out to take all of the host's",
                    "port %" PRId64 ": %s is not an address that a host can have", port->host, port->address);
}

static bool has_ipv6(const struct world *world, const struct container *container)
{
    for (size_t i = 0; i < container->networks.count; i++) {
        const struct attachment *attachment = container->networks.items[i];
        const struct object *network = world_find(world, KIND_NETWORK, attachment->network);
        if (network && !network_is_attached(network->body) &&
            ((const struct network *)network->body)->subnet6)
            return true;
    }
    return false;
}

static void claim_port(struct world *world, struct port_claims *claims, const struct object *object,
                       const struct port *port, bool is_own)
{
    static const char *const protocols[] = {"tcp", "udp"};
    struct port_user *user = arena_new_of(world->arena, struct port_user);
    *user = (struct port_user){.object = object, .port = port, .order = claims->count, .is_own = is_own};
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (port_speaks(port, protocols[i]))
            *arena_append(world->arena, claims->items, claims->count) =
                (struct port_claim){.user = user,
                                    .protocol = protocols[i],
                                    .address = port->address ? port->address : "",
                                    .first = port->host,
                                    .last = port->host + port->count - 1};
}

/* In an attached network it has an address of the LAN already. */
static bool has_own_network(const struct world *world, const struct container *container)
{
    for (size_t i = 0; i < container->networks.count; i++) {
        const struct attachment *attachment = container->networks.items[i];
        const struct object *network = world_find(world, KIND_NETWORK, attachment->network);
        if (!network || !network_is_attached(network->body))
            return true;
    }
    return false;
}

/* What the members of a set share is claimed by the first, who is there for as long as the set is. */
static bool is_spoken_for(const struct container *container, const struct object *object)
{
    return container->set && strcmp(object->name + strlen(container->set), "-1") != 0;
}

static void claim_ports(struct world *world, struct port_claims *claims, const struct object *object,
                        bool is_own)
{
    const struct container *container = object->kind == KIND_CONTAINER ? object->body : NULL;
    if (!container || is_spoken_for(container, object))
        return;
    for (size_t i = 0; i < container->ports.count; i++) {
        const struct port *port = container->ports.items[i];
        if (!port->protocol || !port->host)
            continue; /* a problem says why */
        claim_port(world, claims, object, port, is_own);
        if (is_own)
            check_port_address(world, port);
        if (is_own && port->address && strchr(port->address, ':') && !has_ipv6(world, container))
            problem_add(world->problems, port->described.place, "add subnet6: auto to a network of it",
                        "port %s: the container has no IPv6 address", port->listen);
    }
    if (!is_own || !container->ports.count || has_own_network(world, container))
        return;
    const struct place place =
        field_place(&container_table, container, field_by_key(&container_table, "ports"));
    if (container->host_network)
        problem_add(world->problems, place, "remove ports: what it listens on is open on the host",
                    "a container on the host's network has no ports of its own");
    else if (container->networks.count)
        problem_add(world->problems, place, "add a network, or remove ports",
                    "ports lead nowhere in a container that is in attached networks only");
    else
        problem_add(world->problems, place, "add a network, or remove ports",
                    "ports lead nowhere in a container without a network");
}

static int compare_group(const struct port_claim *left, const struct port_claim *right)
{
    int protocol = strcmp(left->protocol, right->protocol);
    return protocol ? protocol : strcmp(left->address, right->address);
}

static int compare_claims(const void *left, const void *right)
{
    const struct port_claim *a = left, *b = right;
    int group = compare_group(a, b);
    if (group)
        return group;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->user->order > b->user->order) - (a->user->order < b->user->order);
}

static void report_clash(struct world *world, const struct port_claim *one, const struct port_claim *other)
{
    const bool first_is_later = one->user->order > other->user->order;
    struct port_user *told = first_is_later ? one->user : other->user;
    const struct port_user *met = first_is_later ? other->user : one->user;
    const struct port *port = told->port;
    if (!told->is_own || told->told || met == told)
        return;
    told->told = true;
    problem_add(
        world->problems, port->described.place,
        !port->address != !met->port->address ? "a forward without an address takes the port of all of them"
                                              : "take another port or address of the host",
        "port %s of %s is taken by %s", port_key(world->arena, NULL, port->host, port->count, port->protocol),
        port->address ? port->address : "all addresses", world_name(world, met->object, told->object));
}

/* Of the same address. Fills `widest`. */
static void sweep(struct world *world, struct port_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct port_claim *claim = &claims->items[i];
        claim->widest = i;
        if (!i || compare_group(claim, claim - 1) != 0)
            continue;
        const size_t widest = claim[-1].widest;
        if (claims->items[widest].last >= claim->first)
            report_clash(world, claim, &claims->items[widest]);
        if (claims->items[widest].last > claim->last)
            claim->widest = widest;
    }
}

/* The claim of all addresses that begins last among those up to the end of this one, or NULL. */
static const struct port_claim *general_before(const struct port_claims *claims,
                                               const struct port_claim *particular)
{
    struct port_claim key = *particular;
    key.address = "";
    key.first = particular->last;
    size_t low = 0, high = claims->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct port_claim *claim = &claims->items[middle];
        int group = compare_group(claim, &key);
        if (group < 0 || (group == 0 && claim->first <= key.first))
            low = middle + 1;
        else
            high = middle;
    }
    return low && compare_group(&claims->items[low - 1], &key) == 0 ? &claims->items[low - 1] : NULL;
}

void check_ports(struct world *world)
{
    struct port_claims claims = {0};
    for (size_t i = 0; i < world->foreign.count; i++)
        claim_ports(world, &claims, world->foreign.items[i], false);
    for (size_t i = 0; i < world->own->count; i++)
        claim_ports(world, &claims, world->own->items[i], true);
    if (claims.count)
        qsort(claims.items, claims.count, sizeof(*claims.items), compare_claims);
    sweep(world, &claims);
    for (size_t i = 0; i < claims.count; i++) {
        const struct port_claim *claim = &claims.items[i];
        const struct port_claim *general = *claim->address ? general_before(&claims, claim) : NULL;
        if (general && claims.items[general->widest].last >= claim->first)
            report_clash(world, claim, &claims.items[general->widest]);
    }
}
