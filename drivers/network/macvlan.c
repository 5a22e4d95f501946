/* NICs by macvlan: made in the container's own namespace, where they end with it. They have no end on the host, so what
 * they are known by is their kind and the MAC address that nobody else has. */
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

/* By its MAC address; else (`name` may be NULL) by its name, when somebody inside gave it another. */
static const struct link *find(const struct links *links, const char *mac, const char *name)
{
    const struct link *named = NULL;
    for (size_t i = 0; i < links->count; i++) {
        const struct link *link = &links->items[i];
        if (link->kind != LINK_MACVLAN)
            continue;
        if (link->mac && strcmp(link->mac, mac) == 0)
            return link;
        if (name && strcmp(link->name, name) == 0)
            named = link;
    }
    return named;
}

static int make(const struct port_attach *request, const struct link *parent, const char *name,
                struct nl_sock *host, int namespace, struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    unsigned char mac[6];
    _cleanup_message_ struct nl_msg *message =
        message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    mac_parse(request->mac, mac);
    message_put_text(message, IFLA_IFNAME, name);
    message_put(message, IFLA_ADDRESS, mac, sizeof(mac));
    message_put_u32(message, IFLA_LINK, (uint32_t)parent->index);
    message_put_u32(message, IFLA_NET_NS_FD, (uint32_t) namespace);
    struct nlattr *info = message_nest(message, IFLA_LINKINFO);
    message_put_text(message, IFLA_INFO_KIND, "macvlan");
    struct nlattr *data = message_nest(message, IFLA_INFO_DATA);
    message_put_u32(message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    nla_nest_end(message, data);
    nla_nest_end(message, info);
    int result = netlink_transact(host, message, NULL, NULL, "create", error);
    if (result == -EEXIST)
        return error_set(error, result, "the container already has an interface %s", name);
    return result < 0 ? error_wrap(error, result, "macvlan of %s", parent->name) : 0;
}

int macvlan_ensure(const struct port_attach *request, const struct link *parent, struct nl_sock *host,
                   struct nl_sock *inside, int namespace, struct arena *arena, struct link *nic,
                   struct error *error)
{
    struct links links;
    char name[IFNAMSIZ];
    snprintf(name, sizeof(name), "eth%d", (int)request->index);
    int result = links_dump(inside, arena, &links, error);
    if (result < 0)
        return result;
    const struct link *found = find(&links, request->mac, name);
    if (found && (found->peer != parent->index || strcmp(found->name, name) != 0)) {
        if ((result = link_delete_index(inside, found, error)) < 0)
            return result;
        found = NULL;
    }
    if (!found && ((result = make(request, parent, name, host, namespace, error)) < 0 ||
                   (result = links_dump(inside, arena, &links, error)) < 0))
        return result;
    if (!found && !(found = find(&links, request->mac, NULL)))
        return error_set(error, -ENODEV, "it vanished while it was made");
    *nic = *found;
    return 0;
}

int macvlan_delete(const struct paths *paths, const struct macvlan_reference *request,
                   const struct call *call, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *inside = NULL;
    struct links links;
    unsigned char mac[6];
    (void)paths;
    if (mac_parse(request->mac, mac) < 0)
        return error_set(error, -EINVAL, "MAC address \"%s\"", request->mac ? request->mac : "");
    _cleanup_close_ int namespace =
        guest_namespace(request->init_pid, request->init_start, call->arena, error);
    int result = namespace;
    if (result < 0 || (result = netlink_open_inside(namespace, &inside, error)) < 0 ||
        (result = links_dump(inside, call->arena, &links, error)) < 0)
        return result;
    const struct link *found = find(&links, request->mac, NULL);
    return found ? link_delete_index(inside, found, error) : 0;
}
