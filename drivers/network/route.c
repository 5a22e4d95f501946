/* The default routes through one link of a container: made, moved, taken away. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

/* Default routes without metric through one link: what liblxc and we make. The kernel holds one of each gateway. */
struct route_search {
    int index;
    uint32_t gateway; /* wanted; 0: none */
    bool found;
    uint32_t other; /* one by somebody else; 0: there is none */
};

static int take_route(const struct nlmsghdr *message, void *context)
{
    struct route_search *search = context;
    const struct rtmsg *header = nlmsg_data(message);
    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN)
        return 0;
    struct nlattr *gateway = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), RTA_GATEWAY);
    struct nlattr *index = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), RTA_OIF);
    struct nlattr *metric = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), RTA_PRIORITY);
    if (!gateway || !index || (int)nla_get_u32(index) != search->index ||
        (metric && nla_get_u32(metric) != 0))
        return 0;
    if (search->gateway && nla_get_u32(gateway) == search->gateway)
        search->found = true;
    else
        search->other = nla_get_u32(gateway);
    return 0;
}

static int change(struct nl_sock *socket, int type, int flags, const struct link *link, uint32_t gateway,
                  struct error *error)
{
    const struct rtmsg header = {.rtm_family = AF_INET,
                                 .rtm_table = RT_TABLE_MAIN,
                                 .rtm_protocol = type == RTM_NEWROUTE ? RTPROT_STATIC : RTPROT_UNSPEC,
                                 .rtm_scope = type == RTM_NEWROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE,
                                 .rtm_type = type == RTM_NEWROUTE ? RTN_UNICAST : RTN_UNSPEC};
    _cleanup_message_ struct nl_msg *message = message_new(type, flags, &header, sizeof(header));
    message_put_u32(message, RTA_GATEWAY, gateway);
    message_put_u32(message, RTA_OIF, (uint32_t)link->index);
    return netlink_transact(socket, message, NULL, NULL, "default route", error);
}

int route_set_gateway(struct nl_sock *socket, const struct link *link, const char *gateway,
                      struct error *error)
{
    struct rtmsg header = {.rtm_family = AF_INET};
    struct route_search search = {.index = link->index};
    _cleanup_message_ struct nl_msg *list = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
    if (gateway && address_parse(gateway, &search.gateway) < 0)
        return error_set(error, -EINVAL, "gateway \"%s\"", gateway);
    message_put_u32(list, RTA_TABLE, RT_TABLE_MAIN);
    int result = netlink_dump(socket, list, take_route, &search, "list of routes", error);
    if (result < 0 && result != -EINTR) /* an incomplete list costs a needless replacement */
        return result;
    if (search.gateway && !search.found) /* takes the place of any other without metric */
        result = change(socket, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, link, search.gateway, error);
    else if (!search.gateway && search.other)
        result = change(socket, RTM_DELROUTE, 0, link, search.other, error);
    else
        return 0;
    return result == -ESRCH || result >= 0 ? 0 : error_wrap(error, result, "in the container");
}

#define ROUTERS 16 /* of a LAN, beyond reason; a guest may add others as fast as they go */
void routes_forget_advertised(struct nl_sock *socket, const struct link *link)
{
    const struct rtmsg header = {.rtm_family = AF_INET6,
                                 .rtm_table = RT_TABLE_MAIN,
                                 .rtm_protocol = RTPROT_RA,
                                 .rtm_scope = RT_SCOPE_UNIVERSE};
    struct error none_left;
    int result = 0;
    for (int i = 0; i < ROUTERS && result >= 0; i++) {
        _cleanup_message_ struct nl_msg *message = message_new(RTM_DELROUTE, 0, &header, sizeof(header));
        message_put_u32(message, RTA_OIF, (uint32_t)link->index);
        result = netlink_transact(socket, message, NULL, NULL, "advertised route", &none_left);
    }
}
