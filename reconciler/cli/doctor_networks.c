/* doctor: what networks and ports name outside of themselves, and what is not as it would have to be there. */
#include <string.h>

#include "reconciler/cli/doctor.h"

/* "default/net (nat_address 192.0.2.1)", the first that is not there; NULL. */
static const char *stray_address(const struct session *session)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        const struct network *network = entry->kind == KIND_NETWORK ? entry->object.body : NULL;
        const struct container *container = entry->kind == KIND_CONTAINER ? entry->object.body : NULL;
        if (network && world_lacks_address(&session->world, network->nat_address))
            return arena_printf(session->arena, "%s, nat_address of network %s", network->nat_address,
                                entry->name);
        if (network && world_lacks_address(&session->world, network->nat_address6))
            return arena_printf(session->arena, "%s, nat_address6 of network %s", network->nat_address6,
                                entry->name);
        for (size_t j = 0; container && j < container->ports.count; j++) {
            const char *address = ((const struct port *)container->ports.items[j])->address;
            if (world_lacks_address(&session->world, address))
                return arena_printf(session->arena, "%s, of a port of container %s", address, entry->name);
        }
    }
    return NULL;
}

/* The container that a network has for its gateway, and that is none; NULL. */
static const char *idle_gateway(const struct session *session, const struct network *network)
{
    const char *const named[] = {network->gateway, network->gateway6};
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        const struct entry *entry = named[i] && strchr(named[i], '/')
                                        ? actual_find(&session->actual, KIND_CONTAINER, named[i])
                                        : NULL;
        const struct container *body = entry ? entry->object.body : NULL;
        if (body && !body->router && !container_is_adopted(body))
            return entry->name;
    }
    return NULL;
}

void doctor_check_networks(struct report *report, const struct session *session)
{
    const char *stray = stray_address(session), *idle = NULL;
    for (size_t i = 0; i < session->actual.count && !idle; i++)
        if (session->actual.items[i].kind == KIND_NETWORK)
            idle = idle_gateway(session, session->actual.items[i].object.body);
    doctor_check(
        report, !stray,
        &(struct finding){"addresses that files name are the host's",
                          arena_printf(session->arena, "the host does not have %s", stray ? stray : ""),
                          "only what others route to this host gets in or comes back by it",
                          "correct the address, or give it to an interface", false});
    doctor_check(report, !idle,
                 &(struct finding){"containers that are gateways are routers",
                                   arena_printf(session->arena, "container %s is a gateway and no router",
                                                idle ? idle : ""),
                                   "what its network sends to others ends there", "add router: true to it",
                                   false});
}
