/* See reach.h. */
#include "reconciler/reach.h"

#include <fcntl.h>
#include <string.h>

#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/leases.h"
#include "specs/ports.h"

static const struct network *network_of(const struct entry *entry)
{
    return entry->kind == KIND_NETWORK && !entry_is_retained(entry) ? entry->object.body : NULL;
}

static const char *bridge_of(const struct session *session, const char *network)
{
    char *ifname = arena_alloc(session->arena, PATHS_IFNAME_SIZE);
    paths_bridge(&session->paths, network, ifname);
    return ifname;
}

/* The lease's network that an address is in; NULL: none. */
static const char *network_with(const struct lease *lease, const char *address)
{
    for (size_t i = 0; lease && i < lease->addresses.count; i++) {
        const struct lease_address *one = lease->addresses.items[i];
        if (text_is_same(one->address, address) || text_is_same(one->address6, address))
            return one->network;
    }
    return NULL;
}

static void add_way(const struct session *session, const struct reach *like, enum reach_from from,
                    const char *way, const char *way_home, struct reaches *into)
{
    struct reach *reach = arena_append(session->arena, into->items, into->count);
    *reach = *like;
    reach->from = from;
    reach->way = way;
    reach->way_home = way_home;
    reach->crossing.from = way_home;
}

static int add_ways(const struct session *session, const struct reach *like, struct reaches *into,
                    struct error *error)
{
    struct way_in *ways = NULL;
    size_t count = 0;
    const char *listen = like->crossing.listen;
    add_way(session, like, REACH_HOST, NULL, NULL, into);
    if (listen && (strncmp(listen, "127.", 4) == 0 || strcmp(listen, "::1") == 0))
        return 0; /* nobody else can send there */
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        const struct network *network = network_of(entry);
        if (!network || network_is_attached(network))
            continue;
        const char *bridge = bridge_of(session, entry->name);
        const struct observed_bridge *seen = world_bridge(&session->world, bridge);
        add_way(session, like, REACH_CONTAINERS, entry->name, bridge, into);
        if (seen)
            into->items[into->count - 1].crossing.source =
                like->crossing.is6 ? seen->address6 : seen->address;
    }
    int result = firewall_view.ways_in ? firewall_view.ways_in(&session->paths, like->crossing.is6,
                                                               session->arena, &ways, &count, error)
                                       : 0;
    for (size_t i = 0; i < count; i++)
        add_way(session, like, REACH_OUTSIDE, ways[i].ifname, ways[i].ifname, into);
    return result;
}

int reach_add_port(const struct session *session, const struct lease *lease, const struct port *port,
                   const char *target, const char *target6, struct reaches *into, struct error *error)
{
    static const char *const protocols[] = {"tcp", "udp"};
    const char *const targets[] = {target, target6};
    int result = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *network = targets[i] ? network_with(lease, targets[i]) : NULL;
        for (size_t j = 0; j < 2 && network && result == 0; j++) {
            if (!port_speaks(port, protocols[j]))
                continue;
            const struct reach like = {.network = network,
                                       .crossing = {.to = bridge_of(session, network),
                                                    .protocol = protocols[j],
                                                    .target = targets[i],
                                                    .port = port->guest,
                                                    .listen = port->address,
                                                    .host = port->host,
                                                    .count = port->count,
                                                    .is6 = i == 1}};
            result = add_ways(session, &like, into, error);
        }
    }
    return result;
}

static bool frames_are_filtered(bool is6)
{
    _cleanup_buffer_ struct buffer text = {0};
    return buffer_read_file(&text, AT_FDCWD,
                            is6 ? "/proc/sys/net/bridge/bridge-nf-call-ip6tables"
                                : "/proc/sys/net/bridge/bridge-nf-call-iptables",
                            16, NULL) == 0 &&
           text.bytes && text.bytes[0] == '1';
}

static int add_network(const struct session *session, const char *name, const struct network *network,
                       bool is6, struct reaches *out_of, struct reaches *within, struct error *error)
{
    const char *bridge = bridge_of(session, name);
    const struct observed_bridge *seen = world_bridge(&session->world, bridge);
    const char *subnet = seen ? is6 ? seen->address6 : seen->address : NULL;
    struct way_in *ways = NULL;
    size_t count = 0;
    if (!subnet)
        return 0;
    const struct reach like = {
        .network = name,
        .crossing = {.protocol = "tcp", .source = subnet, .to = bridge, .target = subnet, .is6 = is6}};
    if (frames_are_filtered(is6)) {
        add_way(session, &like, REACH_CONTAINERS, name, bridge, within);
        within->items[within->count - 1].crossing.bridged = true;
    }
    int result = firewall_view.ways_in && !network->isolated
                     ? firewall_view.ways_in(&session->paths, is6, session->arena, &ways, &count, error)
                     : 0;
    for (size_t i = 0; i < count; i++) {
        if (!ways[i].is_default)
            continue;
        add_way(session, &like, REACH_CONTAINERS, name, bridge, out_of);
        struct crossing *crossing = &out_of->items[out_of->count - 1].crossing;
        crossing->to = ways[i].ifname;
        crossing->target = NULL;
    }
    return result;
}

int reach_add_networks(const struct session *session, struct reaches *out_of, struct reaches *within,
                       struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < session->actual.count && result == 0; i++) {
        const struct entry *entry = &session->actual.items[i];
        const struct network *network = network_of(entry);
        if (!network || network_is_attached(network))
            continue;
        result = add_network(session, entry->name, network, false, out_of, within, error);
        if (result == 0 && network->subnet6)
            result = add_network(session, entry->name, network, true, out_of, within, error);
    }
    return result;
}

int reach_weigh(const struct session *session, struct reaches *reaches, struct error *error)
{
    struct crossing *crossings = arena_array_of(session->arena, struct crossing, reaches->count);
    struct weighed *weighed = arena_array_of(session->arena, struct weighed, reaches->count);
    if (!firewall_view.weigh || !reaches->count)
        return 0;
    for (size_t i = 0; i < reaches->count; i++)
        crossings[i] = reaches->items[i].crossing;
    int result =
        firewall_view.weigh(&session->paths, crossings, reaches->count, session->arena, weighed, error);
    for (size_t i = 0; i < reaches->count && result == 0; i++)
        reaches->items[i].weighed = weighed[i];
    return result;
}

/* Both ways, since some firewalls let answers pass only where they know the question: all of this root's bridges. */
static const char *iptables_remedy(const struct session *session, const struct reach *reach,
                                   const char *chain)
{
    const char *tool = reach->crossing.is6 ? "ip6tables" : "iptables";
    return arena_printf(session->arena, "%s -I %s -i fp%sn+ -j ACCEPT; %s -I %s -o fp%sn+ -j ACCEPT", tool,
                        chain, session->paths.tag, tool, chain, session->paths.tag);
}

const char *reach_remedy(const struct session *session, const struct reach *reach)
{
    struct arena *arena = session->arena;
    const struct weighed *weighed = &reach->weighed;
    switch (weighed->firewall) {
    case FIREWALL_OURS:
        return "that network is isolated; see isolated in fpsync.yaml(5)";
    case FIREWALL_DOCKER:
        return iptables_remedy(session, reach, "DOCKER-USER");
    case FIREWALL_LEGACY:
        return arena_printf(
            arena, "see ip%stables-legacy-save; ip%stables-nft has the same rules where fpsync can read them",
            reach->crossing.is6 ? "6" : "", reach->crossing.is6 ? "6" : "");
    case FIREWALL_IPTABLES:
        return iptables_remedy(session, reach, weighed->chain);
    case FIREWALL_UFW:
        return !reach->crossing.host
                   ? arena_printf(arena, "ufw route allow in on fp%sn+", session->paths.tag)
                   : arena_printf(arena, "ufw route allow out on fp%sn+", session->paths.tag);
    case FIREWALL_FIREWALLD:
        return arena_printf(
            arena, "firewall-cmd --permanent --zone=trusted --add-interface=fp%sn+ && firewall-cmd --reload",
            session->paths.tag);
    case FIREWALL_NFT:
        break;
    }
    return arena_printf(arena,
                        "nft insert rule %s %s iifname \"fp%sn*\" accept; "
                        "nft insert rule %s %s oifname \"fp%sn*\" accept",
                        weighed->table, weighed->chain, session->paths.tag, weighed->table, weighed->chain,
                        session->paths.tag);
}
