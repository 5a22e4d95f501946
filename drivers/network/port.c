/* Ports: host ends of veths. liblxc makes those of a starting container, and they are marked here; a NIC for a
 * running one is made here. The init of the container never notices more than a new interface. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

#define INDEX_BOUND 256 /* NICs of a container */

/* One attachment in the making. `inside` lives in the container's network namespace. */
struct attachment_work {
    const struct port_attach *request;
    struct arena *arena;
    unsigned char mac[6];
    char guest_name[IFNAMSIZ];
    int namespace, netnsid;
    struct nl_sock *host, *inside;
    struct link bridge, port, nic;
};

static int check_request(const struct paths *paths, struct attachment_work *work, struct error *error);
static int open_namespace(struct attachment_work *work, struct error *error);
static int find_port(struct attachment_work *work, struct error *error);
static int take_over(struct attachment_work *work, struct error *error);
static int make_port(struct attachment_work *work, struct error *error);
static int find_nic(struct attachment_work *work, struct error *error);
static int mend_host_end(struct attachment_work *work, struct error *error);
static int mend_nic(struct attachment_work *work, struct error *error);
static int set_gateway6(struct attachment_work *work, struct error *error);
static int leave_ipv6(struct attachment_work *work, struct error *error);
static int attach(const struct paths *paths, struct attachment_work *work, struct error *error);

int port_mark(const struct paths *paths, const struct port_mark *request, const struct call *call,
              struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct link link;
    int result = ifname_check(request->ifname, paths->port_prefix, error);
    if (result < 0 || (result = mark_check(request->ifname, request->mark, error)) < 0 ||
        (result = netlink_open(NETLINK_ROUTE, &socket, error)) < 0 ||
        (result = link_find(socket, request->ifname, call->arena, &link, error)) < 0)
        return result;
    if (result == 0)
        return error_errno(error, -ENODEV, "port %s", request->ifname);
    if (link.kind != LINK_VETH || (link.mark && strcmp(link.mark, request->mark) != 0))
        return error_set(error, -EPERM,
                         "port %s: there is a link of that name, marked \"%s\", that is not ours",
                         request->ifname, link.mark ? link.mark : "");
    result = link_set_mark(socket, &link, request->mark, error);
    if (result == 0 && link.master && request->mac && request->address)
        address_announce(socket, link.master, request->mac, request->address);
    return result < 0 || !link.master || request->foreign ? result : link_set_hairpin(socket, &link, error);
}

int port_attach(const struct paths *paths, const struct port_attach *request, const struct call *call,
                struct error *error)
{
    struct attachment_work work = {.request = request, .arena = call->arena, .namespace = -1};
    int result = attach(paths, &work, error);
    nl_socket_free(work.host);
    nl_socket_free(work.inside);
    if (work.namespace >= 0)
        close(work.namespace);
    return result < 0 ? error_wrap(error, result, "port %s", request->ifname ? request->ifname : "") : 0;
}

int port_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                struct error *error)
{
    int result = ifname_check(request->ifname, paths->port_prefix, error);
    return result < 0 ? result : link_delete(request->ifname, request->mark, call, error);
}

static int attach(const struct paths *paths, struct attachment_work *work, struct error *error)
{
    int result = check_request(paths, work, error);
    if (result < 0 || (result = netlink_open(NETLINK_ROUTE, &work->host, error)) < 0)
        return result;
    result = link_find(work->host, work->request->bridge, work->arena, &work->bridge, error);
    if (result == 0)
        return error_errno(error, -ENODEV, "bridge %s", work->request->bridge);
    if (result < 0 || (result = open_namespace(work, error)) < 0)
        return result;
    if (work->request->macvlan) {
        result = macvlan_ensure(work->request, &work->bridge, work->host, work->inside, work->namespace,
                                work->arena, &work->nic, error);
        if (result == 0 && work->request->address && !work->request->spares6)
            result = guest_heed_routers(work->namespace, work->nic.name, false, error);
        return result < 0 ? result : mend_nic(work, error);
    }
    if ((work->request->taken && (result = take_over(work, error)) < 0) ||
        (result = find_port(work, error)) < 0)
        return result;
    if (result == 0 && ((result = make_port(work, error)) < 0 || (result = find_port(work, error)) < 0))
        return result;
    if (result == 0)
        return error_set(error, -ENODEV, "it vanished while it was made");
    if ((result = mend_host_end(work, error)) < 0)
        return result;
    return mend_nic(work, error);
}

static int check_request(const struct paths *paths, struct attachment_work *work, struct error *error)
{
    const struct port_attach *request = work->request;
    uint32_t address;
    unsigned length;
    int result = ifname_check(request->ifname, paths->port_prefix, error);
    if (result < 0 || (result = mark_check(request->ifname, request->mark, error)) < 0)
        return result;
    if (!request->foreign && !ifname_is_valid(request->bridge))
        return error_set(error, -EINVAL, "bridge \"%s\"", request->bridge ? request->bridge : "");
    if (mac_parse(request->mac, work->mac) < 0 || work->mac[0] & 1)
        return error_set(error, -EINVAL, "MAC address \"%s\"", request->mac ? request->mac : "");
    if (request->address && prefix_parse(request->address, &address, &length) < 0)
        return error_set(error, -EINVAL, "address \"%s\": expected A.B.C.D/N",
                         request->address ? request->address : "");
    if (request->gateway && address_parse(request->gateway, &address) < 0)
        return error_set(error, -EINVAL, "gateway \"%s\"", request->gateway);
    struct address6 address6;
    if (request->address6 && prefix6_parse(request->address6, &address6) < 0)
        return error_set(error, -EINVAL, "address \"%s\": expected an IPv6 prefix", request->address6);
    if (request->gateway6 && address6_parse(request->gateway6, &address6) < 0)
        return error_set(error, -EINVAL, "gateway \"%s\"", request->gateway6);
    if (request->index < 0 || request->index >= INDEX_BOUND)
        return error_set(error, -EINVAL, "index %" PRId64, request->index);
    snprintf(work->guest_name, sizeof(work->guest_name), "eth%d", (int)request->index);
    return 0;
}

static int open_namespace(struct attachment_work *work, struct error *error)
{
    const struct port_attach *request = work->request;
    int result = guest_namespace(request->init_pid, request->init_start, work->arena, error);
    if (result < 0)
        return result;
    work->namespace = result;
    result = netlink_open_inside(work->namespace, &work->inside, error);
    return result < 0 ? result : namespace_number(work->host, work->namespace, &work->netnsid, error);
}

/* The host end of the NIC that has our MAC address gets our name; without a mark it is then as one that was half made. One
 * that has somebody's mark is not to be had. */
static int take_over(struct attachment_work *work, struct error *error)
{
    const struct port_attach *request = work->request;
    struct links inside, outside;
    int result = links_dump(work->inside, work->arena, &inside, error);
    if (result < 0 || (result = links_dump(work->host, work->arena, &outside, error)) < 0 ||
        (result = namespace_number(work->host, work->namespace, &work->netnsid, error)) < 0)
        return result;
    for (size_t i = 0; i < inside.count && work->netnsid != HERE; i++) {
        const struct link *nic = &inside.items[i];
        const struct link *port = nic->kind == LINK_VETH && nic->mac && strcmp(nic->mac, request->mac) == 0
                                      ? links_by_index(&outside, nic->peer)
                                      : NULL;
        if (!port || port->kind != LINK_VETH || port->peer != nic->index ||
            port->peer_netnsid != work->netnsid)
            continue;
        if (port->mark && strcmp(port->mark, request->mark) != 0)
            return error_set(error, -EPERM, "%s is marked \"%s\"", port->name, port->mark);
        return link_set_name(work->host, port, request->ifname, error);
    }
    return 0;
}

/* 1 when the port stands and leads into the container, 0 when it is to be made. A port of ours that leads elsewhere
 * (the container was started anew meanwhile) is taken away first. */
static int find_port(struct attachment_work *work, struct error *error)
{
    const struct port_attach *request = work->request;
    int result = link_find(work->host, request->ifname, work->arena, &work->port, error);
    if (result <= 0)
        return result;
    if (work->netnsid == HERE &&
        (result = namespace_number(work->host, work->namespace, &work->netnsid, error)) < 0)
        return result;
    bool marked = work->port.mark && strcmp(work->port.mark, request->mark) == 0;
    bool leads_there =
        work->port.kind == LINK_VETH && work->netnsid != HERE && work->port.peer_netnsid == work->netnsid;
    if (leads_there && (result = find_nic(work, error)) < 0)
        return result;
    /* Without a mark it may be what a crash left between making and marking: then the far end has our MAC address,
     * which was set by the call that made both. */
    bool half_made =
        !work->port.mark && leads_there && work->nic.mac && strcmp(work->nic.mac, request->mac) == 0;
    if (work->port.kind != LINK_VETH || (!marked && !half_made))
        return error_set(error, -EPERM, "there is a link of that name, marked \"%s\", that is not ours",
                         work->port.mark ? work->port.mark : "");
    if (leads_there)
        return 1;
    result = link_delete_index(work->host, &work->port, error);
    return result < 0 ? result : 0;
}

/* A bridge without an address of its own choice has its lowest port's, and the least of their MTUs: neither may be ours
 * to change. */
static void put_as_the_bridge_is(const struct attachment_work *work, struct nl_msg *message)
{
    unsigned char mac[6];
    memcpy(mac, work->mac, sizeof(mac));
    mac[0] = 0xfe;
    message_put(message, IFLA_ADDRESS, mac, sizeof(mac));
    if (work->bridge.mtu)
        message_put_u32(message, IFLA_MTU, work->bridge.mtu);
}

/* One call makes both ends, the host's already up and in its bridge, the other with name and MAC in the container.
 * The far end cannot be brought up by it: ENOTCONN. */
static int make_port(struct attachment_work *work, struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct ifinfomsg peer_header = {.ifi_family = AF_UNSPEC};
    _cleanup_message_ struct nl_msg *message =
        message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    message_put_text(message, IFLA_IFNAME, work->request->ifname);
    message_put_u32(message, IFLA_MASTER, (uint32_t)work->bridge.index);
    put_as_the_bridge_is(work, message);
    struct nlattr *info = message_nest(message, IFLA_LINKINFO);
    message_put_text(message, IFLA_INFO_KIND, "veth");
    struct nlattr *data = message_nest(message, IFLA_INFO_DATA);
    struct nlattr *peer = message_nest(message, VETH_INFO_PEER);
    if (nlmsg_append(message, &peer_header, sizeof(peer_header), NLMSG_ALIGNTO) < 0)
        return error_errno(error, -ENOMEM, "create");
    message_put_text(message, IFLA_IFNAME, work->guest_name);
    message_put(message, IFLA_ADDRESS, work->mac, sizeof(work->mac));
    if (work->bridge.mtu)
        message_put_u32(message, IFLA_MTU, work->bridge.mtu);
    message_put_u32(message, IFLA_NET_NS_FD, (uint32_t)work->namespace);
    nla_nest_end(message, peer);
    nla_nest_end(message, data);
    nla_nest_end(message, info);
    int result = netlink_transact(work->host, message, NULL, NULL, "create", error);
    if (result == -EEXIST)
        return error_set(error, result, "the container already has an interface %s", work->guest_name);
    return result;
}

static int find_nic(struct attachment_work *work, struct error *error)
{
    struct links links;
    int result = links_dump(work->inside, work->arena, &links, error);
    if (result < 0)
        return result;
    const struct link *nic = links_by_index(&links, work->port.peer);
    if (!nic)
        return error_set(error, -ENODEV, "its far end vanished");
    work->nic = *nic;
    return 0;
}

static int mend_host_end(struct attachment_work *work, struct error *error)
{
    int result = link_set_mark(work->host, &work->port, work->request->mark, error);
    if (result < 0 || (result = link_set_master(work->host, &work->port, work->bridge.index, error)) < 0)
        return result;
    if (work->port.master != work->bridge.index)
        work->port.hairpin = false; /* a mode goes with the bridge that it was set in */
    if (!work->request->foreign && (result = link_set_hairpin(work->host, &work->port, error)) < 0)
        return result;
    return link_set_up(work->host, &work->port, error);
}

/* Routers speak up every few minutes unless they are asked, which the kernel does when an interface comes up: it was
 * then not to hear the answer. */
static int empty_nic(struct attachment_work *work, struct error *error)
{
    int result = link_take_addresses(work->inside, &work->nic, work->arena, error);
    if (result == 0 && work->request->macvlan)
        result = guest_heed_routers(work->namespace, work->nic.name, true, error);
    return result < 0 ? result : guest_begin_ipv6(work->namespace, work->nic.name, error);
}

static int mend_nic(struct attachment_work *work, struct error *error)
{
    bool changed = false;
    int result = link_set_mac(work->inside, &work->nic, work->mac, error);
    if (result < 0 || (result = link_set_up(work->inside, &work->nic, error)) < 0 ||
        (work->request->address &&
         (result = link_set_address(work->inside, &work->nic, work->request->address, work->arena, &changed,
                                    error)) < 0))
        return error_wrap(error, result, "in the container");
    if (!work->request->address && work->request->emptied && (result = empty_nic(work, error)) < 0)
        return error_wrap(error, result, "in the container");
    if (!work->request->address)
        return 0;
    if (changed && work->request->announced && !work->request->macvlan)
        address_announce(work->host, work->bridge.index, work->request->mac, work->request->address);
    result = route_set_gateway(work->inside, &work->nic, work->request->gateway, error);
    if (result < 0)
        return result;
    if (work->request->spares6)
        return work->request->left6 ? leave_ipv6(work, error) : 0;
    if (work->request->foreign)
        routes_forget_advertised(work->inside, &work->nic);
    result = link_set_address6(work->inside, &work->nic, work->request->address6, work->arena, error);
    return result < 0 ? error_wrap(error, result, "in the container") : set_gateway6(work, error);
}

/* What was ours goes, and the guest has of IPv6 what it will. By a macvlan it hears routers again, when they speak. The
 * address goes last: while it is there, the rest is asked for. */
static int leave_ipv6(struct attachment_work *work, struct error *error)
{
    int result = set_gateway6(work, error);
    if (result == 0 && work->request->macvlan)
        result = guest_heed_routers(work->namespace, work->nic.name, true, error);
    if (result == 0)
        result = link_drop_address6(work->inside, &work->nic, work->request->left6, error);
    return result < 0 ? error_wrap(error, result, "in the container") : 0;
}

/* Replaced where it is ours already: nothing is lost by that, and the guest's routes need not be listed. Without an
 * address the route that an earlier run made is of no use; that there is none is as well. */
#define USER_METRIC6                                                                                         \
    1024 /* what the kernel gives a route of which none was said; others are the guest's own */
static int set_gateway6(struct attachment_work *work, struct error *error)
{
    const struct port_attach *request = work->request;
    struct rtmsg header = {.rtm_family = AF_INET6,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_protocol = request->gateway6 ? RTPROT_STATIC : RTPROT_UNSPEC,
                           .rtm_scope = RT_SCOPE_UNIVERSE,
                           .rtm_type = RTN_UNICAST};
    struct address6 gateway;
    _cleanup_message_ struct nl_msg *message =
        message_new(request->gateway6 ? RTM_NEWROUTE : RTM_DELROUTE,
                    request->gateway6 ? NLM_F_CREATE | NLM_F_REPLACE : 0, &header, sizeof(header));
    if (request->gateway6) {
        address6_parse(request->gateway6, &gateway);
        message_put(message, RTA_GATEWAY, gateway.bytes, sizeof(gateway.bytes));
    }
    message_put_u32(message, RTA_OIF, (uint32_t)work->nic.index);
    if (!request->gateway6)
        message_put_u32(message, RTA_PRIORITY, USER_METRIC6);
    struct error failure;
    int result = netlink_transact(work->inside, message, NULL, NULL, "default route of IPv6", &failure);
    return result < 0 && request->gateway6 ? error_set(error, result, "in the container: %s", failure.text)
                                           : 0;
}
