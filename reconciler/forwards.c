#include "reconciler/forwards.h"

#include <string.h>

#include "reconciler/target.h"
#include "specs/ports.h"

struct forward_walk { /* over the forwards of a port */
    const struct port *port;
    bool has4, has6;
    bool is6;             /* of the one that it stands at */
    const char *protocol; /* the same */
    int64_t offset, step;
};

static void walk_begin(struct forward_walk *walk, const struct port *port, bool has6)
{
    const bool of6 = port->address && strchr(port->address, ':');
    *walk = (struct forward_walk){.port = port,
                                  .has4 = !of6,
                                  .has6 = has6 && (of6 || !port->address),
                                  .is6 = of6,
                                  .step = port->host == port->guest ? port->count : 1};
    walk->offset = -walk->step;
    walk->protocol = port_speaks(port, "tcp") ? "tcp" : "udp";
}

static bool walk_next(struct forward_walk *walk)
{
    if (!walk->has4 && !walk->has6)
        return false;
    walk->offset += walk->step;
    if (walk->offset < walk->port->count)
        return true;
    walk->offset = 0;
    if (strcmp(walk->protocol, "tcp") == 0 && port_speaks(walk->port, "udp")) {
        walk->protocol = "udp";
        return true;
    }
    if (walk->is6 || !walk->has6)
        return false;
    walk->is6 = true;
    walk->protocol = port_speaks(walk->port, "tcp") ? "tcp" : "udp";
    return true;
}

static const char *walk_key(const struct forward_walk *walk, struct arena *arena)
{
    const struct port *port = walk->port;
    if (walk->step == port->count && strcmp(walk->protocol, port->protocol) == 0 &&
        (port->address || !walk->is6))
        return port->listen;
    return forward_key(arena, port->address, walk->is6, port->host + walk->offset, walk->step,
                       walk->protocol);
}

void forwards_of_port(struct arena *arena, const struct port *port, const char *target, const char *target6,
                      struct list *into)
{
    struct forward_walk walk;
    for (walk_begin(&walk, port, target6); walk_next(&walk);) {
        struct rule_forward *forward = described_new(arena, &rule_forward_table);
        forward->listen = walk_key(&walk, arena);
        forward->protocol = walk.protocol;
        forward->address = port->address;
        forward->host = port->host + walk.offset;
        forward->target = walk.is6 ? target6 : target;
        forward->guest = port->guest + walk.offset;
        forward->count = walk.step;
        *arena_append(arena, into->items, into->count) = described_whole(&rule_forward_table, forward);
    }
}

void forwards_share(struct arena *arena, const struct list *own, struct list *into)
{
    for (size_t i = 0; i < own->count; i++) {
        struct rule_forward *forward = own->items[i];
        struct rule_forward *known = list_find(into, &rule_forward_table, forward->listen);
        if (!known) {
            *arena_append(arena, into->items, into->count) = forward;
            continue;
        }
        if (known->guest != forward->guest)
            continue; /* held back as it was before the set changed */
        if (!known->shared.count)
            *arena_append(arena, known->shared.items, known->shared.count) = known->target;
        *arena_append(arena, known->shared.items, known->shared.count) = forward->target;
    }
}

struct forward_state forwards_seen(struct arena *arena, const struct port *port, bool has6,
                                   const struct world *world)
{
    struct forward_state state = {0};
    struct forward_walk walk;
    for (walk_begin(&walk, port, has6); walk_next(&walk); state.wanted++) {
        const struct rule_forward *found = world_forward(world, walk_key(&walk, arena));
        const char **target = walk.is6 ? &state.target6 : &state.target;
        const struct texts **shared = walk.is6 ? &state.shared6 : &state.shared;
        state.standing += found != NULL;
        if (found && !*target)
            *target = found->target;
        if (found && !*shared && found->shared.count)
            *shared = &found->shared;
    }
    return state;
}

bool forwards_stand(struct arena *arena, const struct port *port, bool has6, const struct world *world)
{
    const struct forward_state state = forwards_seen(arena, port, has6, world);
    return state.standing == state.wanted;
}
