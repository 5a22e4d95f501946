/* The expressions of one rule, run on a packet of which not everything is known: see view_packet.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <string.h>

#include "drivers/network/view_registers.h"

typedef void expression(struct run *run, struct nlattr **data);
static expression run_immediate, run_cmp, run_range, run_bitwise, run_byteorder, run_payload, run_meta,
    run_ct, run_fib, run_nat, run_redir, run_reject, run_pass, run_maybe, run_unknown, run_match, run_target,
    run_accept, run_dynset, run_numgen, run_hash;

static const struct {
    const char *name;
    expression *run;
} expressions[] = {
    {"immediate", run_immediate},
    {"cmp", run_cmp},
    {"range", run_range},
    {"bitwise", run_bitwise},
    {"byteorder", run_byteorder},
    {"payload", run_payload},
    {"meta", run_meta},
    {"ct", run_ct},
    {"fib", run_fib},
    {"numgen", run_numgen},
    {"hash", run_hash},
    {"lookup", rule_look_up},
    {"match", run_match},
    {"target", run_target},
    {"nat", run_nat},
    {"redir", run_redir},
    {"tproxy", run_redir},
    {"masq", run_accept},
    {"reject", run_reject},
    {"dynset", run_dynset},
    {"counter", run_pass},
    {"log", run_pass},
    {"dup", run_pass},
    {"last", run_pass},
    {"objref", run_pass},
    {"notrack", run_unknown},
    {"flow_offload", run_pass},
    {"limit", run_maybe},
    {"quota", run_maybe},
    {"connlimit", run_maybe},
    {"queue", run_unknown},
    {"synproxy", run_unknown},
    {"fwd", run_unknown},
};

static void run_one(struct run *run, struct nlattr *item)
{
    struct nlattr *attributes[NFTA_EXPR_MAX + 1], *data[32] = {0}, *part;
    int left;
    if (nla_parse_nested(attributes, NFTA_EXPR_MAX, item, NULL) < 0 || !attributes[NFTA_EXPR_NAME])
        return;
    if (attributes[NFTA_EXPR_DATA])
        nla_for_each_nested(part, attributes[NFTA_EXPR_DATA], left) if (nla_type(part) < 32)
            data[nla_type(part)] = part;
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        if (nla_strcmp(attributes[NFTA_EXPR_NAME], expressions[i].name) == 0) {
            expressions[i].run(run, data);
            return;
        }
    }
    /* Others load what is not known here (rt, socket, osf, xfrm...) or are newer than this program. */
    memset(run->known, 0, sizeof(run->known));
    run->met = certainty_and(run->met, MAYBE);
}

enum flow rule_run(struct walk *walk, const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
    struct run run = {.walk = walk, .chain = chain, .rule = rule, .met = YES, .flow = FLOW_ON};
    struct nlattr *item;
    int left;
    if (!rule->expressions)
        return FLOW_ON;
    nla_for_each_nested(item, rule->expressions, left)
    {
        run_one(&run, item);
        if (run.met == NO || run.flow != FLOW_ON)
            return run.flow;
    }
    return FLOW_ON;
}

/* ---- conditions ---- */

static void run_cmp(struct run *run, struct nlattr **data)
{
    static const unsigned char least[REGISTER_BYTES];
    unsigned char most[REGISTER_BYTES];
    size_t size, room, at = register_at(data[NFTA_CMP_SREG], &room);
    const unsigned char *wanted = data_value(data[NFTA_CMP_DATA], &size);
    const uint32_t op = attribute_number(data[NFTA_CMP_OP]);
    if (!wanted || size > room) {
        rule_met(run, MAYBE);
        return;
    }
    memset(most, 0xff, sizeof(most));
    const unsigned char *value = run->value + at, *known = run->known + at;
    enum certainty is;
    if (op == NFT_CMP_EQ || op == NFT_CMP_NEQ)
        is = bits_equal(value, known, wanted, size);
    else if (op == NFT_CMP_LTE || op == NFT_CMP_GT)
        is = bits_between(value, known, least, wanted, size);
    else
        is = bits_between(value, known, wanted, most, size);
    rule_met(run, op == NFT_CMP_NEQ || op == NFT_CMP_GT || op == NFT_CMP_LT ? certainty_not(is) : is);
}

static void run_range(struct run *run, struct nlattr **data)
{
    size_t size, to_size, room, at = register_at(data[NFTA_RANGE_SREG], &room);
    const unsigned char *from = data_value(data[NFTA_RANGE_FROM_DATA], &size);
    const unsigned char *to = data_value(data[NFTA_RANGE_TO_DATA], &to_size);
    enum certainty is = MAYBE;
    if (from && to && size == to_size && size <= room)
        is = bits_between(run->value + at, run->known + at, from, to, size);
    rule_met(run, attribute_number(data[NFTA_RANGE_OP]) == NFT_RANGE_NEQ ? certainty_not(is) : is);
}

static void run_maybe(struct run *run, struct nlattr **data)
{
    (void)data;
    rule_met(run, MAYBE);
}

static void run_pass(struct run *run, struct nlattr **data)
{
    (void)run;
    (void)data;
}

static void run_dynset(struct run *run, struct nlattr **data)
{
    rule_met(run, data[NFTA_DYNSET_EXPR] || data[NFTA_DYNSET_EXPRESSIONS] ? MAYBE : YES);
}

static void run_match(struct run *run, struct nlattr **data)
{
    if (!data[NFTA_MATCH_NAME] || !data[NFTA_MATCH_INFO])
        rule_met(run, MAYBE);
    else
        rule_met(run, xt_matches(run->walk, nla_get_string(data[NFTA_MATCH_NAME]),
                                 attribute_number(data[NFTA_MATCH_REV]), nla_data(data[NFTA_MATCH_INFO]),
                                 (size_t)nla_len(data[NFTA_MATCH_INFO])));
}

/* ---- what changes registers ---- */

static void run_bitwise(struct run *run, struct nlattr **data)
{
    size_t mask_size, flip_size, size = attribute_number(data[NFTA_BITWISE_LEN]), room, to_room;
    const size_t from = register_at(data[NFTA_BITWISE_SREG], &room);
    const size_t to = register_at(data[NFTA_BITWISE_DREG], &to_room);
    const unsigned char *mask = data_value(data[NFTA_BITWISE_MASK], &mask_size);
    const unsigned char *flip = data_value(data[NFTA_BITWISE_XOR], &flip_size);
    if (size > room || size > to_room)
        return;
    if (attribute_number(data[NFTA_BITWISE_OP]) != NFT_BITWISE_BOOL || !mask || !flip || mask_size < size ||
        flip_size < size) {
        register_load_unknown(run, data[NFTA_BITWISE_DREG], size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        const unsigned char known = run->known[from + i] | (unsigned char)~mask[i];
        run->value[to + i] = (run->value[from + i] & mask[i]) ^ flip[i];
        run->known[to + i] = known;
    }
}

static void swap_bytes(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        const unsigned char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

static void run_byteorder(struct run *run, struct nlattr **data)
{
    size_t length = attribute_number(data[NFTA_BYTEORDER_LEN]),
           size = attribute_number(data[NFTA_BYTEORDER_SIZE]), room, to_room;
    const size_t from = register_at(data[NFTA_BYTEORDER_SREG], &room);
    const size_t to = register_at(data[NFTA_BYTEORDER_DREG], &to_room);
    if (length > room || length > to_room || !size)
        return;
    memmove(run->value + to, run->value + from, length);
    memmove(run->known + to, run->known + from, length);
    for (size_t at = 0; BYTE_ORDER == LITTLE_ENDIAN && at + size <= length; at += size) {
        swap_bytes(run->value + to + at, size);
        swap_bytes(run->known + to + at, size);
    }
}

static void run_payload(struct run *run, struct nlattr **data)
{
    const struct packet *packet = run->walk->packet;
    const uint32_t base = attribute_number(data[NFTA_PAYLOAD_BASE]);
    const size_t offset = attribute_number(data[NFTA_PAYLOAD_OFFSET]),
                 size = attribute_number(data[NFTA_PAYLOAD_LEN]);
    const struct bits *header = base == NFT_PAYLOAD_NETWORK_HEADER     ? &packet->network
                                : base == NFT_PAYLOAD_TRANSPORT_HEADER ? &packet->transport
                                                                       : NULL;
    if (data[NFTA_PAYLOAD_SREG])
        return; /* it writes */
    if (!header || offset > header->size || size > header->size - offset)
        register_load_unknown(run, data[NFTA_PAYLOAD_DREG], size);
    else
        register_load(run, data[NFTA_PAYLOAD_DREG], header->value + offset, header->known + offset, size);
}

static uint32_t index_of(const char *ifname)
{
    return ifname ? if_nametoindex(ifname) : 0;
}

static void set_mark(struct run *run, struct nlattr *source, uint32_t *mark, uint32_t *known)
{
    size_t room, at = register_at(source, &room);
    if (room < sizeof(*mark))
        return;
    uint32_t new, new_known;
    memcpy(&new, run->value + at, sizeof(new));
    memcpy(&new_known, run->known + at, sizeof(new_known));
    if (run->met != YES || run->walk->unsure)
        new_known &= *known & ~(*mark ^ new);
    *mark = new;
    *known = new_known;
}

static void run_meta(struct run *run, struct nlattr **data)
{
    struct walk *walk = run->walk;
    const struct packet *packet = walk->packet;
    struct nlattr *to = data[NFTA_META_DREG];
    const uint32_t key = attribute_number(data[NFTA_META_KEY]);
    if (data[NFTA_META_SREG]) {
        if (key == NFT_META_MARK)
            set_mark(run, data[NFTA_META_SREG], &walk->mark, &walk->mark_known);
        return;
    }
    const uint16_t ether = htons(packet->family == NFPROTO_IPV4 ? ETH_P_IP : ETH_P_IPV6);
    if (key == NFT_META_IIFNAME && !packet->in_is_any)
        register_load_name(run, to, packet->in);
    else if (key == NFT_META_OIFNAME)
        register_load_name(run, to, packet->out);
    else if (key == NFT_META_IIF && !packet->in_is_any)
        register_load_number(run, to, index_of(packet->in), UINT32_MAX);
    else if (key == NFT_META_OIF)
        register_load_number(run, to, index_of(packet->out), UINT32_MAX);
    else if (key == NFT_META_L4PROTO)
        register_load(run, to, &packet->protocol, NULL, 1);
    else if (key == NFT_META_NFPROTO)
        register_load(run, to, &packet->family, NULL, 1);
    else if (key == NFT_META_PROTOCOL)
        register_load(run, to, &ether, NULL, sizeof(ether));
    else if (key == NFT_META_MARK)
        register_load_number(run, to, walk->mark, walk->mark_known);
    else
        register_load_unknown(run, to, 16);
}

static void run_ct(struct run *run, struct nlattr **data)
{
    struct walk *walk = run->walk;
    const struct packet *packet = walk->packet;
    struct nlattr *to = data[NFTA_CT_DREG];
    const uint32_t key = attribute_number(data[NFTA_CT_KEY]);
    const uint8_t answer = packet->answer;
    const bool first = data[NFTA_CT_DIRECTION] && nla_get_u8(data[NFTA_CT_DIRECTION]) == 0;
    const size_t address = packet->family == NFPROTO_IPV4 ? 4 : 16;
    if (data[NFTA_CT_SREG]) {
        if (key == NFT_CT_MARK && packet->tracked)
            set_mark(run, data[NFTA_CT_SREG], &walk->ct_mark, &walk->ct_mark_known);
    } else if (key == NFT_CT_STATE) {
        register_load_number(run, to, packet->tracked ? packet->state : NF_CT_STATE_INVALID_BIT, UINT32_MAX);
    } else if (!packet->tracked) {
        rule_met(run, NO); /* it asks of a connection that is not looked up yet */
    } else if (key == NFT_CT_DIRECTION) {
        register_load(run, to, &answer, NULL, 1);
    } else if (key == NFT_CT_STATUS) {
        register_load_number(run, to, packet->status, packet->status_known);
    } else if (key == NFT_CT_MARK) {
        register_load_number(run, to, walk->ct_mark, walk->ct_mark_known);
    } else if ((key == NFT_CT_DST || key == NFT_CT_DST_IP || key == NFT_CT_DST_IP6) && first &&
               packet->original) {
        register_load(run, to, packet->original, NULL, address);
    } else if (key == NFT_CT_PROTO_DST && first && packet->original_port) {
        const uint16_t port = htons(packet->original_port);
        register_load(run, to, &port, NULL, sizeof(port));
    } else if (key == NFT_CT_L3PROTOCOL) {
        register_load(run, to, &packet->family, NULL, 1);
    } else if (key == NFT_CT_PROTOCOL) {
        register_load(run, to, &packet->protocol, NULL, 1);
    } else {
        register_load_unknown(run, to, 16);
    }
}

/* Where a packet comes in, its answers go out: others do not get here. */
static void run_fib(struct run *run, struct nlattr **data)
{
    const struct packet *packet = run->walk->packet;
    struct nlattr *to = data[NFTA_FIB_DREG];
    const uint32_t flags = attribute_number(data[NFTA_FIB_FLAGS]),
                   result = attribute_number(data[NFTA_FIB_RESULT]);
    const bool source = flags & NFTA_FIB_F_SADDR;
    const uint8_t present = 1;
    if (result == NFT_FIB_RESULT_ADDRTYPE && (source || packet->to_known))
        register_load_number(
            run, to, (source ? packet->from_local : packet->to_local) ? RTN_LOCAL : RTN_UNICAST, UINT32_MAX);
    else if (!source || packet->in_is_any)
        register_load_unknown(run, to, 16);
    else if (flags & NFTA_FIB_F_PRESENT)
        register_load(run, to, &present, NULL, 1);
    else if (result == NFT_FIB_RESULT_OIF)
        register_load_number(run, to, index_of(packet->in), UINT32_MAX);
    else
        register_load_name(run, to, packet->in);
}

/* What they draw or count is not known; the other keys that a map joins it with are. */
static void run_numgen(struct run *run, struct nlattr **data)
{
    register_load_unknown(run, data[NFTA_NG_DREG], sizeof(uint32_t));
}

static void run_hash(struct run *run, struct nlattr **data)
{
    register_load_unknown(run, data[NFTA_HASH_DREG], sizeof(uint32_t));
}

/* ---- what ends a rule ---- */

static void run_immediate(struct run *run, struct nlattr **data)
{
    size_t size;
    const unsigned char *value = data_value(data[NFTA_IMMEDIATE_DATA], &size);
    enum flow flow = FLOW_ON;
    if (value) {
        register_load(run, data[NFTA_IMMEDIATE_DREG], value, NULL, size);
    } else if (data_verdict(run, data[NFTA_IMMEDIATE_DATA], run->met == YES, &flow)) {
        run->flow = flow;
        run->met = NO;
    }
}

static void run_accept(struct run *run, struct nlattr **data)
{
    (void)data;
    rule_verdict(run, NF_ACCEPT, NULL);
}

static void run_nat(struct run *run, struct nlattr **data)
{
    rule_verdict(run, attribute_number(data[NFTA_NAT_TYPE]) == NFT_NAT_DNAT ? VERDICT_TRANSLATE : NF_ACCEPT,
                 NULL);
}

static void run_redir(struct run *run, struct nlattr **data)
{
    (void)data;
    rule_verdict(run, VERDICT_TRANSLATE, NULL);
}

static void run_reject(struct run *run, struct nlattr **data)
{
    (void)data;
    rule_verdict(run, NF_DROP, NULL);
}

static void run_unknown(struct run *run, struct nlattr **data)
{
    (void)data;
    rule_verdict(run, VERDICT_UNKNOWN, NULL);
}

static void run_target(struct run *run, struct nlattr **data)
{
    if (!data[NFTA_TARGET_NAME] || !data[NFTA_TARGET_INFO])
        rule_verdict(run, VERDICT_UNKNOWN, NULL);
    else
        rule_verdict(run,
                     xt_target(run->walk, nla_get_string(data[NFTA_TARGET_NAME]),
                               attribute_number(data[NFTA_TARGET_REV]), nla_data(data[NFTA_TARGET_INFO]),
                               (size_t)nla_len(data[NFTA_TARGET_INFO])),
                     NULL);
}
