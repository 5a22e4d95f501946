/* Sockets of the host that a port forward would take connections from.
 *
 * By sock_diag, which lists the listening ones alone: /proc/net/tcp walks the whole table of connections, 8 ms a file
 * even where there are none. A kernel without the diag modules is read through /proc all the same. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/error.h"

static const struct source {
    const char *path, *protocol;
    uint8_t family, number;
    unsigned state; /* an unconnected UDP socket is "closed" */
} sources[] = {
    {"/proc/net/tcp", "tcp", AF_INET, IPPROTO_TCP, TCP_LISTEN},
    {"/proc/net/tcp6", "tcp", AF_INET6, IPPROTO_TCP, TCP_LISTEN},
    {"/proc/net/udp", "udp", AF_INET, IPPROTO_UDP, TCP_CLOSE},
    {"/proc/net/udp6", "udp", AF_INET6, IPPROTO_UDP, TCP_CLOSE},
};

struct listener_walk {
    const struct source *source;
    struct arena *arena;
    struct observed_network *out;
};

static int ask_source(struct nl_sock *socket, const struct source *source, struct arena *arena,
                      struct observed_network *out, struct error *error);
static int take_socket(const struct nlmsghdr *message, void *context);
static int read_source(const struct source *source, struct arena *arena, struct observed_network *out,
                       struct error *error);
static void take_line(const struct source *source, const char *line, struct arena *arena,
                      struct observed_network *out);
static void add_listener(const struct source *source, const uint32_t address[static 4], bool only6,
                         unsigned port, uint32_t inode, struct arena *arena, struct observed_network *out);

int view_listeners(struct arena *arena, struct observed_network *out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_SOCK_DIAG, &socket, NULL);
    bool asked = result == 0;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        size_t before = out->listener_count;
        struct error failure;
        if (asked && ask_source(socket, &sources[i], arena, out, &failure) == 0)
            continue;
        out->listener_count = before;
        if ((result = read_source(&sources[i], arena, out, error)) < 0)
            return result;
    }
    return 0;
}

static int ask_source(struct nl_sock *socket, const struct source *source, struct arena *arena,
                      struct observed_network *out, struct error *error)
{
    struct inet_diag_req_v2 header = {.sdiag_family = source->family,
                                      .sdiag_protocol = source->number,
                                      .idiag_states = 1U << source->state};
    _cleanup_message_ struct nl_msg *message = message_new(SOCK_DIAG_BY_FAMILY, 0, &header, sizeof(header));
    return netlink_dump(socket, message, take_socket, &(struct listener_walk){source, arena, out},
                        "list of sockets", error);
}

static int take_socket(const struct nlmsghdr *message, void *context)
{
    struct listener_walk *walk = context;
    const struct inet_diag_msg *header = nlmsg_data(message);
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->idiag_state != walk->source->state)
        return 0;
    struct nlattr *only = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), INET_DIAG_SKV6ONLY);
    add_listener(walk->source, header->id.idiag_src, only && nla_get_u8(only), ntohs(header->id.idiag_sport),
                 header->idiag_inode, walk->arena, walk->out);
    return 0;
}

static int read_source(const struct source *source, struct arena *arena, struct observed_network *out,
                       struct error *error)
{
    char line[512];
    _cleanup_fclose_ FILE *file = fopen(source->path, "re");
    if (!file)
        return errno == ENOENT ? 0
                               : error_errno(error, -errno, "%s", source->path); /* a kernel without IPv6 */
    while (fgets(line, sizeof(line), file))
        take_line(source, line, arena, out);
    return ferror(file) ? error_errno(error, -EIO, "%s", source->path) : 0;
}

/* An address is one or four words, each the hex of a host-order number that holds network order. */
static void take_line(const struct source *source, const char *line, struct arena *arena,
                      struct observed_network *out)
{
    uint32_t address[4] = {0};
    unsigned port, state;
    if (source->family == AF_INET6
            ? sscanf(line, "%*u: %8x%8x%8x%8x:%4x %*32[0-9A-F]:%*4x %2x", &address[0], &address[1],
                     &address[2], &address[3], &port, &state) == 6
            : sscanf(line, "%*u: %8x:%4x %*8x:%*4x %2x", &address[0], &port, &state) == 3)
        if (state == source->state)
            add_listener(source, address, false, port, 0, arena, out);
}

/* Nothing is ever forwarded to addresses of links and to ::1. */
static bool is_passed_by(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_LOOPBACK(address);
}

/* A wildcard of IPv6 takes IPv4, too, unless it says otherwise, and a mapped address takes that alone. */
static void add_listener(const struct source *source, const uint32_t address[static 4], bool only6,
                         unsigned port, uint32_t inode, struct arena *arena, struct observed_network *out)
{
    struct in6_addr six = {0};
    struct observed_listener seen = {.protocol = source->protocol, .port = port, .inode = inode};
    char text[INET6_ADDRSTRLEN];
    const bool is6 = source->family == AF_INET6;
    memcpy(six.s6_addr, address, is6 ? 16 : 4);
    const bool mapped = is6 && IN6_IS_ADDR_V4MAPPED(&six), any = IN6_IS_ADDR_UNSPECIFIED(&six);
    if (is6 && is_passed_by(&six))
        return;
    seen.takes4 = !is6 || mapped || (any && !only6);
    seen.takes6 = is6 && !mapped;
    if (mapped ? address[3] != 0 : !any)
        seen.address =
            arena_strdup(arena, inet_ntop(seen.takes6 ? AF_INET6 : AF_INET,
                                          mapped ? (const void *)&address[3] : address, text, sizeof(text)));
    *(struct observed_listener *)arena_append(arena, out->listeners, out->listener_count) = seen;
}
