/* The network family's effects as one table; bridge.c, port.c, rules.c and resolver.c hold them. */
#include "drivers/network/internal.h"

const struct network_effects network_effects = {
    .create_bridge = bridge_create,
    .delete_bridge = bridge_delete,
    .set_rules = rules_set,
    .delete_rules = rules_delete,
    .set_resolver = resolver_set,
    .delete_resolver = resolver_delete,
    .mark_port = port_mark,
    .unmark_link = link_unmark,
    .attach_port = port_attach,
    .delete_macvlan = macvlan_delete,
    .set_forwarding = guest_forwarding_set,
    .delete_port = port_delete,
};
