/* Matches and targets of iptables, as iptables-nft keeps them in nf_tables and iptables-legacy in its tables: in the
 * binary form of each extension. Those that firewalls decide by are read, every other match is a maybe. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "drivers/network/view_packet.h"

typedef enum certainty match(const struct walk *walk, const void *info);
static match match_tcp, match_udp, match_conntrack, match_state, match_multiport, match_addrtype, match_mark,
    match_connmark, match_comment, match_rpfilter;

static const struct {
    const char *name;
    unsigned first, last; /* revisions of this shape */
    size_t size;
    match *matches;
} matches[] = {
    {"tcp", 0, 0, sizeof(struct xt_tcp), match_tcp},
    {"udp", 0, 0, sizeof(struct xt_udp), match_udp},
    {"conntrack", 2, 3, sizeof(struct xt_conntrack_mtinfo2), match_conntrack},
    {"state", 0, 0, sizeof(struct xt_state_info), match_state},
    {"multiport", 1, 1, sizeof(struct xt_multiport_v1), match_multiport},
    {"addrtype", 1, 1, sizeof(struct xt_addrtype_info_v1), match_addrtype},
    {"mark", 1, 1, sizeof(struct xt_mark_mtinfo1), match_mark},
    {"connmark", 1, 1, sizeof(struct xt_connmark_mtinfo1), match_connmark},
    {"rpfilter", 0, 0, sizeof(struct xt_rpfilter_info), match_rpfilter},
    {"comment", 0, 0, 0, match_comment},
};

enum certainty xt_matches(const struct walk *walk, const char *name, unsigned revision, const void *info,
                          size_t size)
{
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        if (strcmp(name, matches[i].name) != 0 || revision < matches[i].first || revision > matches[i].last ||
            size < matches[i].size)
            continue;
        /* Inside a message the information need not be aligned as its struct wants it. */
        _Alignas(8) unsigned char copy[sizeof(struct xt_conntrack_mtinfo3)] = {0};
        memcpy(copy, info, matches[i].size);
        return matches[i].matches(walk, copy);
    }
    return MAYBE;
}

static enum certainty invert(enum certainty is, bool inverted)
{
    return inverted ? certainty_not(is) : is;
}

/* Of the transport header: 0 the port of the source, 2 that of the target. */
static enum certainty port_between(const struct walk *walk, size_t at, uint16_t first, uint16_t last)
{
    const struct bits *header = &walk->packet->transport;
    const uint16_t from = htons(first), to = htons(last);
    return bits_between(header->value + at, header->known + at, (const unsigned char *)&from,
                        (const unsigned char *)&to, 2);
}

static enum certainty match_tcp(const struct walk *walk, const void *info)
{
    const struct xt_tcp *tcp = info;
    const struct bits *header = &walk->packet->transport;
    if (walk->packet->protocol != IPPROTO_TCP)
        return NO;
    const unsigned char value = header->value[13] & tcp->flg_mask;
    const unsigned char known = header->known[13] | (unsigned char)~tcp->flg_mask;
    enum certainty is = certainty_and(
        invert(port_between(walk, 0, tcp->spts[0], tcp->spts[1]), tcp->invflags & XT_TCP_INV_SRCPT),
        invert(port_between(walk, 2, tcp->dpts[0], tcp->dpts[1]), tcp->invflags & XT_TCP_INV_DSTPT));
    is = certainty_and(
        is, invert(bits_equal(&value, &known, &tcp->flg_cmp, 1), tcp->invflags & XT_TCP_INV_FLAGS));
    return certainty_and(is, tcp->option ? MAYBE : YES);
}

static enum certainty match_udp(const struct walk *walk, const void *info)
{
    const struct xt_udp *udp = info;
    if (walk->packet->protocol != IPPROTO_UDP)
        return NO;
    return certainty_and(
        invert(port_between(walk, 0, udp->spts[0], udp->spts[1]), udp->invflags & XT_UDP_INV_SRCPT),
        invert(port_between(walk, 2, udp->dpts[0], udp->dpts[1]), udp->invflags & XT_UDP_INV_DSTPT));
}

static enum certainty match_multiport(const struct walk *walk, const void *info)
{
    const struct xt_multiport_v1 *ports = info;
    enum certainty is = NO;
    for (unsigned i = 0; i < ports->count && i < XT_MULTI_PORTS && is != YES; i++) {
        const uint16_t first = ports->ports[i];
        const uint16_t last = ports->pflags[i] && i + 1 < XT_MULTI_PORTS ? ports->ports[++i] : first;
        enum certainty one =
            ports->flags == XT_MULTIPORT_EITHER
                ? (port_between(walk, 0, first, last) == NO && port_between(walk, 2, first, last) == NO
                       ? NO
                       : MAYBE)
                : port_between(walk, ports->flags == XT_MULTIPORT_SOURCE ? 0 : 2, first, last);
        is = one == NO ? is : one;
    }
    return invert(is, ports->invert);
}

/* The bits of a state are nft's, which took them over, up to `untracked`. */
static enum certainty state_meets(const struct packet *packet, unsigned mask)
{
    if (!packet->tracked)
        return mask & XT_CONNTRACK_STATE_INVALID ? YES : NO;
    unsigned state = packet->state & (XT_CONNTRACK_STATE_INVALID | NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
                                      NF_CT_STATE_BIT(IP_CT_RELATED) | NF_CT_STATE_BIT(IP_CT_NEW));
    state |= packet->status & IPS_SRC_NAT ? XT_CONNTRACK_STATE_SNAT : 0;
    state |= packet->status & IPS_DST_NAT ? XT_CONNTRACK_STATE_DNAT : 0;
    unsigned unknown = packet->status_known & IPS_SRC_NAT ? 0 : XT_CONNTRACK_STATE_SNAT;
    return state & ~unknown & mask ? YES : unknown & mask ? MAYBE : NO;
}

static enum certainty match_conntrack(const struct walk *walk, const void *info)
{
    const struct xt_conntrack_mtinfo2 *conntrack = info;
    const struct packet *packet = walk->packet;
    const unsigned flags = conntrack->match_flags, inverted = conntrack->invert_flags;
    const unsigned read = XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS | XT_CONNTRACK_STATUS |
                          XT_CONNTRACK_DIRECTION | XT_CONNTRACK_PROTO;
    enum certainty is = flags & ~read ? MAYBE : YES;
    if (flags & XT_CONNTRACK_STATE)
        is = certainty_and(is,
                           invert(state_meets(packet, conntrack->state_mask), inverted & XT_CONNTRACK_STATE));
    if (flags & ~(unsigned)(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS) && !packet->tracked)
        return NO;
    if (flags & XT_CONNTRACK_STATUS) {
        const unsigned set = packet->status & packet->status_known & conntrack->status_mask;
        const enum certainty met = set ? YES : conntrack->status_mask & ~packet->status_known ? MAYBE : NO;
        is = certainty_and(is, invert(met, inverted & XT_CONNTRACK_STATUS));
    }
    if (flags & XT_CONNTRACK_DIRECTION)
        is = certainty_and(is, packet->answer == !!(inverted & XT_CONNTRACK_DIRECTION) ? YES : NO);
    if (flags & XT_CONNTRACK_PROTO)
        is = certainty_and(
            is, invert(conntrack->l4proto == packet->protocol ? YES : NO, inverted & XT_CONNTRACK_PROTO));
    return is;
}

static enum certainty match_state(const struct walk *walk, const void *info)
{
    return state_meets(walk->packet, ((const struct xt_state_info *)info)->statemask);
}

static enum certainty type_meets(unsigned mask, bool known, bool local)
{
    return !mask ? YES : !known ? MAYBE : mask & 1U << (local ? RTN_LOCAL : RTN_UNICAST) ? YES : NO;
}

static enum certainty match_addrtype(const struct walk *walk, const void *info)
{
    const struct xt_addrtype_info_v1 *type = info;
    const struct packet *packet = walk->packet;
    if (type->flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT))
        return MAYBE;
    return certainty_and(
        invert(type_meets(type->source, true, packet->from_local), type->flags & XT_ADDRTYPE_INVERT_SOURCE),
        invert(type_meets(type->dest, packet->to_known, packet->to_local),
               type->flags & XT_ADDRTYPE_INVERT_DEST));
}

static enum certainty mark_is(uint32_t mark, uint32_t known, uint32_t mask, uint32_t wanted)
{
    return (mark ^ wanted) & known & mask || wanted & ~mask ? NO : mask & ~known ? MAYBE : YES;
}

static enum certainty match_mark(const struct walk *walk, const void *info)
{
    const struct xt_mark_mtinfo1 *mark = info;
    return invert(mark_is(walk->mark, walk->mark_known, mark->mask, mark->mark), mark->invert);
}

static enum certainty match_connmark(const struct walk *walk, const void *info)
{
    const struct xt_connmark_mtinfo1 *mark = info;
    if (!walk->packet->tracked)
        return NO;
    return invert(mark_is(walk->ct_mark, walk->ct_mark_known, mark->mask, mark->mark), mark->invert);
}

static enum certainty match_comment(const struct walk *walk, const void *info)
{
    (void)walk;
    (void)info;
    return YES;
}

/* Where a packet comes in, its answers go out: as for nft's fib. */
static enum certainty match_rpfilter(const struct walk *walk, const void *info)
{
    (void)walk;
    return ((const struct xt_rpfilter_info *)info)->flags & XT_RPFILTER_INVERT ? NO : YES;
}

int xt_target(struct walk *walk, const char *name, unsigned revision, const void *info, size_t size)
{
    static const char *const passing[] = {"LOG",   "NFLOG", "ULOG",    "TCPMSS",      "CHECKSUM", "CLASSIFY",
                                          "TRACE", "AUDIT", "SECMARK", "CONNSECMARK", "DSCP",     "TOS",
                                          "TTL",   "HL",    "SET",     "TEE",         "RATEEST"};
    static const struct {
        const char *name;
        int verdict;
    } ending[] = {{"REJECT", NF_DROP},
                  {"DROP", NF_DROP},
                  {"ACCEPT", NF_ACCEPT},
                  {"DNAT", VERDICT_TRANSLATE},
                  {"REDIRECT", VERDICT_TRANSLATE},
                  {"NETMAP", VERDICT_TRANSLATE},
                  {"TPROXY", VERDICT_TRANSLATE},
                  {"SNAT", NF_ACCEPT},
                  {"MASQUERADE", NF_ACCEPT}};
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        if (strcmp(name, ending[i].name) == 0)
            return ending[i].verdict;
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
        if (strcmp(name, passing[i]) == 0)
            return NFT_CONTINUE;
    /* Without a connection nothing is translated: neither what comes here, nor who leaves. */
    if (strcmp(name, "CT") == 0 && size >= sizeof(struct xt_ct_target_info)) {
        uint16_t flags; /* first in all revisions */
        memcpy(&flags, info, sizeof(flags));
        return flags & XT_CT_NOTRACK ? VERDICT_UNKNOWN : NFT_CONTINUE;
    }
    if (strcmp(name, "MARK") == 0 && revision == 2 && size >= sizeof(struct xt_mark_tginfo2)) {
        struct xt_mark_tginfo2 mark;
        memcpy(&mark, info, sizeof(mark));
        walk->mark_known &= ~(mark.mask | mark.mark); /* set or not, by what the rule asks else */
        return NFT_CONTINUE;
    }
    if (strcmp(name, "MARK") == 0 || strcmp(name, "CONNMARK") == 0) {
        walk->mark_known = 0;
        walk->ct_mark_known = 0;
        return NFT_CONTINUE;
    }
    return VERDICT_UNKNOWN;
}
