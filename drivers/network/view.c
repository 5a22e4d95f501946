/* The network view: what stands in the kernel and in /run now. It reads; the one mark it leaves is that the kernel
 * numbers the namespaces at the far ends of veths when it lists them, as for any `ip link`. */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/cleanup.h"
#include "lib/error.h"

struct route_walk {
    const struct links *links;
    struct arena *arena;
    struct observed_network *out;
};

static int dump(const struct paths *paths, const struct call *call, struct observed_network *out,
                struct error *error);
static int view_forwarding(struct observed_network *out, struct error *error);
static void take_bridge(const struct link *link, const struct addresses *addresses, struct arena *arena,
                        struct observed_network *out);
static const struct texts *texts_of(const struct addresses *addresses, struct arena *arena);
static void take_port(const struct link *link, const struct links *links, struct arena *arena,
                      struct observed_network *out);
static int take_route(const struct nlmsghdr *message, void *context);

const struct network_view network_view = {
    .dump = dump,
    .dump_guests = view_guests,
    .dump_macvlans = view_macvlans,
    .look_inside = view_inside,
    .list_routes6 = view_routes6,
    .name_listener = view_name_listener,
    .tracks_flows = view_tracks_flows,
};

char *bridge_prefix(const struct paths *paths, struct arena *arena)
{
    return arena_printf(arena, "fp%sn", paths->tag);
}

static int dump(const struct paths *paths, const struct call *call, struct observed_network *out,
                struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct observed_network seen = {0};
    struct addresses addresses;
    struct links links;
    int result = call_check(call);
    if (result < 0)
        return error_errno(error, result, "network");
    if ((result = netlink_open(NETLINK_ROUTE, &socket, error)) < 0 ||
        (result = links_dump(socket, call->arena, &links, error)) < 0 ||
        (result = addresses_dump(socket, HERE, call->arena, &addresses, error)) < 0)
        return error_wrap(error, result, "network");
    seen.own_addresses = texts_of(&addresses, call->arena);
    const char *bridges = bridge_prefix(paths, call->arena);
    for (size_t i = 0; i < links.count; i++) {
        if (strncmp(links.items[i].name, bridges, strlen(bridges)) == 0)
            take_bridge(&links.items[i], &addresses, call->arena, &seen);
        else if (strncmp(links.items[i].name, paths->port_prefix, strlen(paths->port_prefix)) == 0)
            take_port(&links.items[i], &links, call->arena, &seen);
        else
            *arena_append(call->arena, seen.foreign, seen.foreign_count) =
                (struct observed_foreign){.ifname = arena_strdup(call->arena, links.items[i].name),
                                          .is_bridge = links.items[i].kind == LINK_BRIDGE,
                                          .index = links.items[i].index};
    }
    if ((result = view_forwarding(&seen, error)) < 0 ||
        (result = view_routes(socket, &links, call->arena, &seen, error)) < 0 ||
        (result = view_rules(paths, call->arena, &seen, error)) < 0 ||
        (result = view_listeners(call->arena, &seen, error)) < 0 ||
        (result = view_resolvers(paths, call->arena, &seen, error)) < 0)
        return error_wrap(error, result, "network");
    *out = seen;
    return 0;
}

static const struct texts *texts_of(const struct addresses *addresses, struct arena *arena)
{
    struct texts *texts = arena_new_of(arena, struct texts);
    for (size_t i = 0; i < addresses->count; i++) {
        char *text = arena_alloc(arena, PREFIX_TEXT_SIZE);
        prefix_print(addresses->items[i].address, addresses->items[i].length, text);
        text[strcspn(text, "/")] = '\0';
        *arena_append(arena, texts->items, texts->count) = text;
    }
    for (size_t i = 0; i < addresses->six_count; i++) {
        char *text = arena_alloc(arena, ADDRESS6_TEXT_SIZE);
        address6_print(&addresses->six[i], text);
        *arena_append(arena, texts->items, texts->count) = text;
    }
    return texts;
}

int view_routes(struct nl_sock *socket, const struct links *links, struct arena *arena,
                struct observed_network *out, struct error *error)
{
    int result = -EINTR;
    for (int attempt = 0; result == -EINTR && attempt < 16; attempt++) {
        struct rtmsg header = {.rtm_family = AF_INET};
        _cleanup_message_ struct nl_msg *message = message_new(RTM_GETROUTE, 0, &header, sizeof(header));
        /* The filter spares the local table; the attribute rules, the header's field is one byte. */
        message_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
        out->routes = NULL;
        out->route_count = 0;
        result = netlink_dump(socket, message, take_route, &(struct route_walk){links, arena, out},
                              "list of routes", error);
    }
    return result == -EINTR ? error_set(error, -EBUSY, "routes change faster than they can be listed")
                            : result;
}

static int view_forwarding(struct observed_network *out, struct error *error)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    char value = '0';
    if (!out->bridge_count)
        return 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &value, 1) != 1)
        return error_errno(error, errno ? -errno : -EIO, "%s", path);
    out->forwards = value != '0';
    return 0;
}

static void take_bridge(const struct link *link, const struct addresses *addresses, struct arena *arena,
                        struct observed_network *out)
{
    struct observed_bridge *bridge = arena_append(arena, out->bridges, out->bridge_count);
    *bridge = (struct observed_bridge){
        .ifname = arena_strdup(arena, link->name),
        .mark = link->mark,
        .is_bridge = link->kind == LINK_BRIDGE,
        .up = link->flags & IFF_UP,
        .mac = link->mac,
        .forwards = link->forwards,
        .forwards6 = link->forwards6,
        .routes_local = link->routes_local,
    };
    for (size_t i = 0; i < addresses->six_count && !bridge->address6; i++) {
        if (addresses->six[i].index == link->index) {
            char *text = arena_alloc(arena, PREFIX6_TEXT_SIZE);
            prefix6_print(&addresses->six[i], text);
            bridge->address6 = text;
        }
    }
    for (size_t i = 0; i < addresses->count && !bridge->address; i++) {
        if (addresses->items[i].index == link->index) {
            char *text = arena_alloc(arena, PREFIX_TEXT_SIZE);
            prefix_print(addresses->items[i].address, addresses->items[i].length, text);
            bridge->address = text;
        }
    }
}

static void take_port(const struct link *link, const struct links *links, struct arena *arena,
                      struct observed_network *out)
{
    const struct link *master = link->master ? links_by_index(links, link->master) : NULL;
    *arena_append(arena, out->ports, out->port_count) = (struct observed_port){
        .ifname = arena_strdup(arena, link->name),
        .mark = link->mark,
        .master = master ? arena_strdup(arena, master->name) : NULL,
        .up = link->flags & IFF_UP,
        .hairpin = link->hairpin,
        .peer = link->peer,
        .peer_netnsid = link->peer_netnsid,
    };
}

static int take_route(const struct nlmsghdr *message, void *context)
{
    struct route_walk *walk = context;
    const struct rtmsg *header = nlmsg_data(message);
    struct nlattr *attributes[RTA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_family != AF_INET || header->rtm_dst_len == 0 ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
        return 0;
    uint32_t table = attributes[RTA_TABLE] ? nla_get_u32(attributes[RTA_TABLE]) : header->rtm_table;
    if (table != RT_TABLE_MAIN || !attributes[RTA_DST] || nla_len(attributes[RTA_DST]) != 4)
        return 0;
    int index = attributes[RTA_OIF] ? (int)nla_get_u32(attributes[RTA_OIF]) : 0;
    if (!index && attributes[RTA_MULTIPATH] &&
        nla_len(attributes[RTA_MULTIPATH]) >= (int)sizeof(struct rtnexthop))
        index = ((struct rtnexthop *)nla_data(attributes[RTA_MULTIPATH]))->rtnh_ifindex;
    const struct link *link = index ? links_by_index(walk->links, index) : NULL;
    char *subnet = arena_alloc(walk->arena, PREFIX_TEXT_SIZE);
    prefix_print(nla_get_u32(attributes[RTA_DST]), header->rtm_dst_len, subnet);
    *arena_append(walk->arena, walk->out->routes, walk->out->route_count) = (struct observed_route){
        .subnet = subnet,
        /* A blackhole or a prohibition has no interface and claims its subnet all the same. */
        .ifname = link ? arena_strdup(walk->arena, link->name) : "",
    };
    return 0;
}
