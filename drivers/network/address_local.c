/* Which addresses are this host's own. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

static int take_route(const struct nlmsghdr *message, void *context);

int address_is_local(struct nl_sock *socket, bool is6, const unsigned char address[static 16], bool *local,
                     struct error *error)
{
    const int size = is6 ? 16 : 4;
    const struct rtmsg header = {.rtm_family = is6 ? AF_INET6 : AF_INET,
                                 .rtm_dst_len = (unsigned char)(size * 8)};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
    message_put(message, RTA_DST, address, (size_t)size);
    *local = false;
    struct error failure;
    int result = netlink_transact(socket, message, take_route, local, "route", &failure);
    if (result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EINVAL || result == -EACCES)
        return 0; /* no way there, or none that is a host's */
    return result < 0 ? error_set(error, result, "%s", failure.text) : 0;
}

static int take_route(const struct nlmsghdr *message, void *context)
{
    const struct rtmsg *route = nlmsg_data((struct nlmsghdr *)message);
    *(bool *)context = message->nlmsg_type == RTM_NEWROUTE && route->rtm_type == RTN_LOCAL;
    return 0;
}
