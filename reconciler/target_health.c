/* How the health of a container is found out. */
#include <string.h>

#include "reconciler/target.h"
#include "specs/forms.h"

/* What is leased to it: it may listen on one of these alone. */
static struct texts addresses_of(const struct target *target, const struct object *container)
{
    const struct lease *lease = grants_find(target->grants, KIND_CONTAINER, container->name);
    struct texts all = {0};
    for (size_t i = 0; lease && i < lease->addresses.count; i++) {
        const struct lease_address *address = lease->addresses.items[i];
        if (address->index >= 0 && address->address)
            *arena_append(target->arena, all.items, all.count) = address->address;
        if (address->index >= 0 && address->address6)
            *arena_append(target->arena, all.items, all.count) = address->address6;
    }
    return all;
}

struct container_probe *target_probe(const struct target *target, const struct object *container,
                                     int64_t most)
{
    const struct container *body = container->body;
    const struct health *health = body->health;
    struct container_probe *probe = described_new(target->arena, &container_probe_table);
    probe->lxc_name = object_lxc_name(target->paths, target->arena, container);
    probe->port = health->tcp;
    if (health->http)
        probe->page = http_split(health->http, &probe->port);
    else if (!health->tcp)
        probe->command = health->command;
    if (probe->port && !body->host_network)
        probe->addresses = addresses_of(target, container);
    probe->interval = health->interval;
    probe->timeout = health->timeout;
    probe->start_period = health->start_period;
    probe->retries = health->retries;
    probe->most = most;
    return described_whole(&container_probe_table, probe);
}
