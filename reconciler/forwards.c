#include "reconciler/forwards.h"

#include <string.h>

#include "reconciler/target.h"
#include "specs/ports.h"

struct forward_walk { /* over the forwards of a port */
    const struct port *port;
    const char *protocol; /* of the one that it stands at */
    int64_t offset, step;
};

static void walk_begin(struct forward_walk *walk, const struct port *port)
{
    *walk = (struct forward_walk){.port = port, .step = port->host == port->guest ? port->count : 1};
    walk->offset = -walk->step;
    walk->protocol = port_speaks(port, "tcp") ? "tcp" : "udp";
}

static bool walk_next(struct forward_walk *walk)
{
    walk->offset += walk->step;
    if (walk->offset < walk->port->count)
        return true;
    if (strcmp(walk->protocol, "udp") == 0 || !port_speaks(walk->port, "udp"))
        return false;
    walk->protocol = "udp";
    walk->offset = 0;
    return true;
}

static const char *walk_key(const struct forward_walk *walk, struct arena *arena)
{
    const struct port *port = walk->port;
    if (walk->step == port->count && strcmp(walk->protocol, port->protocol) == 0)
        return port->listen;
    return port_key(arena, port->address, port->host + walk->offset, walk->step, walk->protocol);
}

void forwards_of_port(struct arena *arena, const struct port *port, const char *target, struct list *into)
{
    struct forward_walk walk;
    for (walk_begin(&walk, port); walk_next(&walk);) {
        struct rule_forward *forward = described_new(arena, &rule_forward_table);
        forward->listen = walk_key(&walk, arena);
        forward->protocol = walk.protocol;
        forward->address = port->address;
        forward->host = port->host + walk.offset;
        forward->target = target;
        forward->guest = port->guest + walk.offset;
        forward->count = walk.step;
        *arena_append(arena, into->items, into->count) = described_whole(&rule_forward_table, forward);
    }
}

struct forward_state forwards_seen(struct arena *arena, const struct port *port, const struct world *world)
{
    struct forward_state state = {0};
    struct forward_walk walk;
    for (walk_begin(&walk, port); walk_next(&walk); state.wanted++) {
        const struct rule_forward *found = world_forward(world, walk_key(&walk, arena));
        state.standing += found != NULL;
        if (found && !state.target)
            state.target = found->target;
    }
    return state;
}

bool forwards_stand(struct arena *arena, const struct port *port, const struct world *world)
{
    struct forward_state state = forwards_seen(arena, port, world);
    return state.standing == state.wanted;
}
