/* Which way a container's packets leave: through which of its networks, and by whom.
 *
 * Pure. One side is what shall be (a target), the other what is recorded; the same question to both tells whether a
 * change of a network moves a container's default route. */
#pragma once

#include "reconciler/target.h"

struct routes {
    struct arena *arena;
    const struct target *target; /* NULL: the recorded side */
    const struct actual *actual;
    bool of6; /* those of IPv6 */
};

struct way_out {
    const char *network; /* NULL: there is no default route */
    const char *gateway; /* its address; NULL: whoever the LAN's DHCP server names */
};

/* What a network offers to those who are in it: an address, or NULL. */
const char *routes_gateway(const struct routes *routes, const char *network);
struct way_out routes_way_out(const struct routes *routes, const char *name, const struct container *body);
/* Whether forwards of IPv6 can lead to it: it has such an address in a network of fpsync's own. */
bool routes_lead_in6(const struct routes *routes, const char *name, const struct container *body);
/* "10.30.0.1 in shop/front", or NULL. */
const char *routes_print(struct arena *arena, struct way_out way);
