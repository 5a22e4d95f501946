/* Ways out: what the fields of one network say together, who is its gateway, and who has which default route. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/map.h"
#include "specs/check.h"
#include "specs/forms.h"

static struct place place_of(const struct network *network, const char *key)
{
    return field_place(&network_table, network, field_by_key(&network_table, key));
}

static void check_nat_address(struct world *world, const struct network *network)
{
    if (!network->nat_address || (network->nat && !network->isolated))
        return;
    problem_add(world->problems, place_of(network, "nat_address"),
                network->isolated ? "remove nat_address, or isolated" : "remove nat_address, or nat: false",
                "nat_address %s: %s", network->nat_address,
                network->isolated ? "nothing leaves an isolated network"
                                  : "the network is routed without NAT");
}

static void check_nat_address6(struct world *world, const struct network *network)
{
    if (!network->nat_address6 || network_is_attached(network) ||
        (network->nat && !network->isolated && network->subnet6))
        return;
    const char *other = !network->subnet6 ? NULL : network->isolated ? "isolated" : "nat: false";
    problem_add(world->problems, place_of(network, "nat_address6"),
                other ? arena_printf(world->arena, "remove nat_address6, or %s", other)
                      : "add a subnet6 to the network",
                "nat_address6 %s: %s", network->nat_address6,
                !network->subnet6   ? "the network has no IPv6"
                : network->isolated ? "nothing leaves an isolated network"
                                    : "the network is routed without NAT");
}

/* A router that is in the network, and so has an address there. */
static void check_gateway_container(struct world *world, const struct object *object, const char *key,
                                    const char *gateway)
{
    const struct object *container = world_find(world, KIND_CONTAINER, gateway);
    const char *name = name_seen_from(world->arena, gateway, object);
    struct place place = place_of(object->body, key);
    const char *first = arena_printf(world->arena, "%s-1", gateway);
    const struct object *member = container ? NULL : world_find(world, KIND_CONTAINER, first);
    if (member && text_is_same(((const struct container *)member->body)->set, gateway))
        problem_add(
            world->problems, place,
            arena_printf(world->arena, "name one of them: %s", name_seen_from(world->arena, first, object)),
            "'%s' is a set of replicas, and a network has one gateway", name);
    else if (!container && !world->incomplete)
        problem_add(world->problems, place, "declare it below containers:, or write an address or none",
                    "there is no container '%s'", name);
    else if (container && !list_find(&((const struct container *)container->body)->networks,
                                     &attachment_table, object->name))
        problem_add(world->problems, place,
                    arena_printf(world->arena, "add %s to its networks", name_bare(object->name)),
                    "container '%s' is not in the network", name);
}

static void check_gateway_address(struct world *world, const struct network *network)
{
    struct subnet subnet;
    uint32_t address;
    if (!ipv4_parse(network->gateway, &address))
        return;
    if (!network->subnet || !subnet_parse(network->subnet, &subnet))
        problem_add(world->problems, place_of(network, "gateway"), "add a subnet to the network",
                    "gateway %s: the network has no declared subnet", network->gateway);
    else if (address <= subnet.first || address >= subnet.last)
        problem_add(world->problems, place_of(network, "gateway"), NULL,
                    "gateway %s is not an address of a host in %s", network->gateway, network->subnet);
}

/* A router of the LAN by its link's own address. */
static bool is_on_link(const struct network *network)
{
    struct in6_addr address;
    return network_is_attached(network) && inet_pton(AF_INET6, network->gateway6, &address) == 1 &&
           IN6_IS_ADDR_LINKLOCAL(&address);
}

static void check_gateway_address6(struct world *world, const struct network *network)
{
    const char *subnet = network->subnet6, *gateway = network->gateway6;
    if (subnet && is_on_link(network))
        return;
    if (!subnet || (strcmp(subnet, "auto") == 0 && strchr(gateway, ':')))
        problem_add(world->problems, place_of(network, "gateway6"),
                    subnet ? "write the subnet instead of auto" : "add a subnet6 to the network",
                    "gateway6 %s: the network has no declared IPv6 subnet", gateway);
    else if (strchr(gateway, ':') && !is_in_subnet6(gateway, subnet))
        problem_add(world->problems, place_of(network, "gateway6"),
                    network_is_attached(network)
                        ? "write a router's address there, or its link's own, which begins with fe80"
                        : NULL,
                    "gateway6 %s is not an address in %s", gateway, subnet);
}

static void check_network(struct world *world, const struct object *object)
{
    const struct network *network = object->body;
    check_nat_address(world, network);
    check_nat_address6(world, network);
    if (network->gateway && strchr(network->gateway, '/'))
        check_gateway_container(world, object, "gateway", network->gateway);
    else if (network->gateway)
        check_gateway_address(world, network);
    if (network->gateway6 && strchr(network->gateway6, '/'))
        check_gateway_container(world, object, "gateway6", network->gateway6);
    if (network->gateway6)
        check_gateway_address6(world, network);
}

static void check_default_routes(struct world *world, const struct object *object)
{
    const struct list *networks = &((const struct container *)object->body)->networks;
    const struct attachment *first = NULL;
    for (size_t i = 0; i < networks->count; i++) {
        const struct attachment *attachment = networks->items[i];
        const struct object *network = world_find(world, KIND_NETWORK, attachment->network);
        const char *gateway = network ? ((const struct network *)network->body)->gateway : NULL;
        struct place place =
            field_place(&attachment_table, attachment, field_by_key(&attachment_table, "default_route"));
        if (!attachment->default_route)
            continue;
        if (first)
            problem_add(world->problems, place, "leave it to one of them",
                        "default_route: '%s' has it already",
                        name_seen_from(world->arena, first->network, object));
        else if (gateway && (strcmp(gateway, GATEWAY_NONE) == 0 || strcmp(gateway, object->name) == 0))
            problem_add(world->problems, place, NULL, "default_route: network '%s' has no gateway for it",
                        name_seen_from(world->arena, attachment->network, object));
        first = attachment;
    }
}

void check_ways_out(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        if (world->own->items[i]->kind == KIND_NETWORK)
            check_network(world, world->own->items[i]);
        if (world->own->items[i]->kind == KIND_CONTAINER)
            check_default_routes(world, world->own->items[i]);
    }
}
