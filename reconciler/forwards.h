/* From a port to the forwards that it is made of: one a protocol, and where it leads to other numbers than its own,
 * one a port, since a range in the kernel's maps keeps the numbers as they are. */
#pragma once

#include "reconciler/world.h"

/* Appends the forwards of `port` into `target`, the container's address. */
void forwards_of_port(struct arena *arena, const struct port *port, const char *target, struct list *into);

struct forward_state {
    size_t wanted, standing;
    const char *target; /* of the first that stands; NULL: none does */
};
/* How many of them the rules in force have, whatever they lead to. */
struct forward_state forwards_seen(struct arena *arena, const struct port *port, const struct world *world);
bool forwards_stand(struct arena *arena, const struct port *port, const struct world *world);
