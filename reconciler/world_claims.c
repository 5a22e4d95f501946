/* Which host ports that a plan would open are led elsewhere by rules of others: Docker's -p, somebody's own dnat. */
#include <string.h>

#include "drivers/network/firewall.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/world.h"
#include "specs/ports.h"

struct asking {
    struct arena *arena;
    struct crossing *crossings;
    const struct port **ports; /* of each crossing */
    size_t count, port_count;
};

static bool has_port(const struct container *body, const struct port *port)
{
    for (size_t i = 0; body && i < body->ports.count; i++)
        if (text_is_same(((const struct port *)body->ports.items[i])->listen, port->listen))
            return true;
    return false;
}

static bool has_network6(const struct actual *actual, const struct object_set *desired,
                         const struct container *body)
{
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *name = ((const struct attachment *)body->networks.items[i])->network;
        const struct object *wanted = object_find(desired, KIND_NETWORK, name);
        const struct entry *entry = wanted ? NULL : actual_find(actual, KIND_NETWORK, name);
        const struct network *network = wanted ? wanted->body : entry ? entry->object.body : NULL;
        if (network && network->subnet6 && !network_is_attached(network))
            return true;
    }
    return false;
}

static void ask_for(struct asking *asking, const struct port *port, bool has6)
{
    static const char *const protocols[] = {"tcp", "udp"};
    const bool of6 = port->address && strchr(port->address, ':');
    for (size_t i = 0; i < 4; i++) {
        const bool is6 = i / 2;
        if (!port_speaks(port, protocols[i % 2]) || (port->address && of6 != is6) || (is6 && !has6))
            continue;
        *arena_append(asking->arena, asking->ports, asking->port_count) = port;
        *arena_append(asking->arena, asking->crossings, asking->count) =
            (struct crossing){.protocol = protocols[i % 2],
                              .listen = port->address,
                              .host = port->host,
                              .count = port->count,
                              .is6 = is6};
    }
}

void world_look_at_claims(const struct paths *paths, const struct actual *actual,
                          const struct object_set *desired, struct arena *arena, struct world *world)
{
    struct asking asking = {.arena = arena};
    struct error ignored; /* rules that change all the time hold nothing back */
    world->claims = NULL;
    world->claim_count = 0;
    for (size_t i = 0; i < desired->count; i++) {
        const struct object *object = desired->items[i];
        if (object->kind != KIND_CONTAINER)
            continue;
        const struct container *body = object->body;
        const struct entry *entry =
            body->ports.count ? actual_find(actual, KIND_CONTAINER, object->name) : NULL;
        for (size_t j = 0; j < body->ports.count; j++) {
            const struct port *port = body->ports.items[j];
            if (!port->take && !has_port(entry ? entry->object.body : NULL, port))
                ask_for(&asking, port, has_network6(actual, desired, body));
        }
    }
    if (!asking.count || !firewall_view.claims)
        return;
    const char **rules = arena_array_of(arena, const char *, asking.count);
    if (firewall_view.claims(paths, asking.crossings, asking.count, arena, rules, &ignored) < 0)
        return;
    for (size_t i = 0; i < asking.count; i++)
        if (rules[i])
            *arena_append(arena, world->claims, world->claim_count) =
                (struct world_claim){asking.ports[i]->listen, rules[i]};
}

const char *world_claim(const struct world *world, const struct port *port)
{
    for (size_t i = 0; i < world->claim_count; i++)
        if (text_is_same(world->claims[i].listen, port->listen))
            return world->claims[i].rule;
    return NULL;
}
