/* Dumps of links and addresses. Statistics are left out of a link dump: they are two thirds of its bytes. */
#include "drivers/network/view_links.h"
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/error.h"
#include "lib/units.h"

#define ATTEMPTS 16 /* at a dump that others keep changing */

struct link_walk {
    struct arena *arena;
    struct links *out;
};

struct address_walk {
    struct arena *arena;
    struct addresses *out;
};

static int take_link(const struct nlmsghdr *message, void *context);
static int take_address(const struct nlmsghdr *message, void *context);
static int read_link(const struct nlmsghdr *message, struct arena *arena, struct link *link);
static void read_kind(struct nlattr *info, struct link *link);
static void read_settings(struct nlattr *families, struct link *link);

int links_dump(struct nl_sock *socket, struct arena *arena, struct links *out, struct error *error)
{
    int result = -EINTR;
    for (int attempt = 0; result == -EINTR && attempt < ATTEMPTS; attempt++) {
        struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
        _cleanup_message_ struct nl_msg *message = message_new(RTM_GETLINK, 0, &header, sizeof(header));
        message_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        *out = (struct links){0};
        result =
            netlink_dump(socket, message, take_link, &(struct link_walk){arena, out}, "list of links", error);
    }
    return result == -EINTR ? error_set(error, -EBUSY, "links change faster than they can be listed")
                            : result;
}

int addresses_dump(struct nl_sock *socket, int netnsid, struct arena *arena, struct addresses *out,
                   struct error *error)
{
    int result = -EINTR;
    for (int attempt = 0; result == -EINTR && attempt < ATTEMPTS; attempt++) {
        struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};
        _cleanup_message_ struct nl_msg *message = message_new(RTM_GETADDR, 0, &header, sizeof(header));
        if (netnsid != HERE)
            message_put_u32(message, IFA_TARGET_NETNSID, (uint32_t)netnsid);
        *out = (struct addresses){0};
        result = netlink_dump(socket, message, take_address, &(struct address_walk){arena, out},
                              "list of addresses", error);
    }
    return result == -EINTR ? error_set(error, -EBUSY, "addresses change faster than they can be listed")
                            : result;
}

int link_inside(struct nl_sock *socket, int netnsid, int index, struct arena *arena, struct link *link,
                struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETLINK, 0, &header, sizeof(header));
    message_put_u32(message, IFLA_TARGET_NETNSID, (uint32_t)netnsid);
    message_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    struct links found = {0};
    struct error reason;
    int result = netlink_ask(socket, message, take_link, &(struct link_walk){arena, &found}, "link", &reason);
    /* It or its namespace is gone, or it has more names than fit. */
    if (result == -ENODEV || result == -EINVAL || result == -EMSGSIZE)
        return 0;
    if (result < 0)
        return error_set(error, result, "%s", reason.text);
    if (found.count)
        *link = found.items[0];
    return found.count > 0;
}

int link_find(struct nl_sock *socket, const char *name, struct arena *arena, struct link *link,
              struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_GETLINK, 0, &header, sizeof(header));
    message_put_text(message, IFLA_IFNAME, name);
    message_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    struct links found = {0};
    struct error ignored;
    int result =
        netlink_transact(socket, message, take_link, &(struct link_walk){arena, &found}, name, &ignored);
    if (result == -ENODEV)
        return 0;
    if (result < 0)
        return error_set(error, result, "link %s", ignored.text);
    if (found.count != 1)
        return error_set(error, -EIO, "link %s: the kernel answered with %zu links", name, found.count);
    *link = found.items[0];
    return 1;
}

const struct link *links_by_index(const struct links *links, int index)
{
    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].index == index)
            return &links->items[i];
    return NULL;
}

void mac_print(const unsigned char mac[static 6], char text[static MAC_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 6; i++) {
        text[3 * i] = digits[mac[i] >> 4];
        text[3 * i + 1] = digits[mac[i] & 15];
        text[3 * i + 2] = i < 5 ? ':' : '\0';
    }
}

void prefix_print(uint32_t address, unsigned length, char text[static PREFIX_TEXT_SIZE])
{
    const unsigned char *byte = (const unsigned char *)&address;
    snprintf(text, PREFIX_TEXT_SIZE, "%u.%u.%u.%u/%u", byte[0], byte[1], byte[2], byte[3], length & 63);
}

int mac_parse(const char *text, unsigned char mac[static 6])
{
    char again[MAC_TEXT_SIZE];
    if (!text || strlen(text) != MAC_TEXT_SIZE - 1 ||
        sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
               &mac[5]) != 6)
        return -EINVAL;
    mac_print(mac, again);
    return strcmp(text, again) == 0 ? 0 : -EINVAL;
}

int address_parse(const char *text, uint32_t *address)
{
    struct in_addr parsed;
    if (!text || inet_pton(AF_INET, text, &parsed) != 1)
        return -EINVAL; /* inet_pton() takes no leading zeros: one spelling an address */
    *address = parsed.s_addr;
    return 0;
}

int prefix_parse(const char *text, uint32_t *address, unsigned *length)
{
    char bare[PREFIX_TEXT_SIZE];
    int64_t bits;
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof(bare) || number_parse(slash + 1, &bits) < 0 || bits < 0 ||
        bits > 32)
        return -EINVAL;
    memcpy(bare, text, (size_t)(slash - text));
    bare[slash - text] = '\0';
    *length = (unsigned)bits;
    return address_parse(bare, address);
}

void address6_print(const struct address6 *address, char text[static ADDRESS6_TEXT_SIZE])
{
    inet_ntop(AF_INET6, address->bytes, text, ADDRESS6_TEXT_SIZE);
}

void prefix6_print(const struct address6 *address, char text[static PREFIX6_TEXT_SIZE])
{
    address6_print(address, text);
    snprintf(text + strlen(text), 5, "/%u", address->length & 255U);
}

int address6_parse(const char *text, struct address6 *address)
{
    char again[ADDRESS6_TEXT_SIZE];
    *address = (struct address6){.length = 128};
    if (!text || inet_pton(AF_INET6, text, address->bytes) != 1)
        return -EINVAL;
    address6_print(address, again);
    return strcmp(text, again) == 0 ? 0 : -EINVAL;
}

int prefix6_parse(const char *text, struct address6 *address)
{
    char bare[PREFIX6_TEXT_SIZE];
    int64_t bits;
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof(bare) || number_parse(slash + 1, &bits) < 0 || bits < 0 ||
        bits > 128)
        return -EINVAL;
    memcpy(bare, text, (size_t)(slash - text));
    bare[slash - text] = '\0';
    const int result = address6_parse(bare, address);
    address->length = (uint8_t)bits;
    return result;
}

bool ifname_is_valid(const char *name)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return name && *name && strlen(name) < IFNAMSIZ && strspn(name, legal) == strlen(name);
}

static int take_link(const struct nlmsghdr *message, void *context)
{
    struct link_walk *walk = context;
    if (message->nlmsg_type != RTM_NEWLINK)
        return 0;
    return read_link(message, walk->arena, arena_append(walk->arena, walk->out->items, walk->out->count));
}

static int read_link(const struct nlmsghdr *message, struct arena *arena, struct link *link)
{
    const struct ifinfomsg *header = nlmsg_data(message);
    struct nlattr *attribute;
    int left;
    *link = (struct link){.index = header->ifi_index, .flags = header->ifi_flags, .peer_netnsid = HERE};
    nlmsg_for_each_attr(attribute, (struct nlmsghdr *)message, sizeof(*header), left)
    {
        switch (nla_type(attribute)) {
        case IFLA_IFNAME:
            nla_strlcpy(link->name, attribute, sizeof(link->name));
            break;
        case IFLA_IFALIAS:
            link->mark = arena_strndup(arena, nla_data(attribute),
                                       strnlen(nla_data(attribute), (size_t)nla_len(attribute)));
            break;
        case IFLA_ADDRESS:
            if (nla_len(attribute) == 6) {
                char *text = arena_alloc(arena, MAC_TEXT_SIZE);
                mac_print(nla_data(attribute), text);
                link->mac = text;
            }
            break;
        case IFLA_MTU:
            link->mtu = nla_get_u32(attribute);
            break;
        case IFLA_MASTER:
            link->master = (int)nla_get_u32(attribute);
            break;
        case IFLA_LINK:
            link->peer = (int)nla_get_u32(attribute);
            break;
        case IFLA_LINK_NETNSID:
            link->peer_netnsid = (int)nla_get_u32(attribute);
            break;
        case IFLA_LINKINFO:
            read_kind(attribute, link);
            break;
        case IFLA_AF_SPEC:
            read_settings(attribute, link);
            break;
        }
    }
    return 0;
}

static void read_kind(struct nlattr *info, struct link *link)
{
    struct nlattr *kind = nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND);
    struct nlattr *of = nla_find(nla_data(info), nla_len(info), IFLA_INFO_SLAVE_KIND);
    struct nlattr *port = nla_find(nla_data(info), nla_len(info), IFLA_INFO_SLAVE_DATA);
    if (kind && nla_strcmp(kind, "bridge") == 0)
        link->kind = LINK_BRIDGE;
    else if (kind && nla_strcmp(kind, "veth") == 0)
        link->kind = LINK_VETH;
    else if (kind && nla_strcmp(kind, "macvlan") == 0)
        link->kind = LINK_MACVLAN;
    if (of && port && nla_strcmp(of, "bridge") == 0) {
        struct nlattr *mode = nla_find(nla_data(port), nla_len(port), IFLA_BRPORT_MODE);
        link->hairpin = mode && nla_get_u8(mode);
    }
}

static bool is_set(const struct nlattr *values, unsigned number)
{
    uint32_t value = 0;
    size_t at = (number - 1) * sizeof(value); /* the kernel counts settings from 1 */
    if ((size_t)nla_len(values) >= at + sizeof(value))
        memcpy(&value, (const char *)nla_data(values) + at, sizeof(value));
    return value;
}

/* What stands below /proc/sys/net/ipv4/conf/NAME comes along with every link: nothing is read for it. */
static void read_settings(struct nlattr *families, struct link *link)
{
    struct nlattr *ipv4 = nla_find(nla_data(families), nla_len(families), AF_INET);
    struct nlattr *ipv6 = nla_find(nla_data(families), nla_len(families), AF_INET6);
    struct nlattr *values6 = ipv6 ? nla_find(nla_data(ipv6), nla_len(ipv6), IFLA_INET6_CONF) : NULL;
    if (values6 &&
        nla_len(values6) >= (int)sizeof(uint32_t)) /* DEVCONF_FORWARDING is the first: counted from 0 */
        link->forwards6 = nla_get_u32(values6);
    struct nlattr *values = ipv4 ? nla_find(nla_data(ipv4), nla_len(ipv4), IFLA_INET_CONF) : NULL;
    if (!values)
        return;
    link->forwards = is_set(values, IPV4_DEVCONF_FORWARDING);
    link->routes_local = is_set(values, IPV4_DEVCONF_ROUTE_LOCALNET);
}

static int take_address(const struct nlmsghdr *message, void *context)
{
    struct address_walk *walk = context;
    if (message->nlmsg_type != RTM_NEWADDR)
        return 0;
    const struct ifaddrmsg *header = nlmsg_data(message);
    /* IFA_LOCAL is the own address, IFA_ADDRESS the other side's of a point-to-point link. */
    struct nlattr *local = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), IFA_LOCAL);
    if (!local)
        local = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), IFA_ADDRESS);
    if (local && nla_len(local) == 16 && header->ifa_family == AF_INET6 &&
        header->ifa_scope != RT_SCOPE_LINK) {
        struct address6 *six = arena_append(walk->arena, walk->out->six, walk->out->six_count);
        *six = (struct address6){.index = (int)header->ifa_index,
                                 .length = header->ifa_prefixlen,
                                 .lasting = header->ifa_flags & IFA_F_PERMANENT};
        memcpy(six->bytes, nla_data(local), sizeof(six->bytes));
    }
    if (!local || nla_len(local) != 4)
        return 0;
    *arena_append(walk->arena, walk->out->items, walk->out->count) =
        (struct address){(int)header->ifa_index, nla_get_u32(local), header->ifa_prefixlen};
    return 0;
}
