/* The IPv6 part of our nft tables: a table of family ip6, like that of family ip in rules.c, and in the bridge table what
 * a port may send of IPv6. It is there while a network has IPv6, and no trace of it else.
 *
 *   port6  a port speaks with the addresses of its guard, the configured one and the link's own that its MAC address
 *          makes (a guest that makes itself another link's own one has no IPv6), and answers for no other: the target
 *          of an advertisement stands at bit 64 of ICMPv6, the link's address that it or a solicitation tells at bit 208,
 *          in the only option that there may be. Who has its addresses from its LAN may use and tell any, at its own
 *          MAC address. A router passes on what others say, but neighbour discovery
 *          is nobody's to pass on. No router advertisement, no redirect, no DHCPv6 answer; the
 *          kernel looks behind extension headers, and drops neighbour discovery in fragments (RFC 6980)
 *
 * In a LAN whose routers advertise prefixes a guest with an address that is said would give itself others by them, and
 * connections would begin with a source that is dropped: its port hears no advertisement, of which neighbour and host
 * they may be. That is in the bridge table whether a network has IPv6 or not.
 *
 * ::1 is never forwarded: IPv6 has no route_localnet, and the kernel takes no answer to ::1 from a bridge, so that a
 * connection would hang; refused at once, a client that tries all addresses of localhost goes on to 127.0.0.1. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

static const char ip6_chains[] =
    "chain prerouting {\n"
    " type nat hook prerouting priority dstnat - 1; policy accept;\n"
    " fib daddr type local jump forwards\n"
    "}\n"
    "chain output {\n"
    " type nat hook output priority -101; policy accept;\n"
    " ip6 daddr != ::1 fib daddr type local jump forwards\n"
    "}\n"
    "chain input {\n"
    " type filter hook input priority filter; policy accept;\n"
    " iifname != @isolated accept\n"
    " ct state established,related accept\n"
    " udp dport 53 accept\n"
    " tcp dport 53 accept\n"
    " icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, echo-request } accept\n"
    " drop\n"
    "}\n"
    "chain postrouting {\n"
    " type nat hook postrouting priority srcnat; policy accept;\n"
    " ct status dnat oifname . ip6 saddr @networks masquerade\n"
    " oifname @bridges accept\n"
    " snat ip6 to iifname . ip6 saddr map @sources\n"
    " iifname . ip6 saddr @masqueraded masquerade\n"
    "}\n";

static const char port6_chain[] =
    "chain port6 {\n"
    " icmpv6 type { nd-router-advert, nd-redirect } drop\n"
    " udp sport 547 drop\n"
    " ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . ether saddr . @th,64,128 @targets6 accept\n"
    " ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . ether saddr @roaming accept\n"
    " icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 length > 32 drop\n"
    " icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 length > 24"
    " iifname . ether saddr . @th,208,48 != @links6 drop\n"
    " icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 != @targets6"
    " iifname . ether saddr != @roaming drop\n"
    " iifname . ether saddr . ip6 saddr @guards6 accept\n"
    " iifname . ether saddr @roaming accept\n"
    " icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } drop\n"
    " iifname . ether saddr @routers accept\n"
    " drop\n"
    "}\n";

/* With an address of ours, or with those that its LAN gives it. */
static bool speaks6(const struct rule_guard *guard)
{
    return guard->address6 || !guard->address;
}

bool rules_have6(const struct rules *request)
{
    for (size_t i = 0; i < request->networks.count; i++)
        if (((const struct rule_network *)request->networks.items[i])->subnet6)
            return true;
    for (size_t i = 0; i < request->guards.count; i++)
        if (speaks6(request->guards.items[i]))
            return true;
    return false;
}

int rules_check6(const struct rules *request, struct error *error)
{
    struct address6 address;
    for (size_t i = 0; i < request->networks.count; i++) {
        const struct rule_network *network = request->networks.items[i];
        if (network->subnet6 && (prefix6_parse(network->subnet6, &address) < 0 || address.length != 64))
            return error_set(error, -EINVAL, "network %s: subnet \"%s\"", network->bridge, network->subnet6);
        if (network->nat_address6 && address6_parse(network->nat_address6, &address) < 0)
            return error_set(error, -EINVAL, "network %s: NAT address \"%s\"", network->bridge,
                             network->nat_address6);
    }
    for (size_t i = 0; i < request->guards.count; i++) {
        const struct rule_guard *guard = request->guards.items[i];
        if (guard->address6 && address6_parse(guard->address6, &address) < 0)
            return error_set(error, -EINVAL, "guard of %s: \"%s\": expected an IPv6 address", guard->port,
                             guard->address6);
    }
    return 0;
}

static bool is_sourced6(const struct rule_network *network)
{
    return network->subnet6 && !network->isolated && network->nat_address6;
}

/* Of the networks with IPv6, those that `chosen` picks. */
static void write_networks6(const struct rules *request, const char *name, bool with_subnet,
                            bool (*chosen)(const struct rule_network *), struct buffer *text)
{
    size_t count = 0;
    for (size_t i = 0; i < request->networks.count; i++)
        count += chosen(request->networks.items[i]);
    const bool is_map = chosen == is_sourced6;
    rules_begin_set(text, is_map ? "map" : "set", name,
                    is_map        ? "ifname . ipv6_addr : ipv6_addr; flags interval"
                    : with_subnet ? "ifname . ipv6_addr; flags interval"
                                  : "ifname",
                    count);
    for (size_t i = 0; i < request->networks.count; i++) {
        const struct rule_network *network = request->networks.items[i];
        if (!chosen(network))
            continue;
        buffer_printf(text, "\"%s\"", network->bridge);
        if (with_subnet)
            buffer_printf(text, " . %s", network->subnet6);
        if (is_map)
            buffer_printf(text, " : %s", network->nat_address6);
        buffer_text(text, ",\n");
    }
    rules_end_set(text, count);
}

static bool is_any(const struct rule_network *network)
{
    (void)network;
    return true;
}

static bool has_ipv6(const struct rule_network *network)
{
    return network->subnet6;
}

static bool is_isolated6(const struct rule_network *network)
{
    return network->isolated; /* whatever it has: no IPv6 of its own ways out either */
}

static bool is_masqueraded6(const struct rule_network *network)
{
    return network->subnet6 && !network->isolated && !network->routed && !network->nat_address6;
}

/* As that of IPv4. */
static void write_inside(const struct rules *request, struct buffer *text)
{
    rules_begin_set(text, "set", "inside", "ifname . ifname", request->networks.count);
    for (size_t i = 0; i < request->networks.count; i++) {
        const char *bridge = ((const struct rule_network *)request->networks.items[i])->bridge;
        buffer_printf(text, "\"%s\" . \"%s\",\n", bridge, bridge);
    }
    rules_end_set(text, request->networks.count);
}

void rules_write_table6(const struct rules *request, struct buffer *text)
{
    write_networks6(request, "bridges", false, is_any, text);
    write_inside(request, text);
    write_networks6(request, "networks", true, has_ipv6, text);
    write_networks6(request, "isolated", false, is_isolated6, text);
    write_networks6(request, "sources", true, is_sourced6, text);
    write_networks6(request, "masqueraded", true, is_masqueraded6, text);
    forwards_write(request, true, text);
    buffer_text(text, ip6_chains);
}

/* The link's own address of a MAC address (RFC 4291, appendix A). */
static void own_address(const char *mac, struct address6 *address)
{
    unsigned char bytes[6];
    mac_parse(mac, bytes);
    *address = (struct address6){.bytes = {0xfe, 0x80, [11] = 0xff, 0xfe}};
    memcpy(address->bytes + 8, bytes, 3);
    memcpy(address->bytes + 13, bytes + 3, 3);
    address->bytes[8] ^= 2;
}

static void write_guard6(const struct rule_guard *guard, const struct address6 *address, bool as_number,
                         struct buffer *text)
{
    char printed[ADDRESS6_TEXT_SIZE];
    buffer_printf(text, "\"%s\" . %s . ", guard->port, guard->mac);
    if (as_number) {
        buffer_text(text, "0x");
        for (size_t i = 0; i < sizeof(address->bytes); i++)
            buffer_printf(text, "%02x", address->bytes[i]);
    } else {
        address6_print(address, printed);
        buffer_text(text, printed);
    }
    buffer_text(text, ",\n");
}

/* The MAC address as one tells it to neighbours, a bare number as well. */
static void write_links6(const struct rules *request, struct buffer *text)
{
    bool filled = false;
    for (size_t i = 0; i < request->guards.count; i++)
        filled = filled || speaks6(request->guards.items[i]);
    buffer_printf(text, "set links6 {\ntypeof iifname . ether saddr . @th,208,48;\n%s",
                  filled ? "elements = {\n" : "");
    for (size_t i = 0; i < request->guards.count; i++) {
        const struct rule_guard *guard = request->guards.items[i];
        unsigned char mac[6];
        if (!speaks6(guard))
            continue;
        mac_parse(guard->mac, mac);
        buffer_printf(text, "\"%s\" . %s . 0x%02x%02x%02x%02x%02x%02x,\n", guard->port, guard->mac, mac[0],
                      mac[1], mac[2], mac[3], mac[4], mac[5]);
    }
    rules_end_set(text, filled);
}

void rules_write_deaf6(const struct rules *request, struct buffer *text)
{
    bool any = false;
    for (size_t i = 0; i < request->guards.count; i++)
        any = any || ((const struct rule_guard *)request->guards.items[i])->deaf;
    if (!any)
        return;
    rules_begin_set(text, "set", "deaf", "ifname", true);
    for (size_t i = 0; i < request->guards.count; i++) {
        const struct rule_guard *guard = request->guards.items[i];
        if (guard->deaf)
            buffer_printf(text, "\"%s\",\n", guard->port);
    }
    rules_end_set(text, true);
    buffer_text(text, "chain postrouting {\n"
                      " type filter hook postrouting priority filter; policy accept;\n"
                      " ether type ip6 oifname @deaf icmpv6 type nd-router-advert drop\n"
                      "}\n");
}

/* Two elements a guard in each; the target of an advertisement is a bare number to nft 1.0.6. */
void rules_write_guards6(const struct rules *request, struct buffer *text)
{
    for (int as_number = 0; as_number < 2; as_number++) {
        bool filled = false;
        for (size_t i = 0; i < request->guards.count; i++)
            filled = filled || ((const struct rule_guard *)request->guards.items[i])->address6;
        if (as_number)
            buffer_printf(text, "set targets6 {\ntypeof iifname . ether saddr . @th,64,128;\n%s",
                          filled ? "elements = {\n" : "");
        else
            rules_begin_set(text, "set", "guards6", "ifname . ether_addr . ipv6_addr", filled);
        for (size_t i = 0; i < request->guards.count; i++) {
            const struct rule_guard *guard = request->guards.items[i];
            struct address6 address;
            if (!guard->address6)
                continue;
            address6_parse(guard->address6, &address);
            write_guard6(guard, &address, as_number, text);
            own_address(guard->mac, &address);
            write_guard6(guard, &address, as_number, text);
        }
        rules_end_set(text, filled);
    }
    write_links6(request, text);
    buffer_text(text, port6_chain);
}
