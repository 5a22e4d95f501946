/* Bridges: made, marked, given their address, and mended to that. */
#include <dirent.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

static int check_request(const struct paths *paths, const struct bridge *request, unsigned char mac[static 6],
                         const struct call *call, struct error *error);
static int make_bridge(struct nl_sock *socket, const struct bridge *request,
                       const unsigned char mac[static 6], struct error *error);
static bool is_known_by_mac(const struct link *link, const struct bridge *request);
static int set_settings(const struct bridge *request, struct arena *arena, struct error *error);
static int enable_ipv6(const struct bridge *request, struct arena *arena, struct error *error);
static int keep_advertisements(struct arena *arena, struct error *error);

int bridge_create(const struct paths *paths, const struct bridge *request, const struct call *call,
                  struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    unsigned char mac[6];
    struct link link;
    bool changed;
    int result = check_request(paths, request, mac, call, error);
    if (result < 0 || (result = netlink_open(NETLINK_ROUTE, &socket, error)) < 0 ||
        (result = link_find(socket, request->ifname, call->arena, &link, error)) < 0)
        return result;
    if (result == 0) {
        if ((result = make_bridge(socket, request, mac, error)) < 0 ||
            (result = link_find(socket, request->ifname, call->arena, &link, error)) < 0)
            return result;
        if (result == 0)
            return error_set(error, -ENODEV, "bridge %s vanished while it was made", request->ifname);
    }
    if (link.kind != LINK_BRIDGE ||
        (link.mark ? strcmp(link.mark, request->mark) != 0 : !is_known_by_mac(&link, request)))
        return error_set(error, -EPERM,
                         "bridge %s: there is a link of that name, marked \"%s\", that is not ours",
                         request->ifname, link.mark ? link.mark : "");
    if ((result = link_set_mark(socket, &link, request->mark, error)) < 0 ||
        (result = link_set_mac(socket, &link, mac, error)) < 0 ||
        (result = link_set_address(socket, &link, request->address, call->arena, &changed, error)) < 0 ||
        (result = link_set_up(socket, &link, error)) < 0 ||
        (request->address6 && (result = enable_ipv6(request, call->arena, error)) < 0) ||
        (result = link_set_address6(socket, &link, request->address6, call->arena, error)) < 0)
        return error_wrap(error, result, "bridge");
    return set_settings(request, call->arena, error);
}

int bridge_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                  struct error *error)
{
    int result = ifname_check(request->ifname, bridge_prefix(paths, call->arena), error);
    return result < 0 ? result : link_delete(request->ifname, request->mark, call, error);
}

static int check_request(const struct paths *paths, const struct bridge *request, unsigned char mac[static 6],
                         const struct call *call, struct error *error)
{
    uint32_t address;
    unsigned length;
    int result = ifname_check(request->ifname, bridge_prefix(paths, call->arena), error);
    if (result < 0 || (result = mark_check(request->ifname, request->mark, error)) < 0)
        return result;
    if (mac_parse(request->mac, mac) < 0)
        return error_set(error, -EINVAL, "bridge %s: MAC address \"%s\"", request->ifname,
                         request->mac ? request->mac : "");
    if (prefix_parse(request->address, &address, &length) < 0)
        return error_set(error, -EINVAL, "bridge %s: address \"%s\": expected A.B.C.D/N", request->ifname,
                         request->address ? request->address : "");
    struct address6 address6;
    if (request->address6 && prefix6_parse(request->address6, &address6) < 0)
        return error_set(error, -EINVAL, "bridge %s: address \"%s\": expected an IPv6 prefix",
                         request->ifname, request->address6);
    return 0;
}

static int make_bridge(struct nl_sock *socket, const struct bridge *request,
                       const unsigned char mac[static 6], struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    _cleanup_message_ struct nl_msg *message =
        message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    message_put_text(message, IFLA_IFNAME, request->ifname);
    message_put(message, IFLA_ADDRESS, mac, 6);
    struct nlattr *info = message_nest(message, IFLA_LINKINFO);
    message_put_text(message, IFLA_INFO_KIND, "bridge");
    nla_nest_end(message, info);
    int result = netlink_transact(socket, message, NULL, NULL, "create", error);
    return result < 0 ? error_wrap(error, result, "bridge %s", request->ifname) : 0;
}

/* The kernel takes no alias at creation, so a crash can leave a bridge without its mark, and somebody may take it
 * away. It has our name and, set by the very call that made it, the MAC address that is derived from the network's. */
static bool is_known_by_mac(const struct link *link, const struct bridge *request)
{
    return !link->master && link->mac && strcmp(link->mac, request->mac) == 0;
}

/* Forwarding lets guests out; route_localnet lets the host's own 127.0.0.1 be forwarded into a guest (rules.c keeps
 * guests from using it the other way). The host's switch first: turning it sets what stands on every interface, which
 * another hand may have changed on one of them alone. */
static int set_settings(const struct bridge *request, struct arena *arena, struct error *error)
{
    static const char *const own[] = {"forwarding", "route_localnet"};
    int result = setting_write("/proc/sys/net/ipv4/ip_forward", "1", error);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && result == 0; i++)
        result = setting_write(arena_printf(arena, "/proc/sys/net/ipv4/conf/%s/%s", request->ifname, own[i]),
                               "1", error);
    return result;
}

/* The kernel forwards IPv6 for all interfaces or for none, and one that forwards takes no router advertisements, by which
 * the host may have its own address: where they were taken they are from now on taken all the same. */
static int enable_ipv6(const struct bridge *request, struct arena *arena, struct error *error)
{
    static const char all[] = "/proc/sys/net/ipv6/conf/all/forwarding";
    int result = setting_write(
        arena_printf(arena, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", request->ifname), "0", error);
    if (result < 0)
        return result;
    if (!setting_reads(all, "1"))
        result = keep_advertisements(arena, error);
    if (result == 0)
        result = setting_write(all, "1", error);
    return result < 0
               ? result
               : setting_write(arena_printf(arena, "/proc/sys/net/ipv6/conf/%s/forwarding", request->ifname),
                               "1", error);
}

static int keep_advertisements(struct arena *arena, struct error *error)
{
    static const char folder[] = "/proc/sys/net/ipv6/conf";
    DIR *interfaces = opendir(folder);
    int result = 0;
    for (struct dirent *entry; interfaces && result == 0 && (entry = readdir(interfaces));) {
        const char *path = arena_printf(arena, "%s/%s/accept_ra", folder, entry->d_name);
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 && setting_reads(path, "1"))
            result = setting_write(path, "2", error);
    }
    if (interfaces)
        closedir(interfaces);
    return result;
}
