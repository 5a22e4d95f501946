/* Who reaches what: ways through this host, with what the packet filters on them do. For commands that tell of it. */
#pragma once

#include "drivers/network/firewall.h"
#include "reconciler/session.h"

enum reach_from { REACH_HOST, REACH_CONTAINERS, REACH_OUTSIDE };

struct reach {
    enum reach_from from;
    const char *way;      /* full name of the containers' network, or the interface; NULL: the host itself */
    const char *way_home; /* the bridge or interface of that */
    const char *network;  /* full name, that the target is in */
    struct crossing crossing;
    struct weighed weighed;
};

struct reaches {
    struct reach *items;
    size_t count;
};

/* Appends all ways to a forward that leads to `target` (and `target6`, both may be NULL), an address of the lease. */
int reach_add_port(const struct session *session, const struct lease *lease, const struct port *port,
                   const char *target, const char *target6, struct reaches *into, struct error *error);
/* Ways out of all networks of ours by the host's default routes, and, with bridge-nf, between the containers of one. */
int reach_add_networks(const struct session *session, struct reaches *out_of, struct reaches *within,
                       struct error *error);
/* Fills in what happens on each way. */
int reach_weigh(const struct session *session, struct reaches *reaches, struct error *error);

/* What would let it through: a command or two of the firewall's own tool. */
const char *reach_remedy(const struct session *session, const struct reach *reach);
