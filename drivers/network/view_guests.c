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
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define ROUTES_LIMIT (1024 * 1024) /* bytes; a guest may have as many routes as it likes */

static int dump_guest(struct nl_sock *socket, const struct observed_network *network, struct arena *arena,
                      struct observed_guest *guest, struct error *error);
static int take_number(const struct nlmsghdr *message, void *context);
static void take_nic(const struct link *link, const char *port, struct arena *arena,
                     struct observed_guest *guest);
static void take_addresses(const struct addresses *addresses, struct arena *arena,
                           struct observed_guest *guest);
static void read_gateways(struct arena *arena, struct observed_guest *guest);

int view_guests(const struct paths *paths, const struct observed_network *network, const int64_t *pids,
                size_t count, const struct call *call, struct observed_guest **out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct observed_guest *guests = arena_array_of(call->arena, struct observed_guest, count ? count : 1);
    (void)paths;
    int result = count ? netlink_open(NETLINK_ROUTE, &socket, error) : 0;
    if (result < 0)
        return error_wrap(error, "network");
    for (size_t i = 0; i < count; i++) {
        guests[i].init_pid = pids[i];
        if ((result = call_check(call)) < 0)
            return error_errno(error, result, "network of pid %" PRId64, pids[i]);
        if ((result = dump_guest(socket, network, call->arena, &guests[i], error)) < 0)
            return error_wrap(error, "network of pid %" PRId64, pids[i]);
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
    if ((result = addresses_dump(socket, netnsid, arena, &addresses, error)) < 0)
        return result;
    take_addresses(&addresses, arena, guest);
    read_gateways(arena, guest);
    return 0;
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

/* Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., addresses as the hex of a host-order word
 * that holds them in network order. The first default route of an interface has the lowest metric. */
static void read_gateways(struct arena *arena, struct observed_guest *guest)
{
    char path[64], name[IFNAMSIZ];
    unsigned destination, gateway, flags, mask;
    _cleanup_buffer_ struct buffer text = {0};
    snprintf(path, sizeof(path), "/proc/%" PRId64 "/net/route", guest->init_pid);
    if (buffer_read_file(&text, AT_FDCWD, path, ROUTES_LIMIT, NULL) < 0 || !text.length)
        return;
    char *rest = text.bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", name, &destination, &gateway, &flags, &mask) != 5 ||
            destination || mask || !gateway)
            continue;
        for (size_t i = 0; i < guest->count; i++) {
            struct observed_guest_nic *nic = &guest->nics[i];
            if (nic->gateway || strcmp(nic->ifname, name) != 0)
                continue;
            char *address = arena_alloc(arena, INET_ADDRSTRLEN);
            inet_ntop(AF_INET, &gateway, address, INET_ADDRSTRLEN);
            nic->gateway = address;
        }
    }
}
