/* The expressions of one rule, run on a packet of which not everything is known: see view_packet.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/network/view_packet.h"

#define REGISTER_BYTES 64 /* sixteen of four bytes, which are four of sixteen, too */

struct run {
    struct walk *walk;
    const struct ruleset_chain *chain;
    const struct ruleset_rule *rule;
    unsigned char value[REGISTER_BYTES], known[REGISTER_BYTES];
    enum certainty met; /* of all conditions so far */
    enum flow flow;
};

typedef void expression(struct run *run, struct nlattr **data);
static expression run_immediate, run_cmp, run_range, run_bitwise, run_byteorder, run_payload, run_meta,
    run_ct, run_fib, run_lookup, run_nat, run_redir, run_reject, run_pass, run_maybe, run_unknown, run_match,
    run_target, run_accept, run_dynset, run_numgen, run_hash;

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
    {"lookup", run_lookup},
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

/* ---- registers ---- */

static uint32_t number(struct nlattr *attribute)
{
    return attribute && nla_len(attribute) >= 4 ? ntohl(nla_get_u32(attribute)) : 0;
}

/* Where a register begins, and how much there is from it on. */
static size_t register_at(struct nlattr *attribute, size_t *room)
{
    const uint32_t name = number(attribute);
    const size_t at = name >= NFT_REG32_00 ? (name - NFT_REG32_00) * 4 : name ? (name - 1) * 16 : 0;
    *room = at < REGISTER_BYTES ? REGISTER_BYTES - at : 0;
    return at;
}

/* Fills up the last word with zeros, as the kernel does. */
static void load(struct run *run, struct nlattr *destination, const void *value, const void *known,
                 size_t size)
{
    size_t room, at = register_at(destination, &room);
    const size_t whole = (size + 3) & ~(size_t)3;
    if (whole > room)
        return;
    memset(run->value + at, 0, whole);
    memset(run->known + at, 0xff, whole);
    memcpy(run->value + at, value, size);
    if (known)
        memcpy(run->known + at, known, size);
}

static void load_unknown(struct run *run, struct nlattr *destination, size_t size)
{
    size_t room, at = register_at(destination, &room);
    memset(run->known + at, 0, size < room ? size : room);
}

static void load_number(struct run *run, struct nlattr *destination, uint32_t value, uint32_t known)
{
    load(run, destination, &value, &known, sizeof(value));
}

static void load_name(struct run *run, struct nlattr *destination, const char *name)
{
    char text[IFNAMSIZ] = "";
    if (name)
        memcpy(text, name, strnlen(name, IFNAMSIZ - 1));
    load(run, destination, text, NULL, sizeof(text));
}

static void met(struct run *run, enum certainty condition)
{
    run->met = certainty_and(run->met, condition);
}

static void verdict(struct run *run, int code, const char *target)
{
    run->flow = walk_verdict(run->walk, run->chain, run->rule, run->met == YES, code, target);
    /* A verdict ends the rule, also one that may not be reached: what follows it never runs. */
    if (code != NFT_CONTINUE)
        run->met = NO;
}

static const unsigned char *data_value(struct nlattr *data, size_t *size)
{
    struct nlattr *value = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VALUE) : NULL;
    *size = value ? (size_t)nla_len(value) : 0;
    return value ? nla_data(value) : NULL;
}

/* The verdict in some data; false when it is no verdict. */
static bool data_verdict(struct run *run, struct nlattr *data, bool sure, enum flow *flow)
{
    struct nlattr *nested = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VERDICT) : NULL;
    if (!nested)
        return false;
    struct nlattr *code = nla_find(nla_data(nested), nla_len(nested), NFTA_VERDICT_CODE);
    struct nlattr *chain = nla_find(nla_data(nested), nla_len(nested), NFTA_VERDICT_CHAIN);
    *flow = walk_verdict(run->walk, run->chain, run->rule, sure, (int)number(code),
                         chain ? nla_get_string(chain) : NULL);
    return true;
}

/* ---- conditions ---- */

enum certainty bits_equal(const unsigned char *value, const unsigned char *known, const unsigned char *wanted,
                          size_t size)
{
    enum certainty is = YES;
    for (size_t i = 0; i < size; i++) {
        if ((value[i] ^ wanted[i]) & known[i])
            return NO;
        if (known[i] != 0xff)
            is = MAYBE;
    }
    return is;
}

/* As the kernel compares: byte by byte, the first one most. Unknown bits are once all 0 and once all 1. */
static int compare(const unsigned char *value, const unsigned char *known, unsigned char filling,
                   const unsigned char *with, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)((value[i] & known[i]) | (filling & ~known[i]));
        if (byte != with[i])
            return byte < with[i] ? -1 : 1;
    }
    return 0;
}

enum certainty bits_between(const unsigned char *value, const unsigned char *known,
                            const unsigned char *first, const unsigned char *last, size_t size)
{
    if (compare(value, known, 0xff, first, size) < 0 || compare(value, known, 0, last, size) > 0)
        return NO;
    return compare(value, known, 0, first, size) >= 0 && compare(value, known, 0xff, last, size) <= 0 ? YES
                                                                                                      : MAYBE;
}

static void run_cmp(struct run *run, struct nlattr **data)
{
    static const unsigned char least[REGISTER_BYTES];
    unsigned char most[REGISTER_BYTES];
    size_t size, room, at = register_at(data[NFTA_CMP_SREG], &room);
    const unsigned char *wanted = data_value(data[NFTA_CMP_DATA], &size);
    const uint32_t op = number(data[NFTA_CMP_OP]);
    if (!wanted || size > room) {
        met(run, MAYBE);
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
    met(run, op == NFT_CMP_NEQ || op == NFT_CMP_GT || op == NFT_CMP_LT ? certainty_not(is) : is);
}

static void run_range(struct run *run, struct nlattr **data)
{
    size_t size, to_size, room, at = register_at(data[NFTA_RANGE_SREG], &room);
    const unsigned char *from = data_value(data[NFTA_RANGE_FROM_DATA], &size);
    const unsigned char *to = data_value(data[NFTA_RANGE_TO_DATA], &to_size);
    enum certainty is = MAYBE;
    if (from && to && size == to_size && size <= room)
        is = bits_between(run->value + at, run->known + at, from, to, size);
    met(run, number(data[NFTA_RANGE_OP]) == NFT_RANGE_NEQ ? certainty_not(is) : is);
}

static void run_maybe(struct run *run, struct nlattr **data)
{
    (void)data;
    met(run, MAYBE);
}

static void run_pass(struct run *run, struct nlattr **data)
{
    (void)run;
    (void)data;
}

static void run_dynset(struct run *run, struct nlattr **data)
{
    met(run, data[NFTA_DYNSET_EXPR] || data[NFTA_DYNSET_EXPRESSIONS] ? MAYBE : YES);
}

static void run_match(struct run *run, struct nlattr **data)
{
    if (!data[NFTA_MATCH_NAME] || !data[NFTA_MATCH_INFO])
        met(run, MAYBE);
    else
        met(run, xt_matches(run->walk, nla_get_string(data[NFTA_MATCH_NAME]), number(data[NFTA_MATCH_REV]),
                            nla_data(data[NFTA_MATCH_INFO]), (size_t)nla_len(data[NFTA_MATCH_INFO])));
}

/* ---- what changes registers ---- */

static void run_bitwise(struct run *run, struct nlattr **data)
{
    size_t mask_size, flip_size, size = number(data[NFTA_BITWISE_LEN]), room, to_room;
    const size_t from = register_at(data[NFTA_BITWISE_SREG], &room);
    const size_t to = register_at(data[NFTA_BITWISE_DREG], &to_room);
    const unsigned char *mask = data_value(data[NFTA_BITWISE_MASK], &mask_size);
    const unsigned char *flip = data_value(data[NFTA_BITWISE_XOR], &flip_size);
    if (size > room || size > to_room)
        return;
    if (number(data[NFTA_BITWISE_OP]) != NFT_BITWISE_BOOL || !mask || !flip || mask_size < size ||
        flip_size < size) {
        load_unknown(run, data[NFTA_BITWISE_DREG], size);
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
    size_t length = number(data[NFTA_BYTEORDER_LEN]), size = number(data[NFTA_BYTEORDER_SIZE]), room, to_room;
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
    const uint32_t base = number(data[NFTA_PAYLOAD_BASE]);
    const size_t offset = number(data[NFTA_PAYLOAD_OFFSET]), size = number(data[NFTA_PAYLOAD_LEN]);
    const struct bits *header = base == NFT_PAYLOAD_NETWORK_HEADER     ? &packet->network
                                : base == NFT_PAYLOAD_TRANSPORT_HEADER ? &packet->transport
                                                                       : NULL;
    if (data[NFTA_PAYLOAD_SREG])
        return; /* it writes */
    if (!header || offset > header->size || size > header->size - offset)
        load_unknown(run, data[NFTA_PAYLOAD_DREG], size);
    else
        load(run, data[NFTA_PAYLOAD_DREG], header->value + offset, header->known + offset, size);
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
    const uint32_t key = number(data[NFTA_META_KEY]);
    if (data[NFTA_META_SREG]) {
        if (key == NFT_META_MARK)
            set_mark(run, data[NFTA_META_SREG], &walk->mark, &walk->mark_known);
        return;
    }
    const uint16_t ether = htons(packet->family == NFPROTO_IPV4 ? ETH_P_IP : ETH_P_IPV6);
    if (key == NFT_META_IIFNAME && !packet->in_is_any)
        load_name(run, to, packet->in);
    else if (key == NFT_META_OIFNAME)
        load_name(run, to, packet->out);
    else if (key == NFT_META_IIF && !packet->in_is_any)
        load_number(run, to, index_of(packet->in), UINT32_MAX);
    else if (key == NFT_META_OIF)
        load_number(run, to, index_of(packet->out), UINT32_MAX);
    else if (key == NFT_META_L4PROTO)
        load(run, to, &packet->protocol, NULL, 1);
    else if (key == NFT_META_NFPROTO)
        load(run, to, &packet->family, NULL, 1);
    else if (key == NFT_META_PROTOCOL)
        load(run, to, &ether, NULL, sizeof(ether));
    else if (key == NFT_META_MARK)
        load_number(run, to, walk->mark, walk->mark_known);
    else
        load_unknown(run, to, 16);
}

static void run_ct(struct run *run, struct nlattr **data)
{
    struct walk *walk = run->walk;
    const struct packet *packet = walk->packet;
    struct nlattr *to = data[NFTA_CT_DREG];
    const uint32_t key = number(data[NFTA_CT_KEY]);
    const uint8_t answer = packet->answer;
    const bool first = data[NFTA_CT_DIRECTION] && nla_get_u8(data[NFTA_CT_DIRECTION]) == 0;
    const size_t address = packet->family == NFPROTO_IPV4 ? 4 : 16;
    if (data[NFTA_CT_SREG]) {
        if (key == NFT_CT_MARK && packet->tracked)
            set_mark(run, data[NFTA_CT_SREG], &walk->ct_mark, &walk->ct_mark_known);
    } else if (key == NFT_CT_STATE) {
        load_number(run, to, packet->tracked ? packet->state : NF_CT_STATE_INVALID_BIT, UINT32_MAX);
    } else if (!packet->tracked) {
        met(run, NO); /* it asks of a connection that is not looked up yet */
    } else if (key == NFT_CT_DIRECTION) {
        load(run, to, &answer, NULL, 1);
    } else if (key == NFT_CT_STATUS) {
        load_number(run, to, packet->status, packet->status_known);
    } else if (key == NFT_CT_MARK) {
        load_number(run, to, walk->ct_mark, walk->ct_mark_known);
    } else if ((key == NFT_CT_DST || key == NFT_CT_DST_IP || key == NFT_CT_DST_IP6) && first &&
               packet->original) {
        load(run, to, packet->original, NULL, address);
    } else if (key == NFT_CT_PROTO_DST && first && packet->original_port) {
        const uint16_t port = htons(packet->original_port);
        load(run, to, &port, NULL, sizeof(port));
    } else if (key == NFT_CT_L3PROTOCOL) {
        load(run, to, &packet->family, NULL, 1);
    } else if (key == NFT_CT_PROTOCOL) {
        load(run, to, &packet->protocol, NULL, 1);
    } else {
        load_unknown(run, to, 16);
    }
}

/* Where a packet comes in, its answers go out: others do not get here. */
static void run_fib(struct run *run, struct nlattr **data)
{
    const struct packet *packet = run->walk->packet;
    struct nlattr *to = data[NFTA_FIB_DREG];
    const uint32_t flags = number(data[NFTA_FIB_FLAGS]), result = number(data[NFTA_FIB_RESULT]);
    const bool source = flags & NFTA_FIB_F_SADDR;
    const uint8_t present = 1;
    if (result == NFT_FIB_RESULT_ADDRTYPE && (source || packet->to_known))
        load_number(run, to, (source ? packet->from_local : packet->to_local) ? RTN_LOCAL : RTN_UNICAST,
                    UINT32_MAX);
    else if (!source || packet->in_is_any)
        load_unknown(run, to, 16);
    else if (flags & NFTA_FIB_F_PRESENT)
        load(run, to, &present, NULL, 1);
    else if (result == NFT_FIB_RESULT_OIF)
        load_number(run, to, index_of(packet->in), UINT32_MAX);
    else
        load_name(run, to, packet->in);
}

/* ---- sets ---- */

static int compare_elements(const void *left, const void *right)
{
    const struct ruleset_element *a = *(const struct ruleset_element *const *)left;
    const struct ruleset_element *b = *(const struct ruleset_element *const *)right;
    const int order = memcmp(a->key, b->key, a->size < b->size ? a->size : b->size);
    return order ? order : (int)b->ends_interval - (int)a->ends_interval;
}

/* From one element up to, and without, the next: an interval's end has an element of its own. */
static enum certainty meets_interval(const struct run *run, size_t at, const struct ruleset_element *element,
                                     const struct ruleset_element *next)
{
    unsigned char last[REGISTER_BYTES];
    memset(last, 0xff, sizeof(last));
    if (next) {
        memcpy(last, next->key, next->size);
        for (size_t i = next->size; i-- > 0 && last[i]-- == 0;)
            ;
    }
    return bits_between(run->value + at, run->known + at, element->key, last, element->size);
}

static enum certainty meets_fields(const struct run *run, size_t at, const struct ruleset_set *set,
                                   const struct ruleset_element *element)
{
    enum certainty is = YES;
    size_t begin = 0;
    for (const unsigned char *field = set->fields; *field && begin + *field <= element->size; field++) {
        is = certainty_and(is, bits_between(run->value + at + begin, run->known + at + begin,
                                            element->key + begin, element->end + begin, *field));
        begin += *field;
    }
    return begin == element->size ? is : MAYBE;
}

/* What they draw or count is not known; the other keys that a map joins it with are. */
static void run_numgen(struct run *run, struct nlattr **data)
{
    load_unknown(run, data[NFTA_NG_DREG], sizeof(uint32_t));
}

static void run_hash(struct run *run, struct nlattr **data)
{
    load_unknown(run, data[NFTA_HASH_DREG], sizeof(uint32_t));
}

struct lookup {
    struct run *run;
    const struct ruleset_set *set;
    size_t at, room;
    struct nlattr *to; /* where the data goes; NULL: none */
    enum certainty found;
    enum flow flow;
    bool has_verdicts;
};

static void found(struct lookup *lookup, const struct ruleset_element *element, enum certainty is)
{
    struct run *run = lookup->run;
    size_t size;
    if (element->is_conditional)
        is = certainty_and(is, MAYBE);
    if (is == NO || lookup->found == YES)
        return;
    lookup->found = is;
    enum flow flow = FLOW_ON;
    if (!lookup->to)
        return;
    if (data_verdict(run, element->data, is == YES && run->met == YES, &flow)) {
        lookup->has_verdicts = true;
        lookup->flow = flow;
        return;
    }
    const unsigned char *value = data_value(element->data, &size);
    if (is == YES && value)
        load(run, lookup->to, value, NULL, size);
    else
        load_unknown(run, lookup->to, size);
}

static void find_in_intervals(struct lookup *lookup)
{
    const struct ruleset_set *set = lookup->set;
    struct arena *arena = lookup->run->walk->ruleset->arena;
    const struct ruleset_element **sorted = arena_array_of(arena, const struct ruleset_element *, set->count);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!set->elements[i].is_default && set->elements[i].key && set->elements[i].size <= lookup->room)
            sorted[count++] = &set->elements[i];
    qsort(sorted, count, sizeof(*sorted), compare_elements);
    for (size_t i = 0; i < count; i++)
        if (!sorted[i]->ends_interval)
            found(lookup, sorted[i],
                  meets_interval(lookup->run, lookup->at, sorted[i], i + 1 < count ? sorted[i + 1] : NULL));
}

static void find(struct lookup *lookup)
{
    const struct run *run = lookup->run;
    const struct ruleset_set *set = lookup->set;
    if (set->intervals && !set->fields[1]) {
        find_in_intervals(lookup);
    } else {
        for (size_t i = 0; i < set->count; i++) {
            const struct ruleset_element *element = &set->elements[i];
            if (element->is_default || !element->key || element->size > lookup->room)
                continue;
            found(lookup, element,
                  element->end && element->end_size == element->size
                      ? meets_fields(run, lookup->at, set, element)
                      : bits_equal(run->value + lookup->at, run->known + lookup->at, element->key,
                                   element->size));
        }
    }
    for (size_t i = 0; i < set->count && lookup->found != YES; i++)
        if (set->elements[i].is_default)
            found(lookup, &set->elements[i], lookup->found == NO ? YES : MAYBE);
}

static void run_lookup(struct run *run, struct nlattr **data)
{
    const bool inverted = number(data[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV;
    struct lookup lookup = {.run = run, .to = data[NFTA_LOOKUP_DREG], .found = NO, .flow = FLOW_ON};
    lookup.at = register_at(data[NFTA_LOOKUP_SREG], &lookup.room);
    lookup.set = data[NFTA_LOOKUP_SET] ? ruleset_set(run->walk->ruleset, run->chain->family,
                                                     run->chain->table, nla_get_string(data[NFTA_LOOKUP_SET]))
                                       : NULL;
    if (!lookup.set) {
        if (lookup.to && number(lookup.to) == NFT_REG_VERDICT)
            verdict(run, VERDICT_UNKNOWN, NULL);
        else if (lookup.to)
            load_unknown(run, lookup.to, REGISTER_BYTES);
        met(run, MAYBE);
        return;
    }
    find(&lookup);
    if (lookup.has_verdicts) { /* what it may be was walked; without one the rule goes no further */
        run->flow = lookup.flow;
        run->met = NO;
        return;
    }
    met(run, inverted ? certainty_not(lookup.found) : lookup.found);
}

/* ---- what ends a rule ---- */

static void run_immediate(struct run *run, struct nlattr **data)
{
    size_t size;
    const unsigned char *value = data_value(data[NFTA_IMMEDIATE_DATA], &size);
    enum flow flow = FLOW_ON;
    if (value) {
        load(run, data[NFTA_IMMEDIATE_DREG], value, NULL, size);
    } else if (data_verdict(run, data[NFTA_IMMEDIATE_DATA], run->met == YES, &flow)) {
        run->flow = flow;
        run->met = NO;
    }
}

static void run_accept(struct run *run, struct nlattr **data)
{
    (void)data;
    verdict(run, NF_ACCEPT, NULL);
}

static void run_nat(struct run *run, struct nlattr **data)
{
    verdict(run, number(data[NFTA_NAT_TYPE]) == NFT_NAT_DNAT ? VERDICT_TRANSLATE : NF_ACCEPT, NULL);
}

static void run_redir(struct run *run, struct nlattr **data)
{
    (void)data;
    verdict(run, VERDICT_TRANSLATE, NULL);
}

static void run_reject(struct run *run, struct nlattr **data)
{
    (void)data;
    verdict(run, NF_DROP, NULL);
}

static void run_unknown(struct run *run, struct nlattr **data)
{
    (void)data;
    verdict(run, VERDICT_UNKNOWN, NULL);
}

static void run_target(struct run *run, struct nlattr **data)
{
    if (!data[NFTA_TARGET_NAME] || !data[NFTA_TARGET_INFO])
        verdict(run, VERDICT_UNKNOWN, NULL);
    else
        verdict(run,
                xt_target(run->walk, nla_get_string(data[NFTA_TARGET_NAME]), number(data[NFTA_TARGET_REV]),
                          nla_data(data[NFTA_TARGET_INFO]), (size_t)nla_len(data[NFTA_TARGET_INFO])),
                NULL);
}
