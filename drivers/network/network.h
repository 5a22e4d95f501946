/* The network family: bridges and veths by libnl-route-3, rules by libnftables, names by one dnsmasq a network.
 *
 * A network is a bridge with the first address of its subnet. A port is the host end of a container's veth. Both
 * carry their mark, "fpsync UID FULLNAME", as interface alias (IFLA_IFALIAS); an interface without it is never
 * touched, even when its name is one of ours (-EPERM).
 *
 * All rules stand in our own nft tables (families ip and bridge, name paths->nft_table) and are replaced whole, in
 * one transaction, by set_rules(): a failed update leaves the old rules. Rules name ports, so they can stand before
 * the port exists; frames from a port that has no guard element are dropped, so a port never sends unguarded, not
 * even before or during an update.
 *
 * Effects are idempotent: "already so" is success and makes no mutating call. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "specs/model.h"

struct buffer;
struct error;

/* ---- rules: the same struct is what is wanted and what is observed ---- */

struct rule_network {
    struct described described;
    const char *bridge;       /* key; interface name */
    const char *subnet6;      /* "fd00:30::/64"; NULL: none */
    const char *subnet;       /* "10.30.0.0/24" */
    bool routed;              /* leaves the host as it is, not under the host's address */
    bool isolated;            /* does not leave; then `routed` is false and there is no address */
    const char *nat_address;  /* leaves under this one; NULL: under that of its way */
    const char *nat_address6; /* the same of IPv6 */
};
struct rule_guard { /* the one source a port may send from */
    struct described described;
    const char *port; /* key; interface name */
    const char *mac;
    const char *address;  /* NULL: any, the LAN gives it one */
    bool router;          /* sends what has others' addresses, too, from its own MAC */
    const char *address6; /* NULL: none */
    bool deaf; /* hears no router advertisements: a LAN's would give it addresses that are not its */
};
struct rule_forward {
    struct described described;
    const char *listen;   /* key, as of forward_key() */
    const char *protocol; /* "tcp" or "udp" */
    const char *address;  /* of the host; NULL: all */
    int64_t host;
    const char *target; /* container's address; its family is the forward's */
    int64_t guest;      /* more than one: the same as `host` */
    int64_t count;      /* of ports in a row */
    struct texts
        shared; /* `target` and more: connections are spread over these. Empty: there is one target */
};
#define FORWARD_DRAWS 65536 /* a connection draws one of these; every target has a row of them */
/* Where the share of target number `index` of `count` begins. */
static inline size_t forward_share(size_t index, size_t count)
{
    return index * FORWARD_DRAWS / count;
}
struct rule_asker { /* a guest on several networks: what it asks one's resolver goes to that of all of them */
    struct described described;
    const char *address;  /* key; the guest's */
    const char *bridge;   /* of the network in which it asks */
    const char *server;   /* whom it asks: the address of that bridge */
    const char *resolver; /* in 127.0.0.0/8; that of a struct resolver_union */
};
struct rules {
    struct described described;
    struct list networks, guards, forwards, askers; /* each sorted by key */
};
/* port_key(), save that all addresses of IPv6 are "[::]": of IPv4 there may be another forward. */
char *forward_key(struct arena *arena, const char *address, bool is6, int64_t host, int64_t count,
                  const char *protocol);
extern const struct table rule_network_table, rule_guard_table, rule_forward_table, rule_asker_table,
    rules_table;

/* ---- view ---- */

struct observed_bridge {
    const char *ifname;
    const char *mark; /* the alias; NULL: none */
    bool is_bridge, up;
    const char *address;  /* first IPv4 address as "10.30.0.1/24"; NULL: none */
    const char *address6; /* first IPv6 address that is not the link's own; NULL: none */
    const char *mac;
    bool forwards6;    /* the host's net.ipv6.conf.all.forwarding sets it on every interface */
    bool forwards;     /* lets guests out. The host's own net.ipv4.ip_forward sets it on every interface */
    bool routes_local; /* route_localnet: lets the host's 127.0.0.1 be forwarded into a guest */
};

struct observed_foreign { /* an interface of the host that may be somebody's LAN */
    const char *ifname;
    bool is_bridge;
    int index;
};

struct observed_port {
    const char *ifname;
    const char *mark;
    const char *master; /* interface name; NULL: none */
    bool up;
    bool hairpin;     /* a guest reaches itself by a forwarded port */
    int peer;         /* index of the other end, in its own namespace */
    int peer_netnsid; /* the kernel's number for that namespace; -1: none, or it is the host's */
};

struct
    observed_guest_nic { /* the far end of a port of ours, inside a running container's network namespace */
    const char *ifname;  /* "eth0" */
    int index;
    const char *peer; /* the port: host end's interface name; NULL: it has none, */
    int parent;       /* but is a macvlan of the host's interface of this index */
    const char *mac;
    struct texts addresses;  /* "10.30.0.10/24" */
    struct texts addresses6; /* the same, without the link's own */
    const char *lasting6;    /* the first of them that no router gave for a while; NULL: none */
    bool up;
    bool forwards, forwards6; /* what comes in by it may leave by another; of IPv6 */
    const char *gateway;      /* of a default route through it; NULL: none */
    int64_t metric;           /* of that route */
    const char *
        gateway6; /* as gateway, of the metric that the kernel gives, save what routers advertised; looked for
                     where there are addresses6 */
};
struct observed_guest {
    int64_t init_pid;
    bool ended; /* it has left its network by now: nothing of that can be seen any more */
    struct observed_guest_nic *nics;
    size_t count;
};

struct observed_resolver { /* a network's dnsmasq */
    const char *bridge;
    int64_t pid; /* 0: not running */
    const char *dhcp,
        *hosts;          /* as of resolver_texts(); NULL: not readable, or with files of others beside it */
    struct texts unions; /* addresses of those that run */
};

struct observed_listener { /* a socket of a host process, for port conflicts */
    const char *protocol;
    const char *address; /* NULL: all */
    bool takes4, takes6; /* of which family; a socket of IPv6 may take both */
    int64_t port;
    const char *process; /* "nginx (812)"; NULL: ask name_listener() */
    uint32_t inode;      /* of the socket; 0 when unknown */
};

struct observed_route {
    const char *subnet; /* "10.0.0.0/8"; the default route is left out */
    const char *ifname;
};

struct observed_network {
    struct observed_bridge *bridges; /* every interface of the tag's bridge class, foreign ones included */
    size_t bridge_count;
    struct observed_foreign *foreign; /* every other interface, save ours */
    size_t foreign_count;
    struct observed_port *ports;
    size_t port_count;
    bool rules_present;  /* our tables exist with all chains, sets and maps */
    struct rules *rules; /* what their sets and maps hold */
    bool flows_left;     /* what our rules led before goes on: set_rules() or, where our tables are gone,
                            delete_rules() ends that */
    bool forwards;       /* the host's net.ipv4.ip_forward; said only where there are bridges */
    /* Of the host, "10.30.0.1", save those that count on a link alone; NULL: not known. */
    const struct texts *own_addresses;
    struct observed_resolver *resolvers;
    size_t resolver_count;
    struct observed_listener *listeners;
    size_t listener_count;
    struct observed_route *routes, *routes6;
    size_t route_count, route6_count; /* those of IPv6 are looked for where they matter */
};

struct network_view {
    /* Links, addresses, routes: a netlink dump each; rules: one list of our tables; /proc/net/{tcp,udp}*; pid files. */
    int (*dump)(const struct paths *, const struct call *, struct observed_network *, struct error *);
    /* The far ends of our ports in the namespaces of `pids`, with addresses and default routes, by netnsid (no setns).
     * `network` is a dump made just before, whose ports tell where they lead. A process that is gone gives a guest
     * without NICs. */
    int (*dump_guests)(const struct paths *, const struct observed_network *network, const int64_t *pids,
                       size_t count, const struct call *, struct observed_guest **out, struct error *);
    /* Adds the macvlan NICs of a guest, which have no end here to be known by: looks into its namespace. */
    int (*dump_macvlans)(const struct paths *, struct observed_guest *guest, const struct call *,
                         struct error *);
    /* Every NIC of any container, ours or not, that leads out of its namespace; those by veth without `peer`. Only
     * `init_pid` is set before. A process that is gone has none. */
    int (*look_inside)(const struct paths *, struct observed_guest *guest, const struct call *,
                       struct error *);
    /* Adds the routes of IPv6: a host has one for every link there is. The pointer itself may be NULL. */
    int (*list_routes6)(struct observed_network *network, struct arena *arena, struct error *error);
    /* Who holds a listener, "nginx (812)", by a walk over all processes; NULL when it cannot be told. The pointer
     * itself may be NULL. */
    const char *(*name_listener)(const struct observed_listener *listener, struct arena *arena);
    /* Whether the kernel tells of the flows that it tracks, and ends them (ctnetlink). Needs root. The pointer itself may
     * be NULL. */
    bool (*tracks_flows)(const struct paths *);
};
extern const struct network_view network_view;

/* ---- effects ---- */

struct bridge {
    struct described described;
    const char *ifname;
    const char *mark;
    const char *address;  /* "10.30.0.1/24" */
    const char *address6; /* "fd00:30::1/64"; NULL: none, and what is there goes */
    const char *mac;      /* fixed, so that adding a port never changes the bridge's address */
};
extern const struct table bridge_table;

struct link_reference {
    struct described described;
    const char *ifname;
    const char *mark; /* what the link must carry to be deleted */
};
extern const struct table link_reference_table;

struct port_mark {
    struct described described;
    const char *ifname, *mark;
    bool foreign; /* its bridge is the host's: no hairpin, which would return broadcasts to the guest */
    const char *mac, *address; /* where the address was another container's, which may be remembered; NULL */
};
extern const struct table port_mark_table;

struct port_attach { /* a NIC into a running container */
    struct described described;
    const char *ifname, *mark, *bridge;
    int64_t init_pid, init_start; /* both must still match, else -ESRCH */
    int64_t index;                /* ethINDEX inside */
    const char *mac;
    const char *address; /* with prefix; NULL: the guest's own affair, its routes too */
    bool foreign;        /* as in struct port_mark */
    bool
        macvlan; /* of `bridge`, which is any interface; without an end on the host, a name or a mark there */
    bool
        taken; /* a NIC that it has with this MAC address becomes this one, whoever made it: its host end gets
                   the name and the mark, and inside nothing changes */
    bool emptied; /* without an address: what it has was ours and goes, and routers are asked anew */
    bool
        announced; /* the address was another container's, which may be remembered: who is on the bridge is told. It
                       takes some 10 ms: the kernel lets go of a packet socket at its leisure */
    const char *gateway; /* NULL: none; a default route without metric through it is taken away */
    const char *address6,
        *gateway6; /* NULL: none; without an address6 what is there goes. Both without an address, too,
                                        are the guest's own affair */
    bool spares6;  /* it is a LAN's guest by a network that says nothing of IPv6: what there is of that is the
                      guest's own affair, too, save */
    const char
        *left6; /* as address6: what was ours until now, which goes with its default route; NULL: nothing */
};
extern const struct table port_attach_table;

struct macvlan_reference { /* a NIC of a running container */
    struct described described;
    int64_t init_pid, init_start; /* both must still match, else -ESRCH */
    const char *mac;
};
extern const struct table macvlan_reference_table;

struct guest_forwarding { /* of the network namespace of a running container */
    struct described described;
    int64_t init_pid, init_start; /* both must still match, else -ESRCH */
    bool on;
    bool with6; /* of IPv6, too */
};
extern const struct table guest_forwarding_table;

#define RESOLVER_ROUTED "routed" /* dnsmasq's tag of those that are told of a router */

struct resolver_name { /* a container's names and its DHCP lease */
    struct described described;
    const char *container; /* key; full name */
    const char *mac, *address;
    const char *address6; /* NULL: none */
    struct texts names;   /* "web", "web.shop", "web.shop.internal" */
    bool is_default;      /* its default route leads through this network: only then DHCP tells of a router */
};
extern const struct table resolver_name_table;

/* A second dnsmasq, for the guests that are on several networks: dnsmasq answers everybody the same, so that one which
 * knows the names of two networks must be reached by those alone who are on both. It listens where no guest can send
 * to, and the rules lead there who may ask (struct rule_asker). It reads the names that the networks' own ones read. */
struct resolver_union {
    struct described described;
    const char *address;  /* key; in 127.0.0.0/8 */
    struct texts bridges; /* whose names it knows, sorted */
    bool isolated;        /* as in struct resolver: all of its networks are */
};
extern const struct table resolver_union_table;

struct resolver {
    struct described described;
    const char *network;          /* full name */
    const char *bridge, *address; /* "10.30.0.1/24" */
    bool isolated;                /* asks nobody else: names of others would be a way out */
    const char *gateway;          /* of those with a default route through it; NULL: nobody has */
    struct list
        names; /* of resolver_name: all of the network, sorted. What else lies beside their files is removed */
    struct list unions; /* sorted; each belongs to one of its networks. Others of this one end */
};
extern const struct table resolver_table;

struct network_effects {
    int (*create_bridge)(const struct paths *, const struct bridge *, const struct call *, struct error *);
    int (*delete_bridge)(const struct paths *, const struct link_reference *, const struct call *,
                         struct error *);
    /* Flows of UDP that the rules led elsewhere before, or not yet, end with it (flows.h). */
    int (*set_rules)(const struct paths *, const struct rules *, const struct call *, struct error *);
    /* Our tables and nothing else: for the day the last network goes. */
    int (*delete_rules)(const struct paths *, const struct call *, struct error *);
    /* Writes the files and starts dnsmasq where it does not run (own session and cgroup: it outlives the run); the same
     * for unions. */
    int (*set_resolver)(const struct paths *, const struct resolver *, const struct call *, struct error *);
    int (*delete_resolver)(const struct paths *, const struct link_reference *, const struct call *,
                           struct error *);
    /* Marks host ends that liblxc made. */
    int (*mark_port)(const struct paths *, const struct port_mark *, const struct call *, struct error *);
    /* Makes or mends the NIC: missing link, wrong bridge, MAC or address, link down. The init keeps running. */
    int (*attach_port)(const struct paths *, const struct port_attach *, const struct call *, struct error *);
    /* Absent is success. */
    int (*delete_macvlan)(const struct paths *, const struct macvlan_reference *, const struct call *,
                          struct error *);
    /* Turns it on or off for all of the container's interfaces, and those to come. */
    int (*set_forwarding)(const struct paths *, const struct guest_forwarding *, const struct call *,
                          struct error *);
    /* Takes the mark off a bridge or a port that carries it, and nothing else: it is nobody's then. */
    int (*unmark_link)(const struct paths *, const struct link_reference *, const struct call *,
                       struct error *);
    int (*delete_port)(const struct paths *, const struct link_reference *, const struct call *,
                       struct error *);
};
extern const struct network_effects network_effects;

/* The two texts that set_resolver() puts before dnsmasq: who gets which address, and what it is called. */
void resolver_texts(const struct list *names, struct buffer *dhcp, struct buffer *hosts);

/* Whether two prefixes share an address; both "A.B.C.D/N", checked before. */
bool subnets_overlap(const char *left, const char *right);
bool subnets6_overlap(const char *left, const char *right); /* the same of "IPv6/N" */
