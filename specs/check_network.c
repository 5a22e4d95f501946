/* Subnets and addresses: claims on what exists once, against each other and against the record of other sources. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "specs/check.h"
#include "specs/forms.h"

#define WIDEST    8  /* prefix: 16 million addresses */
#define NARROWEST 30 /* the bridge and one container */

struct claimed_subnet {
    const struct object *object;
    struct subnet subnet;
    bool is_own;
};

/* ---- subnets ---- */

static struct place subnet_place(const struct object *object)
{
    return field_place(&network_table, object->body, field_by_key(&network_table, "subnet"));
}

static void check_usable(struct world *world, const struct claimed_subnet *claimed)
{
    static const char *const unusable[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"};
    const char *text = ((const struct network *)claimed->object->body)->subnet;
    if (claimed->subnet.prefix < WIDEST || claimed->subnet.prefix > NARROWEST)
        problem_add(world->problems, subnet_place(claimed->object), "a /24 holds 253 containers",
                    "subnet %s: the prefix must be from /%d to /%d", text, WIDEST, NARROWEST);
    for (size_t i = 0; i < sizeof(unusable) / sizeof(*unusable); i++) {
        struct subnet range;
        if (subnet_parse(unusable[i], &range) && claimed->subnet.first >= range.first &&
            claimed->subnet.first <= range.last)
            problem_add(world->problems, subnet_place(claimed->object),
                        "take one of 10.0.0.0/8 or 192.168.0.0/16", "subnet %s: %s is not for hosts", text,
                        unusable[i]);
    }
}

static int subnet_compare(const void *left, const void *right)
{
    const struct claimed_subnet *a = left, *b = right;
    if (a->subnet.first != b->subnet.first)
        return a->subnet.first < b->subnet.first ? -1 : 1;
    if (a->is_own != b->is_own)
        return a->is_own ? 1 : -1;
    return strcmp(a->object->name, b->object->name);
}

static void add_subnets(struct world *world, struct object *const *items, size_t count, bool is_own,
                        struct claimed_subnet **subnets, size_t *subnet_count)
{
    for (size_t i = 0; i < count; i++) {
        struct claimed_subnet claimed = {.object = items[i], .is_own = is_own};
        const struct network *network = items[i]->kind == KIND_NETWORK ? items[i]->body : NULL;
        const char *text = network && !network_is_attached(network) ? network->subnet : NULL;
        if (!text || !subnet_parse(text, &claimed.subnet))
            continue;
        if (is_own)
            check_usable(world, &claimed);
        *arena_append(world->arena, *subnets, *subnet_count) = claimed;
    }
}

static void report_overlap(struct world *world, const struct claimed_subnet *one,
                           const struct claimed_subnet *other)
{
    const struct claimed_subnet *told = one->is_own ? one : other, *met = one->is_own ? other : one;
    problem_add(world->problems, subnet_place(told->object), "give each network a subnet of its own",
                "subnet %s overlaps %s of %s", ((const struct network *)told->object->body)->subnet,
                ((const struct network *)met->object->body)->subnet,
                world_name(world, met->object, told->object));
}

void check_subnets(struct world *world)
{
    struct claimed_subnet *subnets = NULL;
    size_t count = 0;
    add_subnets(world, world->foreign.items, world->foreign.count, false, &subnets, &count);
    add_subnets(world, world->own->items, world->own->count, true, &subnets, &count);
    if (count)
        qsort(subnets, count, sizeof(*subnets), subnet_compare);
    for (size_t i = 1, widest = 0; i < count; i++) {
        if (subnets[i].subnet.first <= subnets[widest].subnet.last &&
            (subnets[i].is_own || subnets[widest].is_own))
            report_overlap(world, &subnets[i], &subnets[widest]);
        if (subnets[i].subnet.last > subnets[widest].subnet.last)
            widest = i;
    }
}

/* ---- addresses ---- */

/* In a network of fpsync's own it may be a container. In a LAN it is somebody else, or is named. */
static bool is_gateway(const struct network *network, const char *gateway, const char *address)
{
    return network_is_attached(network) && text_is_same(gateway, address);
}

static void report_gateway(struct world *world, struct place place, const char *address, const char *name)
{
    problem_add(world->problems, place,
                "take another; if the container is the LAN's router, name it as the network's gateway",
                "address %s is the gateway of network '%s'", address, name);
}

static bool address_fits(struct world *world, const struct attachment *attachment,
                         const struct object *network, struct place place, const struct object *from)
{
    const char *text = ((const struct network *)network->body)->subnet, *address = attachment->address;
    const char *name = name_seen_from(world->arena, attachment->network, from);
    struct subnet subnet;
    uint32_t value;
    if (!text || !subnet_parse(text, &subnet) || !ipv4_parse(address, &value)) {
        problem_add(world->problems, place, arena_printf(world->arena, "add a subnet to network %s", name),
                    "address %s: network '%s' has no declared subnet", address, name);
        return false;
    }
    if (value < subnet.first || value > subnet.last)
        problem_add(world->problems, place,
                    arena_printf(
                        world->arena, "its containers have addresses from %s to %s",
                        ipv4_print(world->arena, subnet.first + (network_is_attached(network->body) ? 1 : 2)),
                        ipv4_print(world->arena, subnet.last - 1)),
                    "address %s is not in %s of network '%s'", address, text, name);
    else if (value == subnet.first || value == subnet.last)
        problem_add(world->problems, place, NULL, "address %s is the %s address of %s", address,
                    value == subnet.first ? "network" : "broadcast", text);
    else if (is_gateway(network->body, ((const struct network *)network->body)->gateway, address))
        report_gateway(world, place, address, name);
    else if (value == subnet.first + 1 && !network_is_attached(network->body))
        problem_add(world->problems, place, "the first address of a subnet is its bridge's",
                    "address %s is that of network '%s' itself", address, name);
    else
        return true;
    return false;
}

/* The prefix of 64 bits is compared as text: both are canonical, and an address is spelled with its subnet's. */
bool is_in_subnet6(const char *address, const char *subnet)
{
    struct in6_addr host, base;
    char text[INET6_ADDRSTRLEN];
    const size_t length = strcspn(subnet, "/");
    if (length >= sizeof(text))
        return false;
    memcpy(text, subnet, length);
    text[length] = '\0';
    return inet_pton(AF_INET6, address, &host) == 1 && inet_pton(AF_INET6, text, &base) == 1 &&
           memcmp(&host, &base, 8) == 0;
}

static const char *trouble_of_address6(const struct network *network, const char *address)
{
    struct in6_addr host;
    if (!network->subnet6 || strcmp(network->subnet6, "auto") == 0)
        return "has no declared IPv6 subnet";
    if (!is_in_subnet6(address, network->subnet6))
        return "has another IPv6 subnet";
    inet_pton(AF_INET6, address, &host);
    if (!network_is_attached(network))
        host.s6_addr[15] &= 0xfe; /* the subnet's own address, and the bridge's */
    for (size_t i = 8; i < sizeof(host.s6_addr); i++)
        if (host.s6_addr[i])
            return NULL;
    return network_is_attached(network) ? "has it for all of its routers" : "has that address itself";
}

static const char *claim_key(struct world *world, const struct object *network, const char *address)
{
    return arena_join(world->arena, network_link(network->body, network->name), ' ', address);
}

static void claim_address6(struct world *world, struct map *claims, const struct object *object,
                           const struct attachment *attachment, bool is_own)
{
    const struct object *network = world_find(world, KIND_NETWORK, attachment->network);
    const struct place place =
        field_place(&attachment_table, attachment, field_by_key(&attachment_table, "address6"));
    if (!attachment->address6 || !network)
        return;
    const char *trouble = is_own ? trouble_of_address6(network->body, attachment->address6) : NULL;
    const char *key = claim_key(world, network, attachment->address6);
    const char *name = name_seen_from(world->arena, attachment->network, object);
    if (trouble)
        problem_add(world->problems, place, NULL, "address6 %s: network '%s' %s", attachment->address6, name,
                    trouble);
    else if (is_own && is_gateway(network->body, ((const struct network *)network->body)->gateway6,
                                  attachment->address6))
        report_gateway(world, place, attachment->address6, name);
    else if (!map_add(claims, key, (void *)object))
        problem_add(world->problems, place, NULL, "address %s is taken by %s", attachment->address6,
                    world_name(world, map_get(claims, key), object));
}

static void claim_subnet6(struct world *world, struct map *claims, const struct object *object, bool is_own)
{
    const struct network *network = object->body;
    if (object->kind != KIND_NETWORK || network_is_attached(network) || !network->subnet6 ||
        strcmp(network->subnet6, "auto") == 0 || map_add(claims, network->subnet6, (void *)object) || !is_own)
        return;
    problem_add(world->problems,
                field_place(&network_table, network, field_by_key(&network_table, "subnet6")),
                "give each network a subnet of its own", "subnet6 %s is taken by %s", network->subnet6,
                world_name(world, map_get(claims, network->subnet6), object));
}

static void claim_addresses(struct world *world, struct map *claims, const struct object *object, bool is_own)
{
    if (object->kind != KIND_CONTAINER)
        return;
    const struct list *networks = &((const struct container *)object->body)->networks;
    for (size_t i = 0; i < networks->count; i++) {
        const struct attachment *attachment = networks->items[i];
        const struct object *network = world_find(world, KIND_NETWORK, attachment->network);
        struct place place =
            field_place(&attachment_table, attachment, field_by_key(&attachment_table, "address"));
        claim_address6(world, claims, object, attachment, is_own);
        if (!attachment->address || !network ||
            (is_own && !address_fits(world, attachment, network, place, object)))
            continue;
        const char *key = claim_key(world, network, attachment->address);
        if (map_add(claims, key, (void *)object))
            continue;
        problem_add(world->problems, place, NULL, "address %s is taken by %s", attachment->address,
                    world_name(world, map_get(claims, key), object));
    }
}

void check_addresses(struct world *world)
{
    _cleanup_map_ struct map claims = {0};
    for (size_t i = 0; i < world->foreign.count; i++) {
        claim_subnet6(world, &claims, world->foreign.items[i], false);
        claim_addresses(world, &claims, world->foreign.items[i], false);
    }
    for (size_t i = 0; i < world->own->count; i++) {
        claim_subnet6(world, &claims, world->own->items[i], true);
        claim_addresses(world, &claims, world->own->items[i], true);
    }
}
