/* See firewall.h: which hooks a connection passes, as which packet, and what is there. */
#include "drivers/network/firewall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/network/view_firewall.h"
#include "drivers/network/view_internal.h"
#include "drivers/network/view_packet.h"
#include "lib/error.h"
#include "lib/map.h"

/* The hooks of a packet in their order; ingress is that of a device and comes first. */
enum stage { STAGE_INGRESS, STAGE_PREROUTING, STAGE_INPUT, STAGE_FORWARD, STAGE_OUTPUT, STAGE_POSTROUTING };

#define OUR_TRANSLATION                                                                                      \
    (NF_IP_PRI_NAT_DST - 1) /* drivers/network/rules.c; of equals the last made comes first */

/* Packets of a connection: what one rule lets pass, another may end later. */
enum turn { TURN_FIRST, TURN_ANSWER, TURN_LATER /* in the direction of the first */, TURN_COUNT };

struct state {
    struct walk walk;
    enum turn turn;
    const struct paths *paths;
    const struct crossing *crossing;
    unsigned char original[16];
    bool claims; /* only what others translate is of interest */
};

static int weigh(const struct paths *paths, const struct crossing *crossings, size_t count,
                 struct arena *arena, struct weighed *out, struct error *error);
static int claims(const struct paths *paths, const struct crossing *crossings, size_t count,
                  struct arena *arena, const char **out, struct error *error);
static int ways_in(const struct paths *paths, bool is6, struct arena *arena, struct way_in **out,
                   size_t *count, struct error *error);

const struct firewall_view firewall_view = {.weigh = weigh, .claims = claims, .ways_in = ways_in};

/* ---- packets ---- */

static void put(struct bits *bits, size_t at, const void *value, size_t size)
{
    memcpy(bits->value + at, value, size);
    memset(bits->known + at, 0xff, size);
}

/* Of several ports those leading bits are known that all of them have. */
static void put_port(struct bits *bits, size_t at, int64_t port, int64_t count)
{
    const unsigned differ = (unsigned)(port ^ (port + (count > 1 ? count - 1 : 0)));
    const unsigned known = ~(differ ? ~0U >> __builtin_clz(differ) : 0);
    if (!port)
        return;
    bits->value[at] = (unsigned char)((port & known) >> 8);
    bits->value[at + 1] = (unsigned char)(port & known);
    bits->known[at] = (unsigned char)(known >> 8);
    bits->known[at + 1] = (unsigned char)known;
}

/* An address or a prefix, of which as many bits are known as it says; NULL: none. */
static void put_prefix(struct bits *bits, size_t at, const char *prefix, bool is6)
{
    char text[INET6_ADDRSTRLEN];
    const char *slash = prefix ? strchr(prefix, '/') : NULL;
    const size_t length = prefix ? slash ? (size_t)(slash - prefix) : strlen(prefix) : 0;
    unsigned char bytes[16];
    if (!length || length >= sizeof(text))
        return;
    memcpy(text, prefix, length);
    text[length] = '\0';
    const size_t size = is6 ? 16 : 4;
    const long known = slash ? strtol(slash + 1, NULL, 10) : (long)size * 8;
    if (inet_pton(is6 ? AF_INET6 : AF_INET, text, bytes) != 1)
        return;
    for (long i = 0; i < (long)size * 8 && i < known; i++)
        bits->known[at + (size_t)i / 8] |= (unsigned char)(0x80 >> i % 8);
    for (size_t i = 0; i < size; i++)
        bits->value[at + i] = bytes[i] & bits->known[at + i];
}

static void make_network(const struct crossing *crossing, const char *source, const char *target,
                         uint8_t protocol, struct bits *out)
{
    static const unsigned char version4 = 0x45;
    *out = (struct bits){.size = crossing->is6 ? 40 : 20};
    if (crossing->is6) {
        out->value[0] = 0x60;
        out->known[0] = 0xf0;
        put(out, 6, &protocol, 1);
        put_prefix(out, 8, source, true);
        put_prefix(out, 24, target, true);
    } else {
        put(out, 0, &version4, 1);
        out->known[6] = 0x3f; /* no fragment */
        out->known[7] = 0xff;
        put(out, 9, &protocol, 1);
        put_prefix(out, 12, source, false);
        put_prefix(out, 16, target, false);
    }
}

static void make_transport(uint8_t protocol, int64_t from, int64_t to, int64_t count, enum turn turn,
                           struct bits *out)
{
    static const unsigned char flags[] = {
        [TURN_FIRST] = 0x02, [TURN_ANSWER] = 0x12, [TURN_LATER] = 0x10}; /* SYN 2, ACK 16 */
    *out = (struct bits){.size = protocol == IPPROTO_TCP ? 20 : 8};
    put_port(out, 0, from, count);
    put_port(out, 2, to, count);
    if (protocol == IPPROTO_TCP) {
        out->value[13] = flags[turn];
        out->known[13] = 0x3f; /* the two of congestion may be set */
    }
}

/* What a hook sees, at a priority. The target is translated in prerouting and output at one of them. */
static struct packet packet_at(struct state *state, enum stage stage, int32_t priority, bool answer)
{
    const struct crossing *crossing = state->crossing;
    const bool first = state->turn == TURN_FIRST;
    const bool before = (stage == STAGE_INGRESS || stage == STAGE_PREROUTING || stage == STAGE_OUTPUT) &&
                        priority < NF_IP_PRI_NAT_DST;
    const bool original = crossing->host && (before || state->claims);
    struct packet packet = {
        .family = crossing->is6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
        .protocol = strcmp(crossing->protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP,
        .answer = answer,
        .state = NF_CT_STATE_BIT(first ? IP_CT_NEW : IP_CT_ESTABLISHED),
        .tracked = stage != STAGE_INGRESS &&
                   !((stage == STAGE_PREROUTING || stage == STAGE_OUTPUT) && priority <= NF_IP_PRI_CONNTRACK),
        .status = (first ? 0 : IPS_SEEN_REPLY) | (crossing->host && !(before && first) ? IPS_DST_NAT : 0),
        .status_known =
            IPS_EXPECTED | IPS_SEEN_REPLY | IPS_DST_NAT | (first ? IPS_SRC_NAT | IPS_CONFIRMED : 0),
        .original_port = (uint16_t)(crossing->host ? crossing->host : crossing->port),
        .original = crossing->listen ? state->original : NULL,
    };
    const char *const from = crossing->from, *const to = crossing->to;
    packet.in = answer ? to : from;
    packet.out = answer ? from : to;
    packet.in_is_any = state->claims;
    if (stage == STAGE_OUTPUT)
        packet.out = crossing->host ? "lo" : to; /* the way it had before it was translated */
    if (stage == STAGE_OUTPUT || (!answer && !from))
        packet.in = NULL;
    if (stage == STAGE_INGRESS || stage == STAGE_PREROUTING || stage == STAGE_INPUT)
        packet.out = NULL;
    packet.from_local = !answer && !from;
    packet.to_local = answer ? !from : original;
    packet.to_known = answer ? !from : original || crossing->target;
    if (answer) {
        make_network(crossing, crossing->target, crossing->source, packet.protocol, &packet.network);
        make_transport(packet.protocol, crossing->port, 0, crossing->count, state->turn, &packet.transport);
    } else {
        make_network(crossing, crossing->source, original ? crossing->listen : crossing->target,
                     packet.protocol, &packet.network);
        make_transport(packet.protocol, 0, original ? crossing->host : crossing->port, crossing->count,
                       state->turn, &packet.transport);
    }
    return packet;
}

/* ---- hooks ---- */

static bool stage_of(const struct ruleset_chain *chain, const struct state *state, const char *device,
                     enum stage *stage)
{
    static const enum stage stages[] = {[NF_INET_PRE_ROUTING] = STAGE_PREROUTING,
                                        [NF_INET_LOCAL_IN] = STAGE_INPUT,
                                        [NF_INET_FORWARD] = STAGE_FORWARD,
                                        [NF_INET_LOCAL_OUT] = STAGE_OUTPUT,
                                        [NF_INET_POST_ROUTING] = STAGE_POSTROUTING};
    if (!chain->is_base || (chain->hook > NF_INET_INGRESS))
        return false;
    const bool netdev = chain->family == NFPROTO_NETDEV;
    *stage = netdev || chain->hook == NF_INET_INGRESS ? STAGE_INGRESS : stages[chain->hook];
    if (netdev ? chain->hook != NF_NETDEV_INGRESS
               : chain->family != NFPROTO_INET &&
                     chain->family != (state->crossing->is6 ? NFPROTO_IPV6 : NFPROTO_IPV4))
        return false;
    bool hooked = *stage != STAGE_INGRESS;
    for (size_t i = 0; i < chain->device_count && device; i++)
        hooked = hooked || strcmp(chain->devices[i], device) == 0;
    return hooked;
}

static bool is_ours(const struct state *state, const struct ruleset_chain *chain)
{
    return strcmp(chain->table, state->paths->nft_table) == 0;
}

static void pass_stage(struct state *state, enum stage stage, bool answer)
{
    const struct crossing *crossing = state->crossing;
    const struct ruleset *ruleset = state->walk.ruleset;
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        const struct ruleset_chain *chain = &ruleset->chains[i];
        enum stage of;
        if (!stage_of(chain, state, answer ? crossing->to : crossing->from, &of) || of != stage)
            continue;
        if (state->claims && (is_ours(state, chain) || !chain->is_nat))
            continue;
        /* Ours before routing ends nothing but what guests send to 127.0.0.1, which here is among the unknown. */
        if (is_ours(state, chain) && stage == STAGE_PREROUTING)
            continue;
        /* Only the first packet of a connection is asked about in chains of that type. */
        if (chain->is_nat && state->turn != TURN_FIRST)
            continue;
        struct packet packet = packet_at(state, stage, chain->priority, answer);
        state->walk.packet = &packet;
        state->walk.before_ours =
            crossing->host && !state->claims && chain->is_nat && !is_ours(state, chain) &&
            (stage == STAGE_PREROUTING || stage == STAGE_OUTPUT) && chain->priority <= OUR_TRANSLATION;
        walk_base(&state->walk, chain);
    }
}

static void pass_all(struct state *state)
{
    const struct crossing *crossing = state->crossing;
    const bool answer = state->turn == TURN_ANSWER;
    const bool out_of_host = !answer && !crossing->from, into_host = answer && !crossing->from;
    if (out_of_host) {
        pass_stage(state, STAGE_OUTPUT, answer);
    } else {
        if (!crossing->bridged)
            pass_stage(state, STAGE_INGRESS, answer);
        pass_stage(state, STAGE_PREROUTING, answer);
    }
    if (into_host)
        pass_stage(state, STAGE_INPUT, answer);
    else if (!out_of_host)
        pass_stage(state, STAGE_FORWARD, answer);
    if (!into_host)
        pass_stage(state, STAGE_POSTROUTING, answer);
}

static void begin(struct state *state, const struct crossing *crossing, struct fate *fate)
{
    struct walk *walk = &state->walk;
    *fate = (struct fate){.passes = true};
    state->crossing = crossing;
    if (crossing->listen)
        inet_pton(crossing->is6 ? AF_INET6 : AF_INET, crossing->listen, state->original);
    *walk = (struct walk){
        .ruleset = walk->ruleset, .fate = fate, .mark_known = UINT32_MAX, .ct_mark_known = UINT32_MAX};
    state->turn = TURN_FIRST;
}

/* The next packet: the connection keeps its mark, which may be known in part. */
static void begin_next(struct state *state, struct fate *fate)
{
    const struct walk before = state->walk;
    const enum turn turn = state->turn;
    begin(state, state->crossing, fate);
    state->walk.ct_mark = before.ct_mark;
    state->walk.ct_mark_known = before.ct_mark_known;
    state->turn = turn + 1;
}

/* Of whatever root: in bridges each looks after the ports of its own containers and at no others. */
static bool is_of_fpsync(const struct ruleset_chain *chain)
{
    const char *tag = strncmp(chain->table, "fpsync", 6) == 0 ? chain->table + 6 : "?";
    return !*tag || (*tag == '_' && strspn(tag + 1, "0123456789abcdef") == 4 && !tag[5]);
}

/* Frames pass more hooks than packets: in bridges, and where they leave a device. */
static bool is_beside(const struct state *state, const struct ruleset_chain *chain)
{
    const struct crossing *crossing = state->crossing;
    if (!chain->is_base || is_of_fpsync(chain) || (!chain->count && !chain->drops))
        return false;
    if (chain->family == NFPROTO_BRIDGE)
        return true;
    if (chain->family != NFPROTO_NETDEV || chain->hook == NF_NETDEV_INGRESS)
        return false;
    bool hooked = false;
    for (size_t i = 0; i < chain->device_count; i++)
        hooked = hooked || text_is_same(chain->devices[i], crossing->from) ||
                 text_is_same(chain->devices[i], crossing->to);
    return hooked;
}

/* Their rules are not run here: whoever has some may end what passes all others. */
static void note_beside(struct state *state, struct fate *fate)
{
    const struct ruleset *ruleset = state->walk.ruleset;
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        const struct ruleset_chain *chain = &ruleset->chains[i];
        if (fate->ends || !is_beside(state, chain))
            continue;
        fate->ends = true;
        fate->base = fate->chain = chain;
        fate->rule = chain->count ? chain->rules : NULL;
    }
}

/* ---- words ---- */

static const char *table_text(struct arena *arena, const struct ruleset_chain *chain)
{
    return arena_printf(arena, "%s %s", ruleset_family(chain->family), chain->table);
}

static const char *rule_text(struct arena *arena, const struct ruleset_chain *chain,
                             const struct ruleset_rule *rule)
{
    const char *where = arena_printf(arena, "table %s, chain %s", table_text(arena, chain), chain->name);
    if (!rule)
        return arena_printf(arena, "%s: policy drop", where);
    return arena_printf(arena, "%s, rule %zu (handle %" PRIu64 ")%s%s%s", where,
                        (size_t)(rule - chain->rules) + 1, rule->handle, rule->comment ? " \"" : "",
                        rule->comment ? rule->comment : "", rule->comment ? "\"" : "");
}

static bool has_chain(const struct ruleset *ruleset, const struct ruleset_chain *base, const char *name)
{
    return ruleset_chain(ruleset, base->family, base->table, name);
}

/* Several may share the tables of iptables: whose chain it is, then who is there. */
static enum firewall firewall_of(const struct state *state, const struct ruleset_chain *base,
                                 const struct ruleset_chain *chain)
{
    const struct ruleset *ruleset = state->walk.ruleset;
    if (strncmp(chain->name, "DOCKER", 6) == 0)
        return FIREWALL_DOCKER;
    if (is_ours(state, base))
        return FIREWALL_OURS;
    if (strcmp(base->table, "firewalld") == 0)
        return FIREWALL_FIREWALLD;
    if (has_chain(ruleset, base, "ufw-user-forward") || has_chain(ruleset, base, "ufw6-user-forward"))
        return FIREWALL_UFW;
    if (has_chain(ruleset, base, "DOCKER-USER"))
        return FIREWALL_DOCKER;
    const bool capital = strspn(base->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(base->name);
    return base->family != NFPROTO_INET && capital ? FIREWALL_IPTABLES : FIREWALL_NFT;
}

/* What surely ends is worse than what may, of that the first packet's. */
static void take_fate(struct state *state, const struct fate *fate, struct arena *arena, struct weighed *out)
{
    if (!fate->ends || out->weight == WEIGHT_ENDS || (out->weight == WEIGHT_MAY_END && fate->passes))
        return;
    *out = (struct weighed){
        .weight = fate->passes ? WEIGHT_MAY_END : WEIGHT_ENDS,
        .answer = state->turn == TURN_ANSWER,
        .rule = rule_text(arena, fate->chain, fate->rule),
        .unless = fate->passes && fate->exempts ? rule_text(arena, fate->exempts_in, fate->exempts) : NULL,
        .firewall = firewall_of(state, fate->base, fate->chain),
        .table = table_text(arena, fate->base),
        .chain = fate->base->name,
    };
}

/* As many of the crossing's ports, from the block's on, as share their leading bits: a rule asks for one of those or for
 * none, where it does not ask for just some of them. False: there are none left. */
static bool next_block(const struct crossing *crossing, struct crossing *block)
{
    const int64_t end = crossing->host + (crossing->count > 1 ? crossing->count : 1);
    block->host += block->count;
    block->port = crossing->port ? crossing->port + block->host - crossing->host : 0;
    for (block->count = 1; block->host % (2 * block->count) == 0 && block->host + 2 * block->count <= end;)
        block->count *= 2;
    return block->host < end;
}

static struct crossing before_blocks(const struct crossing *crossing)
{
    struct crossing block = *crossing;
    block.count = 0;
    return block;
}

static struct weighed weigh_block(struct state *state, const struct crossing *block, struct arena *arena)
{
    struct weighed weighed = {0};
    struct fate fate;
    for (enum turn turn = TURN_FIRST; turn < TURN_COUNT; turn++) {
        if (turn == TURN_FIRST)
            begin(state, block, &fate);
        else
            begin_next(state, &fate);
        pass_all(state);
        note_beside(state, &fate);
        take_fate(state, &fate, arena, &weighed);
    }
    return weighed;
}

/* What differs from port to port may end. */
static struct weighed weigh_all_ports(struct state *state, const struct crossing *crossing,
                                      struct arena *arena)
{
    if (!crossing->host)
        return weigh_block(state, crossing, arena);
    struct crossing block = before_blocks(crossing);
    next_block(crossing, &block);
    struct weighed all = weigh_block(state, &block, arena);
    while (next_block(crossing, &block)) {
        const struct weighed more = weigh_block(state, &block, arena);
        const bool differs = more.weight != all.weight;
        if (all.weight == WEIGHT_PASSES)
            all = more;
        if (differs)
            all.weight = WEIGHT_MAY_END;
    }
    return all;
}

/* ---- the view ---- */

static int weigh(const struct paths *paths, const struct crossing *crossings, size_t count,
                 struct arena *arena, struct weighed *out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct ruleset ruleset;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    if (result < 0 || (result = ruleset_read(socket, arena, &ruleset, error)) < 0)
        return error_wrap(error, result, "firewall");
    struct state state = {.paths = paths, .walk = {.ruleset = &ruleset}};
    const char *const legacy[] = {legacy_tables(arena, false), legacy_tables(arena, true)};
    for (size_t i = 0; i < count; i++) {
        out[i] = weigh_all_ports(&state, &crossings[i], arena);
        if (out[i].weight == WEIGHT_PASSES && legacy[crossings[i].is6])
            out[i] = (struct weighed){
                .weight = WEIGHT_MAY_END, .rule = legacy[crossings[i].is6], .firewall = FIREWALL_LEGACY};
    }
    return 0;
}

static const char *claim_of(struct state *state, const struct crossing *crossing, struct arena *arena)
{
    struct crossing block = before_blocks(crossing);
    while (next_block(crossing, &block)) {
        struct fate fate;
        begin(state, &block, &fate);
        pass_stage(state, STAGE_PREROUTING, false);
        if (fate.translates)
            return rule_text(arena, fate.translates_in, fate.translator);
    }
    return NULL;
}

/* What listens on all addresses is asked for each that the host has: a rule for one that it has not is in nobody's way. */
static const char *claim_of_any(struct state *state, const struct crossing *crossing,
                                const struct addresses *addresses, struct arena *arena)
{
    struct crossing at = *crossing;
    char text[INET6_ADDRSTRLEN];
    const char *claim = NULL;
    at.listen = text;
    for (size_t i = 0; i < addresses->count && !claim && !crossing->is6; i++) {
        inet_ntop(AF_INET, &addresses->items[i].address, text, sizeof(text));
        claim = claim_of(state, &at, arena);
    }
    for (size_t i = 0; i < addresses->six_count && !claim && crossing->is6; i++) {
        inet_ntop(AF_INET6, addresses->six[i].bytes, text, sizeof(text));
        claim = claim_of(state, &at, arena);
    }
    return claim;
}

static bool translates_of_others(const struct state *state)
{
    const struct ruleset *ruleset = state->walk.ruleset;
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        const struct ruleset_chain *chain = &ruleset->chains[i];
        if (chain->is_base && chain->is_nat && chain->hook == NF_INET_PRE_ROUTING && !is_ours(state, chain))
            return true;
    }
    return false;
}

static int claims(const struct paths *paths, const struct crossing *crossings, size_t count,
                  struct arena *arena, const char **out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL, *routes = NULL;
    struct ruleset ruleset;
    struct addresses addresses = {0};
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    if (result < 0 || (result = ruleset_read(socket, arena, &ruleset, error)) < 0)
        return error_wrap(error, result, "firewall");
    struct state state = {.paths = paths, .walk = {.ruleset = &ruleset}, .claims = true};
    if (!translates_of_others(&state))
        return 0;
    if ((result = netlink_open(NETLINK_ROUTE, &routes, error)) < 0 ||
        (result = addresses_dump(routes, HERE, arena, &addresses, error)) < 0)
        return error_wrap(error, result, "firewall");
    for (size_t i = 0; i < count; i++)
        out[i] = crossings[i].listen ? claim_of(&state, &crossings[i], arena)
                                     : claim_of_any(&state, &crossings[i], &addresses, arena);
    return 0;
}

struct default_walk {
    const struct links *links;
    struct way_in *ways;
    size_t count;
};

static int take_default(const struct nlmsghdr *message, void *context)
{
    struct default_walk *walk = context;
    const struct rtmsg *header = nlmsg_data(message);
    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_dst_len != 0 || header->rtm_type != RTN_UNICAST)
        return 0;
    struct nlattr *index = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), RTA_OIF);
    const struct link *link = index ? links_by_index(walk->links, (int)nla_get_u32(index)) : NULL;
    for (size_t i = 0; i < walk->count && link; i++)
        if (strcmp(walk->ways[i].ifname, link->name) == 0)
            walk->ways[i].is_default = true;
    return 0;
}

static int mark_defaults(struct nl_sock *socket, bool is6, struct default_walk *walk, struct error *error)
{
    struct rtmsg header = {.rtm_family = is6 ? AF_INET6 : AF_INET};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
    message_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
    int result = netlink_dump(socket, message, take_default, walk, "list of routes", error);
    return result == -EINTR || result == -ENOENT ? 0 : result; /* what was listed is good enough to tell */
}

static int ways_in(const struct paths *paths, bool is6, struct arena *arena, struct way_in **out,
                   size_t *count, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct addresses addresses;
    struct links links;
    int result;
    if ((result = netlink_open(NETLINK_ROUTE, &socket, error)) < 0 ||
        (result = links_dump(socket, arena, &links, error)) < 0 ||
        (result = addresses_dump(socket, HERE, arena, &addresses, error)) < 0)
        return error_wrap(error, result, "network");
    const char *bridges = bridge_prefix(paths, arena);
    struct default_walk walk = {.links = &links};
    for (size_t i = 0; i < links.count; i++) {
        const struct link *link = &links.items[i];
        bool has = false;
        for (size_t j = 0; j < addresses.count && !is6; j++)
            has = has || addresses.items[j].index == link->index;
        for (size_t j = 0; j < addresses.six_count && is6; j++)
            has = has || addresses.six[j].index == link->index;
        if (has && link->flags & IFF_UP && !(link->flags & IFF_LOOPBACK) &&
            strncmp(link->name, bridges, strlen(bridges)) != 0)
            *arena_append(arena, walk.ways, walk.count) =
                (struct way_in){.ifname = arena_strdup(arena, link->name)};
    }
    if ((result = mark_defaults(socket, is6, &walk, error)) < 0)
        return error_wrap(error, result, "network");
    *out = walk.ways;
    *count = walk.count;
    return 0;
}
