/* See conntrack.h. Kernels before 6.11 take a filter for a list and none for a deletion, so that flows are listed, chosen
 * here and ended one by one; there are seldom any. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#include "drivers/network/conntrack.h"
#include "drivers/network/internal.h"
#include "lib/error.h"

#define FILTER_PROTOCOL    (1 << 3) /* CTA_FILTER_F_CTA_PROTO_NUM of the kernel's nf_internals.h */
#define TUPLE_PROTOCOL_UDP 17

struct ending { /* what names one flow to the kernel, as it gave it */
    const struct nlattr *parts[3];
    struct ending *next;
};

struct listing {
    flow_chooser *goes;
    void *context;
    struct arena *arena;
    struct ending *endings;
};

static int list(struct nl_sock *socket, bool is6, bool filtered, struct listing *listing,
                struct error *error);
static int take_flow(const struct nlmsghdr *message, void *context);
static bool read_flow(const struct nlmsghdr *message, struct flow *flow);
static int end(struct nl_sock *socket, bool is6, const struct ending *ending, struct error *error);

int conntrack_end(bool is6, flow_chooser *goes, void *context, struct arena *arena, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct listing listing = {.goes = goes, .context = context, .arena = arena};
    struct error failure = {0};
    int result = netlink_open(NETLINK_NETFILTER, &socket, &failure);
    if (result == 0)
        result = list(socket, is6, true, &listing, &failure);
    if (result == -EINVAL || result == -EOPNOTSUPP) {
        listing.endings = NULL;
        result = list(socket, is6, false, &listing, &failure);
    }
    if (result == -EINVAL || result == -EOPNOTSUPP || result == -ENOENT || result == -EPROTONOSUPPORT)
        return 0;
    for (struct ending *next = listing.endings; next && result == 0; next = next->next)
        result = end(socket, is6, next, &failure);
    return result < 0 ? error_set(error, result, "%s", failure.text) : 0;
}

/* Older kernels (before 5.8) pass over what they do not know of a filter; `take_flow` looks for itself. */
static int list(struct nl_sock *socket, bool is6, bool filtered, struct listing *listing, struct error *error)
{
    const uint8_t udp = TUPLE_PROTOCOL_UDP;
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, is6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    if (filtered) {
        struct nlattr *filter = message_nest(message, CTA_FILTER);
        message_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL);
        message_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0);
        nla_nest_end(message, filter);
        struct nlattr *tuple = message_nest(message, CTA_TUPLE_ORIG);
        struct nlattr *protocol = message_nest(message, CTA_TUPLE_PROTO);
        message_put(message, CTA_PROTO_NUM, &udp, sizeof(udp));
        nla_nest_end(message, protocol);
        nla_nest_end(message, tuple);
    }
    int result = netlink_dump(socket, message, take_flow, listing, "list of flows", error);
    return result == -EINTR ? 0 : result; /* others came and went meanwhile, as they do */
}

static const struct nlattr *keep(struct arena *arena, const struct nlattr *attribute)
{
    return attribute ? arena_copy(arena, attribute, (size_t)nla_total_size(nla_len(attribute))) : NULL;
}

static int take_flow(const struct nlmsghdr *message, void *context)
{
    static const int parts[] = {CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE};
    struct listing *listing = context;
    struct flow flow;
    if (!read_flow(message, &flow) || !listing->goes(&flow, listing->context))
        return 0;
    struct ending *ending = arena_new_of(listing->arena, struct ending);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ending->parts[i] = keep(
            listing->arena, nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), parts[i]));
    ending->next = listing->endings;
    listing->endings = ending;
    return 0;
}

static struct nlattr *find_in(const struct nlattr *nest, int type)
{
    return nest ? nla_find(nla_data(nest), nla_len(nest), type) : NULL;
}

static bool read_address(const struct nlattr *addresses, int type, size_t size, struct flow_side *out)
{
    const struct nlattr *address = find_in(addresses, type);
    if (!address || (size_t)nla_len(address) != size)
        return false;
    memcpy(out->address, nla_data(address), size);
    return true;
}

static bool read_port(const struct nlattr *protocol, int type, struct flow_side *out)
{
    const struct nlattr *port = find_in(protocol, type);
    if (!port || nla_len(port) != sizeof(uint16_t))
        return false;
    out->port = be16toh(nla_get_u16(port));
    return true;
}

static bool read_tuple(const struct nlattr *tuple, bool is6, struct flow_side *from, struct flow_side *to)
{
    const struct nlattr *addresses = find_in(tuple, CTA_TUPLE_IP),
                        *protocol = find_in(tuple, CTA_TUPLE_PROTO);
    const struct nlattr *number = find_in(protocol, CTA_PROTO_NUM);
    const size_t size = is6 ? 16 : 4;
    return number && nla_get_u8(number) == TUPLE_PROTOCOL_UDP &&
           read_address(addresses, is6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, size, from) &&
           read_address(addresses, is6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, size, to) &&
           read_port(protocol, CTA_PROTO_SRC_PORT, from) && read_port(protocol, CTA_PROTO_DST_PORT, to);
}

/* One without an identity is passed over: it could not be told from a later one. */
static bool read_flow(const struct nlmsghdr *message, struct flow *flow)
{
    struct nlmsghdr *header = (struct nlmsghdr *)message;
    const size_t skip = sizeof(struct nfgenmsg);
    const struct nlattr *status = nlmsg_find_attr(header, (int)skip, CTA_STATUS);
    if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
        message->nlmsg_len < NLMSG_LENGTH(skip) || !status || !nlmsg_find_attr(header, (int)skip, CTA_ID))
        return false;
    const uint32_t bits = be32toh(nla_get_u32(status));
    const uint8_t family = ((const struct nfgenmsg *)nlmsg_data(header))->nfgen_family;
    *flow = (struct flow){.is6 = family == NFPROTO_IPV6,
                          .led = bits & IPS_DST_NAT,
                          .sourced = bits & IPS_SRC_NAT,
                          .answered = bits & IPS_SEEN_REPLY};
    return read_tuple(nlmsg_find_attr(header, (int)skip, CTA_TUPLE_ORIG), flow->is6, &flow->from,
                      &flow->to) &&
           read_tuple(nlmsg_find_attr(header, (int)skip, CTA_TUPLE_REPLY), flow->is6, &flow->answer_from,
                      &flow->answer_to);
}

/* Never without its tuple: that would end all there are. */
static int end(struct nl_sock *socket, bool is6, const struct ending *ending, struct error *error)
{
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, is6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    for (size_t i = 0; i < sizeof(ending->parts) / sizeof(ending->parts[0]); i++)
        if (ending->parts[i])
            message_put(message, ending->parts[i]->nla_type, nla_data(ending->parts[i]),
                        (size_t)nla_len(ending->parts[i]));
    struct error failure;
    int result = netlink_transact(socket, message, NULL, NULL, "end of a flow", &failure);
    return result < 0 && result != -ENOENT ? error_set(error, result, "%s", failure.text) : 0;
}
