/* What the fields of one network say together. */
#include "specs/check.h"

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

void check_ways_out(struct world *world)
{
    for (size_t i = 0; i < world->own->count; i++)
        if (world->own->items[i]->kind == KIND_NETWORK)
            check_nat_address(world, world->own->items[i]->body);
}
