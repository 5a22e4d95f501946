/* Chains of others that end forwarded packets unless a rule of theirs lets them through: with such a policy a firewall
 * (Docker's FORWARD chain, ufw) wins over whatever our own chains accept. Looked for when somebody asks, not by runs. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/error.h"

struct firewall_walk {
    const struct paths *paths;
    struct arena *arena;
    struct texts *out;
};

static const char *family_name(uint8_t family)
{
    return family == NFPROTO_IPV4     ? "ip"
           : family == NFPROTO_IPV6   ? "ip6"
           : family == NFPROTO_INET   ? "inet"
           : family == NFPROTO_BRIDGE ? "bridge"
                                      : NULL;
}

static int take_chain(const struct nlmsghdr *message, void *context)
{
    struct firewall_walk *walk = context;
    const struct nfgenmsg *header = nlmsg_data((struct nlmsghdr *)message);
    struct nlattr *attributes[NFTA_CHAIN_MAX + 1];
    const char *family = family_name(header->nfgen_family);
    if (!family ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, NFTA_CHAIN_MAX, NULL) < 0)
        return 0;
    struct nlattr *hook = attributes[NFTA_CHAIN_HOOK], *policy = attributes[NFTA_CHAIN_POLICY];
    struct nlattr *number = hook ? nla_find(nla_data(hook), nla_len(hook), NFTA_HOOK_HOOKNUM) : NULL;
    if (!number || !policy || ntohl(nla_get_u32(number)) != NF_INET_FORWARD ||
        ntohl(nla_get_u32(policy)) != NF_DROP || !attributes[NFTA_CHAIN_TABLE] ||
        !attributes[NFTA_CHAIN_NAME])
        return 0;
    const char *table = nla_get_string(attributes[NFTA_CHAIN_TABLE]);
    if (strcmp(table, walk->paths->nft_table) == 0)
        return 0;
    uint64_t handle = attributes[NFTA_CHAIN_HANDLE] ? be64toh(nla_get_u64(attributes[NFTA_CHAIN_HANDLE])) : 0;
    *arena_append(walk->arena, walk->out->items, walk->out->count) =
        arena_printf(walk->arena, "table %s %s, chain %s (handle %" PRIu64 "): policy drop", family, table,
                     nla_get_string(attributes[NFTA_CHAIN_NAME]), handle);
    return 0;
}

int view_firewall(const struct paths *paths, struct arena *arena, struct texts *out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    for (int attempt = 0; result == 0 && attempt < 16; attempt++) {
        struct nfgenmsg header = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
        _cleanup_message_ struct nl_msg *message =
            message_new(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header, sizeof(header));
        *out = (struct texts){0};
        result = netlink_dump(socket, message, take_chain, &(struct firewall_walk){paths, arena, out},
                              "chains", error);
        if (result != -EINTR)
            return result;
        result = 0;
    }
    return result;
}
