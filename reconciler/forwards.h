/* From a port to the forwards that it is made of: one a protocol, and where it leads to other numbers than its own,
 * one a port, since a range in the kernel's maps keeps the numbers as they are. */
#pragma once

#include "reconciler/world.h"

/* Appends the forwards of `port` into the container's addresses, of which `target6` may be NULL. */
void forwards_of_port(struct arena *arena, const struct port *port, const char *target, const char *target6,
                      struct list *into);

/* The forwards of a member of a set join those of the others. */
void forwards_share(struct arena *arena, const struct list *own, struct list *into);

struct forward_state {
    size_t wanted, standing;
    const struct texts *shared, *shared6; /* all that it leads to, where they are several; NULL */
    const char *target, *target6;         /* of the first that stands in each family; NULL: none does */
};
/* How many of them the rules in force have, whatever they lead to; `has6`: of routes_lead_in6(). */
struct forward_state forwards_seen(struct arena *arena, const struct port *port, bool has6,
                                   const struct world *world);
bool forwards_stand(struct arena *arena, const struct port *port, bool has6, const struct world *world);
