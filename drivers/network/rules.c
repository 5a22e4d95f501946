/* Our nft tables, replaced whole: one text, one transaction, or the old rules stay.
 *
 * Everything that grows with the number of containers is an element of a set; the rules themselves never change.
 * Values are put into the text from their parsed form (addresses, numbers) or after a check against a fixed
 * alphabet (names of interfaces), so nothing in a request can end its place in the text.
 *
 * Table of family ip:
 *   raw          guests cannot use route_localnet to reach what listens on the host's 127.0.0.1
 *   prerouting   questions of guests on several networks to the resolver of all of them, which none can send to; and
 *                forwards for packets to any address of this host, from outside and from guests; those to a set of
 *                containers draw one of them,
 *   output       and from the host itself, 127.0.0.1 included; both a step before the usual priority, where who
 *                set rules last would win: whose port it is was settled when it was planned
 *   forward      one network does not reach another, save through a forward, and an isolated one nothing, through a
 *                forward neither. The check inside one network matters with bridge-nf-call-iptables, when bridged
 *                frames pass here too
 *   input        of the host, an isolated network reaches names and DHCP; a guest that has left a network is not heard
 *                by the resolver that knows it any more, though the kernel goes on translating what it sends
 *   postrouting  what comes from 127/8 needs a source that a guest can answer; a guest that reaches a neighbour of
 *                its own network by a forward would be answered directly, past the translation; and guests leave
 *                the host under its address, under one that their network names, or under their own
 * Table of family bridge:
 *   port         what a port sends: IPv4 and ARP with the one MAC and address of its guard (a router's IPv4 with any
 *                address; any of both where the LAN gives the address), a DHCP question, what rules6.c lets through of
 *                IPv6, and nothing else, so no VLAN tag, no DHCP answer. At priority -300 it precedes bridge-nf's own
 *                hook, and holds whatever that is set to
 *   postrouting  where some are in a LAN with addresses that are said, what they do not hear of it: see rules6.c
 * Control frames (01:80:c2:00:00:0x) pass no hook of the bridge: it forwards none and keeps them on the port itself,
 * where a program that listens on every interface for LLDP or EAPOL, and nothing else, sees them. */
#include <arpa/inet.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "drivers/network/flows.h"
#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

static const char ip_chains[] =
    "chain raw {\n"
    " type filter hook prerouting priority raw; policy accept;\n"
    " iifname @bridges ip daddr 127.0.0.0/8 drop\n"
    "}\n"
    "chain prerouting {\n"
    " type nat hook prerouting priority dstnat - 1; policy accept;\n"
    " udp dport 53 dnat ip to iifname . ip saddr . ip daddr map @resolvers\n"
    " tcp dport 53 dnat ip to iifname . ip saddr . ip daddr map @resolvers\n"
    " fib daddr type local jump forwards\n"
    "}\n"
    "chain output {\n"
    " type nat hook output priority -101; policy accept;\n"
    " fib daddr type local jump forwards\n"
    "}\n"
    "chain input {\n"
    " type filter hook input priority filter; policy accept;\n"
    " iifname @bridges ct direction original ip daddr 127.0.0.0/8 iifname . ip saddr . ip daddr != @askers "
    "drop\n"
    " iifname != @isolated accept\n"
    " ct state established,related accept\n"
    " udp dport { 53, 67 } accept\n"
    " tcp dport 53 accept\n"
    " icmp type echo-request accept\n"
    " drop\n"
    "}\n"
    "chain postrouting {\n"
    " type nat hook postrouting priority srcnat; policy accept;\n"
    " oifname @bridges ip saddr 127.0.0.0/8 masquerade\n"
    " ct status dnat oifname . ip saddr @networks masquerade\n"
    " oifname @bridges accept\n"
    " snat ip to iifname . ip saddr map @sources\n"
    " iifname . ip saddr @masqueraded masquerade\n"
    "}\n";

static const char port_chain[] =
    "chain port {\n%s"
    " ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67"
    " iifname . ether saddr @clients accept\n"
    " ether type ip udp sport 67 drop\n"
    " ether type ip iifname . ether saddr . ip saddr @guards accept\n"
    " ether type ip iifname . ether saddr @routers accept\n"
    " ether type ip iifname . ether saddr @roaming accept\n"
    " ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation 1-2"
    " iifname . ether saddr . arp saddr ip @guards iifname . arp saddr ether . arp saddr ip @guards accept\n"
    " ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation 1-2"
    " iifname . ether saddr @roaming iifname . arp saddr ether @roaming accept\n"
    " drop\n"
    "}\n";

static int write_networks(const struct rules *request, struct buffer *text, struct error *error);
static int write_ways_out(const struct rules *request, struct buffer *text, struct error *error);
static int write_askers(const struct rules *request, struct buffer *text, struct error *error);
static int write_guards(const struct paths *paths, const struct rules *request, struct buffer *text,
                        struct error *error);
static void replace_table(struct buffer *text, const char *family, const char *table);
static int run(struct buffer *text, struct error *error);
static bool end_flows(const struct paths *paths, const struct flows *flows, const struct call *call);
static int write_witness(const struct paths *paths, bool flows_left, struct arena *arena,
                         struct error *error);
static int set_settings(const struct rules *request, struct arena *arena, struct error *error);

int rules_set(const struct paths *paths, const struct rules *request, const struct call *call,
              struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result;
    if (!ifname_is_valid(paths->nft_table) || !ifname_is_valid(paths->port_prefix))
        return error_set(error, -EINVAL, "rules: table \"%s\"", paths->nft_table);
    replace_table(&text, "ip", paths->nft_table);
    if ((result = write_networks(request, &text, error)) < 0 ||
        (result = write_ways_out(request, &text, error)) < 0 ||
        (result = forwards_check(request, call->arena, error)) < 0 ||
        (result = rules_check6(request, error)) < 0)
        return error_wrap(error, result, "rules");
    const bool has6 = rules_have6(request);
    forwards_write(request, false, &text);
    if ((result = write_askers(request, &text, error)) < 0)
        return error_wrap(error, result, "rules");
    buffer_text(&text, ip_chains);
    buffer_text(&text, "}\n");
    if (has6) {
        replace_table(&text, "ip6", paths->nft_table);
        rules_write_table6(request, &text);
        buffer_text(&text, "}\n");
    } else {
        buffer_printf(&text, "table ip6 %s\ndelete table ip6 %s\n", paths->nft_table, paths->nft_table);
    }
    replace_table(&text, "bridge", paths->nft_table);
    if ((result = write_guards(paths, request, &text, error)) < 0)
        return error_wrap(error, result, "rules");
    buffer_text(&text, "}\n");
    struct flows *flows;
    if ((result = set_settings(request, call->arena, error)) < 0 ||
        (result = flows_expect(paths, request, call->arena, &flows, error)) < 0 ||
        (result = run(&text, error)) < 0)
        return error_wrap(error, result, "rules");
    const bool ended = end_flows(paths, flows, call);
    result = write_witness(paths, !ended, call->arena, error);
    return result < 0 ? error_wrap(error, result, "rules") : 0;
}

int rules_delete(const struct paths *paths, const struct call *call, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    char shape[WITNESS_SIZE];
    if (!ifname_is_valid(paths->nft_table))
        return error_set(error, -EINVAL, "rules: table \"%s\"", paths->nft_table);
    int result = rules_shape(paths, shape, error);
    if (result < 0)
        return error_wrap(error, result, "rules");
    if (unlink(rules_witness_file(paths, call->arena)) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "%s", rules_witness_file(paths, call->arena));
    struct flows *flows;
    if ((result = flows_expect(paths, NULL, call->arena, &flows, error)) < 0)
        return error_wrap(error, result, "rules");
    /* Naming a table before deleting it makes the deletion succeed for one that is not there. */
    static const char *const families[] = {"ip", "ip6", "bridge"};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        buffer_printf(&text, "table %s %s\ndelete table %s %s\n", families[i], paths->nft_table, families[i],
                      paths->nft_table);
    if (*shape && (result = run(&text, error)) < 0)
        return error_wrap(error, result, "rules");
    end_flows(paths, flows, call);
    return 0;
}

/* The rules are what they are to be by then, and who needs them is not to wait for what ends by itself. */
static bool end_flows(const struct paths *paths, const struct flows *flows, const struct call *call)
{
    struct error failure;
    if (flows_end(paths, flows, call->arena, &failure) == 0)
        return true;
    if (call->progress)
        call->progress(call->context,
                       arena_printf(call->arena,
                                    "%s; until they are silent they go on where they were led, "
                                    "and the next apply tries to end them again",
                                    failure.text));
    return false;
}

static void replace_table(struct buffer *text, const char *family, const char *table)
{
    buffer_printf(text, "table %s %s\ndelete table %s %s\ntable %s %s {\ncomment \"fpsync\"\n", family, table,
                  family, table, family, table);
}

static void write_address(struct buffer *text, uint32_t address)
{
    const unsigned char *byte = (const unsigned char *)&address;
    buffer_printf(text, "%u.%u.%u.%u", byte[0], byte[1], byte[2], byte[3]);
}

void rules_begin_set(struct buffer *text, const char *kind, const char *name, const char *type, bool filled)
{
    buffer_printf(text, "%s %s {\ntype %s;\n%s", kind, name, type, filled ? "elements = {\n" : "");
}

void rules_end_set(struct buffer *text, bool filled)
{
    buffer_text(text, filled ? "}\n}\n" : "}\n");
}

static int write_networks(const struct rules *request, struct buffer *text, struct error *error)
{
    const struct list *networks = &request->networks;
    rules_begin_set(text, "set", "bridges", "ifname", networks->count);
    for (size_t i = 0; i < networks->count; i++) {
        const struct rule_network *network = networks->items[i];
        if (!ifname_is_valid(network->bridge))
            return error_set(error, -EINVAL, "bridge \"%s\"", network->bridge ? network->bridge : "");
        buffer_printf(text, "\"%s\",\n", network->bridge);
    }
    rules_end_set(text, networks->count);
    /* By name and not by address: what a router sends on has others' addresses. */
    rules_begin_set(text, "set", "inside", "ifname . ifname", networks->count);
    for (size_t i = 0; i < networks->count; i++) {
        const char *bridge = ((const struct rule_network *)networks->items[i])->bridge;
        buffer_printf(text, "\"%s\" . \"%s\",\n", bridge, bridge);
    }
    rules_end_set(text, networks->count);
    rules_begin_set(text, "set", "networks", "ifname . ipv4_addr; flags interval", networks->count);
    for (size_t i = 0; i < networks->count; i++) {
        const struct rule_network *network = networks->items[i];
        uint32_t address;
        unsigned length;
        if (prefix_parse(network->subnet, &address, &length) < 0 || length < 1 ||
            (length < 32 && ntohl(address) << length))
            return error_set(error, -EINVAL, "network %s: subnet \"%s\"", network->bridge,
                             network->subnet ? network->subnet : "");
        buffer_printf(text, "\"%s\" . ", network->bridge);
        write_address(text, address);
        buffer_printf(text, "/%u,\n", length);
    }
    rules_end_set(text, networks->count);
    return 0;
}

/* Every network of write_networks() is in one of these, save those that are routed. */
enum way { WAY_ISOLATED, WAY_SOURCE, WAY_MASQUERADED, WAY_ROUTED };

static enum way way_of(const struct rule_network *network)
{
    return network->isolated      ? WAY_ISOLATED
           : network->nat_address ? WAY_SOURCE
           : network->routed      ? WAY_ROUTED
                                  : WAY_MASQUERADED;
}

static int write_way_out(const struct rule_network *network, struct buffer *text, struct error *error)
{
    uint32_t address;
    unsigned length;
    prefix_parse(network->subnet, &address, &length);
    buffer_printf(text, "\"%s\"", network->bridge);
    if (way_of(network) != WAY_ISOLATED) {
        buffer_text(text, " . ");
        write_address(text, address);
        buffer_printf(text, "/%u", length);
    }
    if (way_of(network) == WAY_SOURCE) {
        if (address_parse(network->nat_address, &address) < 0 || address == 0)
            return error_set(error, -EINVAL, "network %s: NAT address \"%s\"", network->bridge,
                             network->nat_address);
        buffer_text(text, " : ");
        write_address(text, address);
    }
    buffer_text(text, ",\n");
    return 0;
}

static int write_ways_out(const struct rules *request, struct buffer *text, struct error *error)
{
    static const struct {
        const char *kind, *name, *type;
    } sets[] = {
        [WAY_ISOLATED] = {"set", "isolated", "ifname"},
        [WAY_SOURCE] = {"map", "sources", "ifname . ipv4_addr : ipv4_addr; flags interval"},
        [WAY_MASQUERADED] = {"set", "masqueraded", "ifname . ipv4_addr; flags interval"},
    };
    for (enum way way = 0; way < WAY_ROUTED; way++) {
        size_t count = 0;
        for (size_t i = 0; i < request->networks.count; i++)
            count += way_of(request->networks.items[i]) == way;
        rules_begin_set(text, sets[way].kind, sets[way].name, sets[way].type, count);
        for (size_t i = 0; i < request->networks.count; i++) {
            const struct rule_network *network = request->networks.items[i];
            int result = way_of(network) == way ? write_way_out(network, text, error) : 0;
            if (result < 0)
                return result;
        }
        rules_end_set(text, count);
    }
    return 0;
}

static int check_asker(const struct rule_asker *asker, struct error *error)
{
    uint32_t address, server, resolver;
    if (!ifname_is_valid(asker->bridge) || address_parse(asker->address, &address) < 0 ||
        address_parse(asker->server, &server) < 0 || address_parse(asker->resolver, &resolver) < 0 ||
        ntohl(resolver) >> 24 != IN_LOOPBACKNET)
        return error_set(error, -EINVAL, "asker %s: \"%s\", \"%s\", \"%s\"",
                         asker->address ? asker->address : "", asker->bridge ? asker->bridge : "",
                         asker->server ? asker->server : "", asker->resolver ? asker->resolver : "");
    return 0;
}

/* Whom a guest asks instead of the bridge, and once more whom it may be heard by. */
static int write_askers(const struct rules *request, struct buffer *text, struct error *error)
{
    const struct list *askers = &request->askers;
    int result = 0;
    for (size_t i = 0; i < askers->count && result == 0; i++)
        result = check_asker(askers->items[i], error);
    if (result < 0)
        return result;
    rules_begin_set(text, "map", "resolvers", "ifname . ipv4_addr . ipv4_addr : ipv4_addr", askers->count);
    for (size_t i = 0; i < askers->count; i++) {
        const struct rule_asker *asker = askers->items[i];
        buffer_printf(text, "\"%s\" . %s . %s : %s,\n", asker->bridge, asker->address, asker->server,
                      asker->resolver);
    }
    rules_end_set(text, askers->count);
    rules_begin_set(text, "set", "askers", "ifname . ipv4_addr . ipv4_addr", askers->count);
    for (size_t i = 0; i < askers->count; i++) {
        const struct rule_asker *asker = askers->items[i];
        buffer_printf(text, "\"%s\" . %s . %s,\n", asker->bridge, asker->address, asker->resolver);
    }
    rules_end_set(text, askers->count);
    return 0;
}

static bool is_any(const struct rule_guard *guard)
{
    (void)guard;
    return true;
}

static bool is_router(const struct rule_guard *guard)
{
    return guard->router;
}

static bool is_roaming(const struct rule_guard *guard)
{
    return !guard->address;
}

static void write_macs(const struct list *guards, const char *set,
                       bool (*belongs)(const struct rule_guard *guard), struct buffer *text)
{
    size_t count = 0;
    for (size_t i = 0; i < guards->count; i++)
        count += belongs(guards->items[i]);
    rules_begin_set(text, "set", set, "ifname . ether_addr", count);
    for (size_t i = 0; i < guards->count; i++) {
        const struct rule_guard *guard = guards->items[i];
        if (belongs(guard))
            buffer_printf(text, "\"%s\" . %s,\n", guard->port, guard->mac);
    }
    rules_end_set(text, count);
}

static int write_guards(const struct paths *paths, const struct rules *request, struct buffer *text,
                        struct error *error)
{
    const struct list *guards = &request->guards;
    unsigned char mac[6];
    uint32_t address;
    for (size_t i = 0; i < guards->count; i++) {
        const struct rule_guard *guard = guards->items[i];
        int result = ifname_check(guard->port, paths->port_prefix, error);
        if (result < 0)
            return result;
        if (mac_parse(guard->mac, mac) < 0 ||
            (guard->address && (address_parse(guard->address, &address) < 0 || address == 0)))
            return error_set(error, -EINVAL,
                             "guard of %s: \"%s\", \"%s\": expected a MAC and an IPv4 address", guard->port,
                             guard->mac ? guard->mac : "", guard->address ? guard->address : "");
    }
    write_macs(guards, "clients", is_any, text);
    write_macs(guards, "routers", is_router, text);
    write_macs(guards, "roaming", is_roaming, text);
    size_t fixed = 0;
    for (size_t i = 0; i < guards->count; i++)
        fixed += !is_roaming(guards->items[i]);
    rules_begin_set(text, "set", "guards", "ifname . ether_addr . ipv4_addr", fixed);
    for (size_t i = 0; i < guards->count; i++) {
        const struct rule_guard *guard = guards->items[i];
        if (guard->address)
            buffer_printf(text, "\"%s\" . %s . %s,\n", guard->port, guard->mac, guard->address);
    }
    rules_end_set(text, fixed);
    const bool has6 = rules_have6(request);
    if (has6)
        rules_write_guards6(request, text);
    buffer_printf(text, port_chain, has6 ? " ether type ip6 jump port6\n" : "");
    buffer_printf(text,
                  "chain prerouting {\n type filter hook prerouting priority -300; policy accept;\n"
                  " iifname \"%s*\" jump port\n}\n",
                  paths->port_prefix);
    rules_write_deaf6(request, text);
    return 0;
}

/* libnftables writes what it thinks into a buffer, one line for the cause and two that point into the text. */
static int run(struct buffer *text, struct error *error)
{
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!context)
        return error_errno(error, -ENOMEM, "libnftables");
    nft_ctx_buffer_output(context);
    nft_ctx_buffer_error(context);
    errno = 0;
    int result = 0;
    if (nft_run_cmd_from_buffer(context, text->bytes) != 0) {
        int code = errno ? -errno : -EIO;
        const char *said = nft_ctx_get_error_buffer(context);
        result = error_set(error, code, "%.*s", said ? (int)strcspn(said, "\n") : 0, said ? said : "");
    }
    nft_ctx_free(context);
    return result;
}

/* Until this is written the view calls the rules absent, and the next run sets them again. */
static int write_witness(const struct paths *paths, bool flows_left, struct arena *arena, struct error *error)
{
    char shape[WITNESS_SIZE];
    int result = run_folder_make(paths->networks, 0755, error);
    if (result < 0 || (result = rules_shape(paths, shape, error)) < 0)
        return result;
    const char *text = arena_printf(arena, "%s%s", shape, flows_left ? WITNESS_FLOWS_LEFT : "");
    return file_replace(paths->networks, "rules", arena_printf(arena, "%s/rules.new", paths->networks), text,
                        strlen(text), error);
}

static int set_settings(const struct rules *request, struct arena *arena, struct error *error)
{
    if (!request->networks.count)
        return 0;
    int result = setting_write("/proc/sys/net/ipv4/ip_forward", "1", error);
    for (size_t i = 0; result == 0 && i < request->networks.count; i++) {
        const struct rule_network *network = request->networks.items[i];
        struct error failure;
        /* Rules may stand before their bridge does; create_bridge() sees to it then. */
        result = setting_write(
            arena_printf(arena, "/proc/sys/net/ipv4/conf/%s/route_localnet", network->bridge), "1", &failure);
        if (result == -ENOENT)
            result = 0;
        if (result < 0)
            return error_set(error, result, "%s", failure.text);
    }
    return result;
}
