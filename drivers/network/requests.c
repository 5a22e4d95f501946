/* What the network family is asked for, as tables: they carry a request to the worker and back. Linked into both
 * programs; nothing here touches the world. */
#include <arpa/inet.h>
#include <string.h>

#include "drivers/network/network.h"
#include "lib/buffer.h"
#include "lib/units.h"
#include "specs/ports.h"

#define AT(owner, member) .offset = offsetof(struct owner, member)

#define ROW(number, owner, member, shape)                                                                    \
    .id = (number), .key = #member, .type = (shape), AT(owner, member), .class = CLASS_LIVE
#define TEXT_ROW(number, owner, member)                                                                      \
    {                                                                                                        \
        ROW(number, owner, member, FIELD_TEXT)                                                               \
    }
#define NUMBER_ROW(number, owner, member)                                                                    \
    {                                                                                                        \
        ROW(number, owner, member, FIELD_NUMBER)                                                             \
    }
#define LIST_ROW(number, owner, member, of)                                                                  \
    {                                                                                                        \
        ROW(number, owner, member, FIELD_LIST), .nested = (of)                                               \
    }
#define TABLE(title, owner, array)                                                                           \
    {                                                                                                        \
        .name = (title), .size = sizeof(struct owner), TABLE_ROWS(array)                                     \
    }

static const struct field rule_network_rows[] = {
    TEXT_ROW(1, rule_network, bridge),          TEXT_ROW(2, rule_network, subnet),
    {ROW(3, rule_network, routed, FIELD_BOOL)}, {ROW(4, rule_network, isolated, FIELD_BOOL)},
    TEXT_ROW(5, rule_network, nat_address),     TEXT_ROW(9, rule_network, subnet6),
    TEXT_ROW(10, rule_network, nat_address6),
};
const struct table rule_network_table = TABLE("rules.networks", rule_network, rule_network_rows);

static const struct field rule_guard_rows[] = {
    TEXT_ROW(1, rule_guard, port),     TEXT_ROW(2, rule_guard, mac),
    TEXT_ROW(3, rule_guard, address),  {ROW(4, rule_guard, router, FIELD_BOOL)},
    TEXT_ROW(5, rule_guard, address6), {ROW(6, rule_guard, deaf, FIELD_BOOL)},
};
const struct table rule_guard_table = TABLE("rules.guards", rule_guard, rule_guard_rows);

static const struct field rule_forward_rows[] = {
    TEXT_ROW(1, rule_forward, listen),  TEXT_ROW(2, rule_forward, protocol),
    TEXT_ROW(3, rule_forward, address), NUMBER_ROW(4, rule_forward, host),
    TEXT_ROW(5, rule_forward, target),  NUMBER_ROW(6, rule_forward, guest),
    NUMBER_ROW(7, rule_forward, count), {ROW(8, rule_forward, shared, FIELD_TEXTS)},
};
const struct table rule_forward_table = TABLE("rules.forwards", rule_forward, rule_forward_rows);

static const struct field rule_asker_rows[] = {
    TEXT_ROW(1, rule_asker, address),
    TEXT_ROW(2, rule_asker, bridge),
    TEXT_ROW(3, rule_asker, server),
    TEXT_ROW(4, rule_asker, resolver),
};
const struct table rule_asker_table = TABLE("rules.askers", rule_asker, rule_asker_rows);

static const struct field rules_rows[] = {
    LIST_ROW(1, rules, networks, &rule_network_table),
    LIST_ROW(2, rules, guards, &rule_guard_table),
    LIST_ROW(3, rules, forwards, &rule_forward_table),
    LIST_ROW(4, rules, askers, &rule_asker_table),
};
const struct table rules_table = TABLE("rules", rules, rules_rows);

static const struct field bridge_rows[] = {
    TEXT_ROW(1, bridge, ifname), TEXT_ROW(2, bridge, mark),     TEXT_ROW(3, bridge, address),
    TEXT_ROW(4, bridge, mac),    TEXT_ROW(5, bridge, address6),
};
const struct table bridge_table = TABLE("bridge", bridge, bridge_rows);

static const struct field link_reference_rows[] = {
    TEXT_ROW(1, link_reference, ifname),
    TEXT_ROW(2, link_reference, mark),
};
const struct table link_reference_table = TABLE("link", link_reference, link_reference_rows);

static const struct field port_mark_rows[] = {
    TEXT_ROW(1, port_mark, ifname), TEXT_ROW(2, port_mark, mark),    {ROW(3, port_mark, foreign, FIELD_BOOL)},
    TEXT_ROW(4, port_mark, mac),    TEXT_ROW(5, port_mark, address),
};
const struct table port_mark_table = TABLE("port", port_mark, port_mark_rows);

static const struct field port_attach_rows[] = {
    TEXT_ROW(1, port_attach, ifname),
    TEXT_ROW(2, port_attach, mark),
    TEXT_ROW(3, port_attach, bridge),
    NUMBER_ROW(4, port_attach, init_pid),
    NUMBER_ROW(5, port_attach, init_start),
    NUMBER_ROW(6, port_attach, index),
    TEXT_ROW(7, port_attach, mac),
    TEXT_ROW(8, port_attach, address),
    TEXT_ROW(9, port_attach, gateway),
    {ROW(10, port_attach, foreign, FIELD_BOOL)},
    {ROW(11, port_attach, emptied, FIELD_BOOL)},
    {ROW(12, port_attach, macvlan, FIELD_BOOL)},
    TEXT_ROW(13, port_attach, address6),
    TEXT_ROW(14, port_attach, gateway6),
    {ROW(15, port_attach, taken, FIELD_BOOL)},
    {ROW(16, port_attach, announced, FIELD_BOOL)},
    {ROW(17, port_attach, spares6, FIELD_BOOL)},
    TEXT_ROW(18, port_attach, left6),
};
const struct table port_attach_table = TABLE("port", port_attach, port_attach_rows);

static const struct field macvlan_reference_rows[] = {
    NUMBER_ROW(1, macvlan_reference, init_pid),
    NUMBER_ROW(2, macvlan_reference, init_start),
    TEXT_ROW(3, macvlan_reference, mac),
};
const struct table macvlan_reference_table = TABLE("macvlan", macvlan_reference, macvlan_reference_rows);

static const struct field guest_forwarding_rows[] = {
    NUMBER_ROW(1, guest_forwarding, init_pid),
    NUMBER_ROW(2, guest_forwarding, init_start),
    {ROW(3, guest_forwarding, on, FIELD_BOOL)},
    {ROW(4, guest_forwarding, with6, FIELD_BOOL)},
};
const struct table guest_forwarding_table =
    TABLE("guest.forwarding", guest_forwarding, guest_forwarding_rows);

static const struct field resolver_name_rows[] = {
    TEXT_ROW(1, resolver_name, container),
    TEXT_ROW(2, resolver_name, mac),
    TEXT_ROW(3, resolver_name, address),
    {ROW(4, resolver_name, names, FIELD_TEXTS)},
    {ROW(5, resolver_name, is_default, FIELD_BOOL)},
    TEXT_ROW(6, resolver_name, address6),
};
const struct table resolver_name_table = TABLE("resolver.names", resolver_name, resolver_name_rows);

static const struct field resolver_union_rows[] = {
    TEXT_ROW(1, resolver_union, address),
    {ROW(2, resolver_union, bridges, FIELD_TEXTS)},
    {ROW(3, resolver_union, isolated, FIELD_BOOL)},
};
const struct table resolver_union_table = TABLE("resolver.unions", resolver_union, resolver_union_rows);

static const struct field resolver_rows[] = {
    TEXT_ROW(1, resolver, network),
    TEXT_ROW(2, resolver, bridge),
    TEXT_ROW(3, resolver, address),
    LIST_ROW(4, resolver, names, &resolver_name_table),
    {ROW(5, resolver, isolated, FIELD_BOOL)},
    TEXT_ROW(6, resolver, gateway),
    LIST_ROW(7, resolver, unions, &resolver_union_table),
};
const struct table resolver_table = TABLE("resolver", resolver, resolver_rows);

char *forward_key(struct arena *arena, const char *address, bool is6, int64_t host, int64_t count,
                  const char *protocol)
{
    return port_key(arena, address ? address : is6 ? "::" : NULL, host, count, protocol);
}

static void write_host(const char *address, const struct texts *names, struct buffer *hosts)
{
    buffer_text(hosts, address);
    for (size_t i = 0; i < names->count; i++)
        buffer_printf(hosts, " %s", names->items[i]);
    buffer_text(hosts, "\n");
}

/* A line a container in each, and one more for an IPv6 address: "MAC,set:TAG,ADDRESS,NAME" and "ADDRESS NAME ALIAS...".
 * A lease carries the bare name. */
void resolver_texts(const struct list *names, struct buffer *dhcp, struct buffer *hosts)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct resolver_name *name = names->items[i];
        const char *first = name->names.items[0];
        buffer_printf(dhcp, "%s,%s%s,%.*s\n", name->mac, name->is_default ? "set:" RESOLVER_ROUTED "," : "",
                      name->address, (int)strcspn(first, "."), first);
        write_host(name->address, &name->names, hosts);
        if (name->address6)
            write_host(name->address6, &name->names, hosts);
    }
}

/* "A.B.C.D/N" as first address, in host order, and mask; a text of another shape is an empty prefix, which
 * overlaps nothing. */
static bool split_prefix(const char *text, uint32_t *first, uint32_t *mask)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr parsed;
    int64_t length;
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (inet_pton(AF_INET, address, &parsed) != 1 || number_parse(slash + 1, &length) < 0 || length < 0 ||
        length > 32)
        return false;
    *mask = length ? UINT32_MAX << (32 - length) : 0;
    *first = ntohl(parsed.s_addr) & *mask;
    return true;
}

bool subnets_overlap(const char *left, const char *right)
{
    uint32_t left_first, left_mask, right_first, right_mask;
    if (!split_prefix(left, &left_first, &left_mask) || !split_prefix(right, &right_first, &right_mask))
        return false;
    uint32_t wider = left_mask & right_mask;
    return (left_first & wider) == (right_first & wider);
}

/* As split_prefix(). */
static bool split_prefix6(const char *text, struct in6_addr *address, int64_t *length)
{
    char base[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof(base))
        return false;
    memcpy(base, text, (size_t)(slash - text));
    base[slash - text] = '\0';
    return inet_pton(AF_INET6, base, address) == 1 && number_parse(slash + 1, length) == 0 && *length >= 0 &&
           *length <= 128;
}

bool subnets6_overlap(const char *left, const char *right)
{
    struct in6_addr a, b;
    int64_t a_length, b_length;
    if (!split_prefix6(left, &a, &a_length) || !split_prefix6(right, &b, &b_length))
        return false;
    const int64_t wider = a_length < b_length ? a_length : b_length;
    for (int64_t bit = 0; bit < wider; bit++)
        if ((a.s6_addr[bit / 8] ^ b.s6_addr[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}
