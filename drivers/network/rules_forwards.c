/* Forwards in the text of our nft tables (rules.c): their maps, and what is checked before a word of it is written. */
#include <errno.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

static bool is_address(const char *text, bool is6)
{
    struct address6 address6;
    uint32_t address;
    return is6 ? address6_parse(text, &address6) == 0 : address_parse(text, &address) == 0 && address;
}

static bool shares_are_valid(const struct rule_forward *forward, bool is6)
{
    const struct texts *shared = &forward->shared;
    if (!shared->count)
        return true;
    for (size_t i = 0; i < shared->count; i++)
        if (!is_address(shared->items[i], is6))
            return false;
    return shared->count > 1 && shared->count <= FORWARD_DRAWS &&
           strcmp(shared->items[0], forward->target) == 0;
}

/* The key must be the one that the view makes from the rest, or what was set would never be seen again. */
static int check_forward(const struct rule_forward *forward, struct arena *arena, struct error *error)
{
    const char *said = forward->listen ? forward->listen : "";
    const bool is6 = forward->target && strchr(forward->target, ':');
    if (!forward->protocol ||
        (strcmp(forward->protocol, "tcp") != 0 && strcmp(forward->protocol, "udp") != 0))
        return error_set(error, -EINVAL, "forward \"%s\": protocol \"%s\": expected tcp or udp", said,
                         forward->protocol ? forward->protocol : "");
    if (forward->address && !is_address(forward->address, is6))
        return error_set(error, -EINVAL, "forward \"%s\": address \"%s\": expected an address of the host",
                         said, forward->address);
    if (!is_address(forward->target, is6))
        return error_set(error, -EINVAL, "forward \"%s\": target \"%s\"", said,
                         forward->target ? forward->target : "");
    if (!shares_are_valid(forward, is6))
        return error_set(error, -EINVAL, "forward \"%s\": its targets are none to share it", said);
    if (forward->host < 1 || forward->guest < 1 || forward->count < 1 ||
        forward->host + forward->count > 65536 || forward->guest + forward->count > 65536)
        return error_set(error, -EINVAL, "forward \"%s\": ports are 1 to 65535", said);
    if (forward->count > 1 && forward->host != forward->guest)
        return error_set(error, -EINVAL, "forward \"%s\": several ports lead to the same ones", said);
    const char *listen =
        forward_key(arena, forward->address, is6, forward->host, forward->count, forward->protocol);
    if (strcmp(said, listen) != 0)
        return error_set(error, -EINVAL, "forward \"%s\": its parts say \"%s\"", said, listen);
    return 0;
}

int forwards_check(const struct rules *request, struct arena *arena, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < request->forwards.count && result == 0; i++)
        result = check_forward(request->forwards.items[i], arena, error);
    return result;
}

/* Where a forward stands: in a map by port, by address and port, or, when it is of several ports, by ranges of both. */
enum forward_map { MAP_ANY, MAP_AT, MAP_SPAN, MAP_COUNT };

static const struct {
    const char *suffix, *type, *type6;
} forward_maps[] = {
    [MAP_ANY] = {"any", "inet_service : ipv4_addr . inet_service", "inet_service : ipv6_addr . inet_service"},
    [MAP_AT] = {"at", "ipv4_addr . inet_service : ipv4_addr . inet_service",
                "ipv6_addr . inet_service : ipv6_addr . inet_service"},
    [MAP_SPAN] = {"span", "ipv4_addr . inet_service : ipv4_addr; flags interval",
                  "ipv6_addr . inet_service : ipv6_addr; flags interval"},
};

static enum forward_map map_of(const struct rule_forward *forward)
{
    return forward->count > 1 ? MAP_SPAN : forward->address ? MAP_AT : MAP_ANY;
}

/* Of addresses that forwards_check() has passed. */
static void write_forward(const struct rule_forward *forward, struct buffer *text)
{
    enum forward_map map = map_of(forward);
    if (forward->address)
        buffer_text(text, forward->address);
    else if (map == MAP_SPAN)
        buffer_text(text, strchr(forward->target, ':') ? "::/0" : "0.0.0.0/0");
    buffer_text(text, map == MAP_ANY ? "" : " . ");
    buffer_printf(text, "%d", (int)forward->host);
    if (map == MAP_SPAN)
        buffer_printf(text, "-%d", (int)(forward->host + forward->count - 1));
    buffer_printf(text, " : %s", forward->target);
    if (map != MAP_SPAN)
        buffer_printf(text, " . %d", (int)forward->guest);
    buffer_text(text, ",\n");
}

static bool stands_in(const struct rule_forward *forward, enum forward_map map, bool is6,
                      const char *protocol)
{
    return !forward->shared.count && map_of(forward) == map && !strchr(forward->target, ':') == !is6 &&
           strcmp(forward->protocol, protocol) == 0;
}

/* Single ports are a hash lookup each, what names a host address asked first, so that a forward of one address beside a
 * general one on the same port is no conflict. Several ports in a row are one element, and such a map says no port: the
 * kernel then keeps the one that was asked for. Given a range of ports it would choose another one of them whenever the
 * client's own pair of address and port is taken. */
static void write_protocol(const struct rules *request, const char *protocol, bool is6, struct buffer *text)
{
    for (enum forward_map map = 0; map < MAP_COUNT; map++) {
        char name[16];
        bool filled = false;
        for (size_t i = 0; i < request->forwards.count && !filled; i++)
            filled = stands_in(request->forwards.items[i], map, is6, protocol);
        snprintf(name, sizeof(name), "%s_%s", protocol, forward_maps[map].suffix);
        rules_begin_set(text, "map", name, is6 ? forward_maps[map].type6 : forward_maps[map].type, filled);
        for (size_t i = 0; i < request->forwards.count; i++)
            if (stands_in(request->forwards.items[i], map, is6, protocol))
                write_forward(request->forwards.items[i], text);
        rules_end_set(text, filled);
    }
}

/* A forward to several targets has an element for each, with its share of what a connection may draw. Of how many is the
 * same for all, so that the rules stay the same ones. It is drawn and not counted: a rule's counter moves with
 * everything that passes it, and a rhythm in that would favour some. */
static void write_shares(const struct rule_forward *forward, const char *all, struct buffer *text)
{
    const size_t count = forward->shared.count;
    for (size_t i = 0; i < count; i++) {
        buffer_printf(text, "%s . %d", forward->address ? forward->address : all, (int)forward->host);
        if (forward->count > 1)
            buffer_printf(text, "-%d", (int)(forward->host + forward->count - 1));
        buffer_printf(text, " . %zu-%zu : %s", forward_share(i, count), forward_share(i + 1, count) - 1,
                      forward->shared.items[i]);
        if (forward->count == 1)
            buffer_printf(text, " . %d", (int)forward->guest);
        buffer_text(text, ",\n");
    }
}

static void write_shared(const struct rules *request, const char *protocol, bool is6, bool several,
                         struct buffer *text)
{
    const char *ip = is6 ? "ip6" : "ip";
    bool filled = false;
    buffer_printf(text, "map %s_%s {\ntypeof %s daddr . %s dport . numgen random mod %d : %s daddr%s%s%s\n",
                  protocol, several ? "share_span" : "share", ip, protocol, FORWARD_DRAWS, ip,
                  several ? "" : " . ", several ? "" : protocol, several ? "" : " dport");
    buffer_text(text, "flags interval\n");
    for (size_t i = 0; i < request->forwards.count; i++) {
        const struct rule_forward *forward = request->forwards.items[i];
        if (!forward->shared.count || (forward->count > 1) != several ||
            !strchr(forward->target, ':') == is6 || strcmp(forward->protocol, protocol) != 0)
            continue;
        buffer_text(text, filled ? "" : "elements = {\n");
        write_shares(forward, is6 ? "::/0" : "0.0.0.0/0", text);
        filled = true;
    }
    buffer_text(text, filled ? "}\n}\n" : "}\n");
}

/* By the maps above: a port of one address, of all, ports in a row, and those that several containers share. */
static void write_chain(bool is6, struct buffer *text)
{
    static const char *const protocols[] = {"tcp", "udp"};
    const char *ip = is6 ? "ip6" : "ip";
    buffer_text(text, "chain forwards {\n");
    for (size_t i = 0; i < 2; i++)
        buffer_printf(text,
                      " dnat %1$s to %1$s daddr . %2$s dport map @%2$s_at\n"
                      " dnat %1$s to %2$s dport map @%2$s_any\n"
                      " dnat to %1$s daddr . %2$s dport map @%2$s_span\n"
                      " dnat %1$s to %1$s daddr . %2$s dport . numgen random mod %3$d map @%2$s_share\n"
                      " dnat to %1$s daddr . %2$s dport . numgen random mod %3$d map @%2$s_share_span\n",
                      ip, protocols[i], FORWARD_DRAWS);
    buffer_text(text, "}\n"
                      "chain forward {\n"
                      " type filter hook forward priority filter; policy accept;\n"
                      " ct state established,related accept\n"
                      " iifname . oifname @inside accept\n"
                      " iifname @isolated drop\n"
                      " ct status dnat accept\n"
                      " oifname @isolated drop\n"
                      " iifname @bridges oifname @bridges drop\n"
                      "}\n");
}

void forwards_write(const struct rules *request, bool is6, struct buffer *text)
{
    write_protocol(request, "tcp", is6, text);
    write_protocol(request, "udp", is6, text);
    static const char *const protocols[] = {"tcp", "udp"};
    for (size_t i = 0; i < 2; i++) {
        write_shared(request, protocols[i], is6, false, text);
        write_shared(request, protocols[i], is6, true, text);
    }
    write_chain(is6, text);
}
