/* What can be seen of flows without looking at any. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <unistd.h>

#include "drivers/network/view_internal.h"
#include "drivers/network/view_netlink.h"
#include "lib/error.h"

bool view_has_flows(const struct paths *paths, struct arena *arena)
{
    return access(arena_printf(arena, "%s/" FLOWS_FILE, paths->networks), F_OK) == 0 ||
           access(arena_printf(arena, "%s/" FLOWS_OUTSTANDING_FILE, paths->networks), F_OK) == 0;
}

/* By how many there are: the kernel says that at once. */
bool view_tracks_flows(const struct paths *paths)
{
    (void)paths; /* the same for all on this host */
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct error ignored;
    if (netlink_open(NETLINK_NETFILTER, &socket, &ignored) < 0)
        return false;
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, NFPROTO_UNSPEC);
    return netlink_transact(socket, message, NULL, NULL, "count of flows", &ignored) == 0;
}
