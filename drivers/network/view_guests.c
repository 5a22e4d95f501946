/* Our NICs inside running containers. The kernel tells a socket of ours of another namespace's links and addresses when
 * it has a number (netnsid) for it, which it has as soon as a veth of ours leads there. Routes cannot be asked for by
 * number, but the guest's own /proc/PID/net/route shows them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define ROUTES_LIMIT (1024 * 1024) /* bytes; a guest may have as many routes as it likes */
#define ROUTE_LINE   128           /* bytes; fib_route_seq_show() pads to it */

static int dump_guest(struct nl_sock *socket, const struct observed_network *network, struct arena *arena,
                      struct observed_guest *guest, struct error *error);
static int take_number(const struct nlmsghdr *message, void *context);
static void take_nic(const struct link *link, const char *port, struct arena *arena,
                     struct observed_guest *guest);
static void take_addresses(const struct addresses *addresses, struct arena *arena,
                           struct observed_guest *guest);
static void read_gateways(struct arena *arena, struct observed_guest *guest);
static bool take_addresses6(const struct addresses *addresses, struct arena *arena,
                            struct observed_guest *guest);
static int read_gateways6(struct arena *arena, struct observed_guest *guest, struct error *error);

int view_guests(const struct paths *paths, const struct observed_network *network, const int64_t *pids,
                size_t count, const struct call *call, struct observed_guest **out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct observed_guest *guests = arena_array_of(call->arena, struct observed_guest, count ? count : 1);
    (void)paths;
    int result = count ? netlink_open(NETLINK_ROUTE, &socket, error) : 0;
    if (result < 0)
        return error_wrap(error, result, "network");
    for (size_t i = 0; i < count; i++) {
        guests[i].init_pid = pids[i];
        if ((result = call_check(call)) < 0)
            return error_errno(error, result, "network of pid %" PRId64, pids[i]);
        if ((result = dump_guest(socket, network, call->arena, &guests[i], error)) < 0)
            return error_wrap(error, result, "network of pid %" PRId64, pids[i]);
    }
    *out = guests;
    return 0;
}

static int dump_guest(struct nl_sock *socket, const struct observed_network *network, struct arena *arena,
                      struct observed_guest *guest, struct error *error)
{
    struct addresses addresses;
    struct link link;
    int netnsid;
    int result = namespace_number_of(socket, (pid_t)guest->init_pid, &netnsid, error);
    guest->ended = result == -ESRCH;
    if (result < 0 || netnsid == HERE) /* without a number no port of ours leads there */
        return result == -ESRCH ? 0 : result;
    for (size_t i = 0; i < network->port_count; i++) {
        const struct observed_port *port = &network->ports[i];
        if (port->peer_netnsid != netnsid)
            continue;
        if ((result = link_inside(socket, netnsid, port->peer, arena, &link, error)) < 0)
            return result;
        if (result > 0)
            take_nic(&link, port->ifname, arena, guest);
    }
    if (!guest->count)
        return 0;
    /* A guest that never stops changing its addresses is taken at its last list; of one that just ended the number is
     * invalid, and it has none. */
    result = addresses_dump(socket, netnsid, arena, &addresses, error);
    if (result < 0 && result != -EBUSY && result != -EINVAL)
        return result;
    take_addresses(&addresses, arena, guest);
    read_gateways(arena, guest);
    if (take_addresses6(&addresses, arena, guest))
        return read_gateways6(arena, guest, error);
    return 0;
}

static bool leads_out(const struct link *link, bool veths)
{
    return (link->kind == LINK_MACVLAN || (veths && link->kind == LINK_VETH)) && link->peer_netnsid != HERE;
}

/* A process that is gone has no namespace to look into, and no NIC. */
static int look(struct observed_guest *guest, bool veths, const struct call *call, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct addresses addresses;
    struct links links;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/net", guest->init_pid);
    _cleanup_close_ int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        return 0;
    int result = netlink_open_inside(namespace, &socket, error);
    if (result < 0 || ((result = links_dump(socket, call->arena, &links, error)) < 0 && result != -EBUSY) ||
        ((result = addresses_dump(socket, HERE, call->arena, &addresses, error)) < 0 && result != -EBUSY))
        return error_wrap(error, result, "network of pid %" PRId64, guest->init_pid);
    for (size_t i = 0; i < guest->count; i++)
        guest->nics[i].addresses = guest->nics[i].addresses6 = (struct texts){0}; /* all are listed again */
    for (size_t i = 0; i < links.count; i++)
        if (leads_out(&links.items[i], veths)) {
            take_nic(&links.items[i], NULL, call->arena, guest);
            guest->nics[guest->count - 1].parent =
                links.items[i].kind == LINK_MACVLAN ? links.items[i].peer : 0;
        }
    take_addresses(&addresses, call->arena, guest);
    const bool has6 = take_addresses6(&addresses, call->arena, guest);
    for (size_t i = 0; i < guest->count; i++)
        guest->nics[i].gateway = guest->nics[i].gateway6 = NULL;
    read_gateways(call->arena, guest);
    return has6 ? read_gateways6(call->arena, guest, error) : 0;
}

int view_macvlans(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                  struct error *error)
{
    (void)paths;
    return look(guest, false, call, error);
}

int view_inside(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                struct error *error)
{
    (void)paths;
    return look(guest, true, call, error);
}

static int ask_number(struct nl_sock *socket, int attribute, uint32_t value, int *netnsid,
                      struct error *error)
{
    struct rtgenmsg header = {.rtgen_family = AF_UNSPEC};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETNSID, 0, &header, sizeof(header));
    nlmsg_hdr(message)->nlmsg_len = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(header)));
    message_put_u32(message, attribute, value);
    *netnsid = HERE;
    return netlink_ask(socket, message, take_number, netnsid, "number of a network namespace", error);
}

int namespace_number(struct nl_sock *socket, int namespace, int *netnsid, struct error *error)
{
    return ask_number(socket, NETNSA_FD, (uint32_t) namespace, netnsid, error);
}

int namespace_number_of(struct nl_sock *socket, pid_t pid, int *netnsid, struct error *error)
{
    return ask_number(socket, NETNSA_PID, (uint32_t)pid, netnsid, error);
}

static int take_number(const struct nlmsghdr *message, void *context)
{
    struct nlattr *number =
        nlmsg_find_attr((struct nlmsghdr *)message, NLMSG_ALIGN(sizeof(struct rtgenmsg)), NETNSA_NSID);
    if (number)
        *(int *)context = (int)nla_get_u32(number); /* NETNSA_NSID_NOT_ASSIGNED is -1, our HERE */
    return 0;
}

/* Told from our side: an index and a number that the guest cannot forge. */
static void take_nic(const struct link *link, const char *port, struct arena *arena,
                     struct observed_guest *guest)
{
    *(struct observed_guest_nic *)arena_append(arena, guest->nics, guest->count) =
        (struct observed_guest_nic){
            .ifname = arena_strdup(arena, link->name),
            .index = link->index,
            .peer = port,
            .mac = link->mac,
            .up = link->flags & IFF_UP,
            .forwards = link->forwards,
            .forwards6 = link->forwards6,
        };
}

static void take_addresses(const struct addresses *addresses, struct arena *arena,
                           struct observed_guest *guest)
{
    for (size_t i = 0; i < addresses->count; i++)
        for (size_t j = 0; j < guest->count; j++) {
            struct observed_guest_nic *nic = &guest->nics[j];
            if (addresses->items[i].index != nic->index)
                continue;
            char *text = arena_alloc(arena, PREFIX_TEXT_SIZE);
            prefix_print(addresses->items[i].address, addresses->items[i].length, text);
            *arena_append(arena, nic->addresses.items, nic->addresses.count) = text;
        }
}

#define GATEWAY_ROUTES 4096 /* that are looked at: those for all addresses come first */
#define USER_METRIC    1024 /* of a route for which none was said; those of router advertisements have it, too */

/* Columns, in hex: destination, its length, source, its length, next hop, metric, references, use, flags, interface.
 * The file holds the routes of all tables and does not say of which: what it shows is worth a question, and no more. */
static bool may_have_gateway6(struct arena *arena, const struct observed_guest *guest)
{
    char line[256];
    size_t read = 0;
    _cleanup_fclose_ FILE *file =
        fopen(arena_printf(arena, "/proc/%" PRId64 "/net/ipv6_route", guest->init_pid), "re");
    for (; file && read < ROUTES_LIMIT && fgets(line, sizeof(line), file); read += strlen(line)) {
        char destination[33], hop[33];
        unsigned length, metric;
        if (sscanf(line, "%32s %2x %*s %*s %32s %x", destination, &length, hop, &metric) == 4 &&
            length == 0 && metric == USER_METRIC && strspn(destination, "0") == 32 && strspn(hop, "0") != 32)
            return true;
    }
    return read >= ROUTES_LIMIT;
}

struct gateway6_walk {
    struct arena *arena;
    struct observed_guest *guest;
    size_t count;
};

static void take_hop6(struct gateway6_walk *walk, int index, struct nlattr *hop)
{
    struct address6 gateway;
    for (size_t i = 0; i < walk->guest->count && hop && nla_len(hop) == sizeof(gateway.bytes); i++) {
        struct observed_guest_nic *nic = &walk->guest->nics[i];
        if (nic->index != index || nic->gateway6)
            continue;
        char *text = arena_alloc(walk->arena, ADDRESS6_TEXT_SIZE);
        memcpy(gateway.bytes, nla_data(hop), sizeof(gateway.bytes));
        address6_print(&gateway, text);
        nic->gateway6 = text;
    }
}

/* Routes that share the way are listed as one. */
static void take_hops6(struct gateway6_walk *walk, struct nlattr *all)
{
    int left = nla_len(all);
    for (struct rtnexthop *hop = nla_data(all); RTNH_OK(hop, left);
         left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
        take_hop6(walk, hop->rtnh_ifindex,
                  nla_find((struct nlattr *)RTNH_DATA(hop), hop->rtnh_len - (int)sizeof(*hop), RTA_GATEWAY));
}

static int take_gateway6(const struct nlmsghdr *message, void *context)
{
    struct gateway6_walk *walk = context;
    const struct rtmsg *header = nlmsg_data(message);
    struct nlattr *attributes[RTA_MAX + 1];
    if (++walk->count > GATEWAY_ROUTES)
        return -ENOBUFS;
    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_dst_len != 0 || header->rtm_type != RTN_UNICAST ||
        header->rtm_protocol == RTPROT_RA ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
        return 0;
    const uint32_t table = attributes[RTA_TABLE] ? nla_get_u32(attributes[RTA_TABLE]) : header->rtm_table;
    if (table != RT_TABLE_MAIN || !attributes[RTA_PRIORITY] ||
        nla_get_u32(attributes[RTA_PRIORITY]) != USER_METRIC)
        return 0;
    if (attributes[RTA_MULTIPATH])
        take_hops6(walk, attributes[RTA_MULTIPATH]);
    else if (attributes[RTA_OIF])
        take_hop6(walk, (int)nla_get_u32(attributes[RTA_OIF]), attributes[RTA_GATEWAY]);
    return 0;
}

/* What a guest changes while it is listed is taken as it was seen; one that just ended has none. */
static int read_gateways6(struct arena *arena, struct observed_guest *guest, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct gateway6_walk walk = {.arena = arena, .guest = guest};
    struct rtmsg header = {.rtm_family = AF_INET6};
    struct error changed = {0};
    if (!may_have_gateway6(arena, guest))
        return 0;
    _cleanup_close_ int namespace =
        open(arena_printf(arena, "/proc/%" PRId64 "/ns/net", guest->init_pid), O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        return 0;
    int result = netlink_open_inside(namespace, &socket, error);
    if (result < 0)
        return result;
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
    message_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
    result = netlink_dump(socket, message, take_gateway6, &walk, "list of routes of IPv6", &changed);
    return result == 0 || result == -EINTR || result == -ENOENT || result == -ENOBUFS
               ? 0
               : error_set(error, result, "%s", changed.text);
}

static bool take_addresses6(const struct addresses *addresses, struct arena *arena,
                            struct observed_guest *guest)
{
    bool any = false;
    for (size_t i = 0; i < addresses->six_count; i++)
        for (size_t j = 0; j < guest->count; j++) {
            struct observed_guest_nic *nic = &guest->nics[j];
            if (addresses->six[i].index != nic->index)
                continue;
            char *text = arena_alloc(arena, PREFIX6_TEXT_SIZE);
            prefix6_print(&addresses->six[i], text);
            *arena_append(arena, nic->addresses6.items, nic->addresses6.count) = text;
            if (addresses->six[i].lasting && !nic->lasting6)
                nic->lasting6 = text;
            any = true;
        }
    return any;
}

/* One read as a rule: the kernel hands out lines of ROUTE_LINE bytes as long as they fit, so that what leaves room for
 * another was the last. A second read would walk the whole table again to say that there is no more. */
static bool read_routes(pid_t pid, struct buffer *text)
{
    char path[64], part[4096];
    snprintf(path, sizeof(path), "/proc/%d/net/route", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && text->length < ROUTES_LIMIT) {
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0)
            return false;
        buffer_add(text, part, (size_t)got);
        if ((size_t)got + ROUTE_LINE <= sizeof(part))
            return text->length > 0;
    }
    return false;
}

/* Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., addresses as the hex of a host-order word
 * that holds them in network order. */
static bool is_default_route(char *line, const char **ifname, uint32_t *gateway, int64_t *metric)
{
    char *columns[8];
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
        if (!(columns[i] = strsep(&line, "\t")))
            return false;
    if (strcmp(columns[1], "00000000") != 0 || strcmp(columns[7], "00000000") != 0)
        return false;
    *ifname = columns[0];
    *gateway = (uint32_t)strtoul(columns[2], NULL, 16);
    *metric = strtoll(columns[6], NULL, 10);
    return *gateway != 0;
}

/* The first default route of an interface has the lowest metric. */
static void read_gateways(struct arena *arena, struct observed_guest *guest)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *ifname;
    uint32_t gateway;
    int64_t metric;
    char *rest = read_routes((pid_t)guest->init_pid, &text) ? text.bytes : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!is_default_route(line, &ifname, &gateway, &metric))
            continue;
        for (size_t i = 0; i < guest->count; i++) {
            struct observed_guest_nic *nic = &guest->nics[i];
            if (nic->gateway || strcmp(nic->ifname, ifname) != 0)
                continue;
            char *address = arena_alloc(arena, INET_ADDRSTRLEN);
            inet_ntop(AF_INET, &gateway, address, INET_ADDRSTRLEN);
            nic->gateway = address;
            nic->metric = metric;
        }
    }
}
