/* The host's routes of IPv6, which are asked for only when a network is to get a subnet of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/error.h"

struct route6_walk {
    struct observed_network *network;
    struct arena *arena;
};

static int take_route6(const struct nlmsghdr *message, void *context)
{
    struct route6_walk *walk = context;
    const struct rtmsg *header = nlmsg_data(message);
    struct nlattr *attributes[RTA_MAX + 1];
    char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE] = "";
    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_family != AF_INET6 || header->rtm_dst_len == 0 ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, NULL) < 0 ||
        !attributes[RTA_DST] || nla_len(attributes[RTA_DST]) != 16)
        return 0;
    const struct in6_addr *address = nla_data(attributes[RTA_DST]);
    uint32_t table = attributes[RTA_TABLE] ? nla_get_u32(attributes[RTA_TABLE]) : header->rtm_table;
    if (table != RT_TABLE_MAIN || IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_MULTICAST(address))
        return 0;
    if (attributes[RTA_OIF])
        if_indextoname(nla_get_u32(attributes[RTA_OIF]), name);
    *(struct observed_route *)arena_append(walk->arena, walk->network->routes6, walk->network->route6_count) =
        (struct observed_route){
            .subnet = arena_printf(walk->arena, "%s/%u", inet_ntop(AF_INET6, address, text, sizeof(text)),
                                   header->rtm_dst_len),
            .ifname = arena_strdup(walk->arena, name),
        };
    return 0;
}

int view_routes6(struct observed_network *network, struct arena *arena, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct rtmsg header = {.rtm_family = AF_INET6};
    int result = netlink_open(NETLINK_ROUTE, &socket, error);
    for (int attempt = 0; result >= 0 && attempt < 16; attempt++) {
        _cleanup_message_ struct nl_msg *message = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
        message_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
        network->route6_count = 0;
        network->routes6 = NULL;
        result = netlink_dump(socket, message, take_route6, &(struct route6_walk){network, arena},
                              "list of routes of IPv6", error);
        if (result != -EINTR)
            return result;
        result = 0;
    }
    return result < 0 ? result : error_set(error, -EBUSY, "routes change faster than they can be listed");
}
