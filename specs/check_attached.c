/* Networks that are attached to what the host has, and the places of containers in them. */
#include <string.h>

#include "specs/check.h"
#include "specs/forms.h"

static struct place place_of(const struct network *network, const char *key)
{
    return field_place(&network_table, network, field_by_key(&network_table, key));
}

static void report_gateway(struct world *world, const struct network *network, const char *key,
                           const char *range, const char *gateway)
{
    problem_add(world->problems, place_of(network, key), "let it end before the gateway, or begin behind it",
                "%s %s holds the gateway %s, which is no container's", key, range, gateway);
}

static void check_range(struct world *world, const struct network *network)
{
    struct subnet subnet;
    uint32_t first, last, gateway;
    if (!network->range || !range_parse(network->range, &first, &last))
        return;
    if (!network->subnet || !subnet_parse(network->subnet, &subnet))
        problem_add(world->problems, place_of(network, "range"), "add the LAN's subnet to the network",
                    "range %s: the network has no declared subnet", network->range);
    else if (first <= subnet.first || last >= subnet.last)
        problem_add(world->problems, place_of(network, "range"), NULL,
                    "range %s does not lie among the addresses of hosts in %s", network->range,
                    network->subnet);
    else if (network->gateway && ipv4_parse(network->gateway, &gateway) && gateway >= first &&
             gateway <= last)
        report_gateway(world, network, "range", network->range, network->gateway);
}

/* A router's address on its link alone is in no range. */
static bool is_in_range6(struct world *world, const char *address, const struct range6 *range)
{
    struct range6 one; /* a range of its own */
    return address && range6_parse(arena_join(world->arena, address, '-', address), &one) &&
           one.subnet == range->subnet && one.first >= range->first && one.first <= range->last;
}

static void check_range6(struct world *world, const struct network *network)
{
    struct range6 range;
    if (!network->range6 || !range6_parse(network->range6, &range))
        return;
    const char *first = arena_strndup(world->arena, network->range6, strcspn(network->range6, "-"));
    if (!network->subnet6)
        problem_add(world->problems, place_of(network, "range6"), "add the LAN's subnet6 to the network",
                    "range6 %s: the network has no declared IPv6 subnet", network->range6);
    else if (range.first == 0 || !is_in_subnet6(first, network->subnet6))
        problem_add(world->problems, place_of(network, "range6"), NULL,
                    "range6 %s does not lie among the addresses of hosts in %s", network->range6,
                    network->subnet6);
    else if (is_in_range6(world, network->gateway6, &range))
        report_gateway(world, network, "range6", network->range6, network->gateway6);
}

/* Of a LAN there is nothing to make up. */
static void check_subnet6(struct world *world, const struct network *network)
{
    if (network->subnet6 && strcmp(network->subnet6, "auto") == 0)
        problem_add(world->problems, place_of(network, "subnet6"), "write the LAN's subnet6, or remove it",
                    "subnet6 auto: an attached network has the subnet of its LAN");
    else
        check_range6(world, network);
}

static void check_attached(struct world *world, const struct network *network)
{
    static const char *const ours[] = {"nat", "isolated", "nat_address", "nat_address6"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (field_is_said(&network_table, network, field_by_key(&network_table, ours[i])))
            problem_add(world->problems, place_of(network, ours[i]),
                        "remove it, or make the network fpsync's own: without bridge and parent",
                        "'%s': an attached network is not fpsync's to configure", ours[i]);
    if (network->bridge && network->parent)
        problem_add(world->problems, place_of(network, "parent"), "leave one of them out",
                    "bridge and parent exclude each other");
    check_range(world, network);
    check_subnet6(world, network);
}

static void check_network(struct world *world, const struct network *network)
{
    if (network_is_attached(network)) {
        check_attached(world, network);
        return;
    }
    if (network->range)
        problem_add(world->problems, place_of(network, "range"), "remove it, or add bridge or parent",
                    "'range': a network of fpsync's own leases all of its subnet");
    if (network->range6)
        problem_add(world->problems, place_of(network, "range6"), "remove it, or add bridge or parent",
                    "'range6': a network of fpsync's own leases all of its subnet");
}

static void check_place(struct world *world, const struct object *object, const struct attachment *attachment)
{
    const struct object *found = world_find(world, KIND_NETWORK, attachment->network);
    const struct network *network = found ? found->body : NULL;
    const char *name = name_seen_from(world->arena, attachment->network, object);
    struct place dhcp = field_place(&attachment_table, attachment, field_by_key(&attachment_table, "dhcp"));
    if (!network)
        return;
    if (attachment->dhcp && !network_is_attached(network))
        problem_add(world->problems, dhcp, "remove it: fpsync leases an address and configures it",
                    "dhcp: network '%s' is fpsync's own", name);
    else if (attachment->dhcp && attachment->address)
        problem_add(world->problems, dhcp, "leave one of them out", "dhcp and address exclude each other");
    else if (attachment->dhcp && attachment->address6)
        problem_add(world->problems, dhcp, "leave one of them out", "dhcp and address6 exclude each other");
    else if (network_is_attached(network) && !attachment->dhcp && !attachment->address && !network->range)
        problem_add(world->problems, attachment->described.place,
                    "add address: A.B.C.D or dhcp: true, or a range to the network",
                    "network '%s' is attached: fpsync does not know which of its addresses are free", name);
}

void check_attachments(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        if (object->kind == KIND_NETWORK)
            check_network(world, object->body);
        if (object->kind != KIND_CONTAINER)
            continue;
        const struct list *networks = &((const struct container *)object->body)->networks;
        for (size_t j = 0; j < networks->count; j++)
            check_place(world, object, networks->items[j]);
    }
}
