/* Single changes of a link, and of the few files beside it. See internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define MARK_LENGTH 127

static struct nl_msg *link_message(int type, const struct link *link, unsigned flags)
{
    struct ifinfomsg header = {
        .ifi_family = AF_UNSPEC, .ifi_index = link->index, .ifi_flags = flags, .ifi_change = flags};
    return message_new(type, 0, &header, sizeof(header));
}

static int link_change(struct nl_sock *socket, struct nl_msg *message, const struct link *link,
                       const char *what, struct error *error)
{
    int result = netlink_transact(socket, message, NULL, NULL, what, error);
    return result < 0 ? error_wrap(error, result, "link %s", link->name) : 0;
}

int link_set_mark(struct nl_sock *socket, const struct link *link, const char *mark, struct error *error)
{
    if (link->mark && strcmp(link->mark, mark) == 0)
        return 0;
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    message_put_text(message, IFLA_IFALIAS, mark);
    return link_change(socket, message, link, "set alias", error);
}

/* The kernel takes an empty alias for none. */
int link_unmark(const struct paths *paths, const struct link_reference *request, const struct call *call,
                struct error *error)
{
    (void)paths;
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct link link;
    int result = mark_check(request->ifname, request->mark, error);
    if (result < 0 || (result = netlink_open(NETLINK_ROUTE, &socket, error)) < 0 ||
        (result = link_find(socket, request->ifname, call->arena, &link, error)) <= 0)
        return result;
    return link.mark && strcmp(link.mark, request->mark) == 0 ? link_set_mark(socket, &link, "", error) : 0;
}

static int rename_link(struct nl_sock *socket, const struct link *link, const char *name, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    message_put_text(message, IFLA_IFNAME, name);
    return netlink_transact(socket, message, NULL, NULL, "rename", error);
}

static int set_down(struct nl_sock *socket, const struct link *link, struct error *error)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = link->index, .ifi_change = IFF_UP};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_NEWLINK, 0, &header, sizeof(header));
    return link_change(socket, message, link, "set down", error);
}

/* Before Linux 6.2 only an interface that is down can be renamed; it comes up again at once, and the far end keeps its
 * addresses and routes meanwhile. */
int link_set_name(struct nl_sock *socket, const struct link *link, const char *name, struct error *error)
{
    struct error failure;
    struct link down = *link;
    if (strcmp(link->name, name) == 0)
        return 0;
    int result = rename_link(socket, link, name, &failure);
    if (result == -EBUSY && link->flags & IFF_UP) {
        if ((result = set_down(socket, link, error)) < 0)
            return result;
        down.flags &= ~(unsigned)IFF_UP;
        result = rename_link(socket, link, name, &failure);
        int up = link_set_up(socket, &down, error);
        if (result >= 0 && up < 0)
            return up;
    }
    return result < 0 ? error_set(error, result, "link %s: %s", link->name, failure.text) : 0;
}

int link_set_up(struct nl_sock *socket, const struct link *link, struct error *error)
{
    if (link->flags & IFF_UP)
        return 0;
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, IFF_UP);
    return link_change(socket, message, link, "set up", error);
}

int link_set_master(struct nl_sock *socket, const struct link *link, int master, struct error *error)
{
    if (link->master == master)
        return 0;
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    message_put_u32(message, IFLA_MASTER, (uint32_t)master);
    return link_change(socket, message, link, "put into its bridge", error);
}

int link_set_mac(struct nl_sock *socket, const struct link *link, const unsigned char mac[static 6],
                 struct error *error)
{
    char text[MAC_TEXT_SIZE];
    mac_print(mac, text);
    if (link->mac && strcmp(link->mac, text) == 0)
        return 0;
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    message_put(message, IFLA_ADDRESS, mac, 6);
    return link_change(socket, message, link, "set MAC address", error);
}

int link_set_hairpin(struct nl_sock *socket, const struct link *link, struct error *error)
{
    if (link->hairpin)
        return 0;
    uint8_t on = 1;
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    struct nlattr *info = message_nest(message, IFLA_LINKINFO);
    message_put_text(message, IFLA_INFO_SLAVE_KIND, "bridge");
    struct nlattr *port = message_nest(message, IFLA_INFO_SLAVE_DATA);
    message_put(message, IFLA_BRPORT_MODE, &on, sizeof(on));
    nla_nest_end(message, port);
    nla_nest_end(message, info);
    return link_change(socket, message, link, "set hairpin mode", error);
}

int link_delete(const char *ifname, const char *mark, const struct call *call, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct link link;
    int result = netlink_open(NETLINK_ROUTE, &socket, error);
    if (result < 0 || (result = link_find(socket, ifname, call->arena, &link, error)) <= 0)
        return result;
    if (!link.mark || !mark || strcmp(link.mark, mark) != 0)
        return error_set(error, -EPERM, "link %s is marked \"%s\", not \"%s\": left alone", ifname,
                         link.mark ? link.mark : "", mark ? mark : "");
    return link_delete_index(socket, &link, error);
}

/* By index: a name may by now belong to another link. */
int link_delete_index(struct nl_sock *socket, const struct link *link, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = link_message(RTM_DELLINK, link, 0);
    struct error failure;
    int result = netlink_transact(socket, message, NULL, NULL, "delete", &failure);
    return result >= 0 || result == -ENODEV
               ? 0
               : error_set(error, result, "link %s: %s", link->name, failure.text);
}

static int change_address(struct nl_sock *socket, int type, const struct link *link, uint32_t address,
                          unsigned length, const char *what, struct error *error)
{
    struct ifaddrmsg header = {
        .ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)length, .ifa_index = (uint32_t)link->index};
    int flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0;
    _cleanup_message_ struct nl_msg *message = message_new(type, flags, &header, sizeof(header));
    message_put_u32(message, IFA_LOCAL, address);
    message_put_u32(message, IFA_ADDRESS, address);
    if (type == RTM_NEWADDR && length < 31)
        message_put_u32(message, IFA_BROADCAST, address | htonl(UINT32_MAX >> length));
    return netlink_transact(socket, message, NULL, NULL, what, error);
}

static int set_promotion(struct nl_sock *socket, const struct link *link, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = link_message(RTM_NEWLINK, link, 0);
    struct nlattr *families = message_nest(message, IFLA_AF_SPEC);
    struct nlattr *ipv4 = message_nest(message, AF_INET);
    struct nlattr *settings = message_nest(message, IFLA_INET_CONF);
    message_put_u32(message, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
    nla_nest_end(message, settings);
    nla_nest_end(message, ipv4);
    nla_nest_end(message, families);
    return link_change(socket, message, link, "set promote_secondaries", error);
}

static int take_others(struct nl_sock *socket, const struct link *link, const struct addresses *addresses,
                       const struct address *kept, struct error *error)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const struct address *has = &addresses->items[i];
        if (has->index != link->index || (has->address == kept->address && has->length == kept->length))
            continue;
        struct error failure;
        int result =
            change_address(socket, RTM_DELADDR, link, has->address, has->length, "remove address", &failure);
        if (result < 0 && result != -EADDRNOTAVAIL) /* somebody else was faster */
            return error_set(error, result, "link %s: %s", link->name, failure.text);
    }
    return 0;
}

int link_take_addresses(struct nl_sock *socket, const struct link *link, struct arena *arena,
                        struct error *error)
{
    struct addresses addresses;
    const struct address none = {0};
    int result = addresses_dump(socket, HERE, arena, &addresses, error);
    return result < 0 ? result : take_others(socket, link, &addresses, &none, error);
}

int link_set_address(struct nl_sock *socket, const struct link *link, const char *prefix, struct arena *arena,
                     bool *changed, struct error *error)
{
    struct addresses addresses;
    struct address wanted = {.index = link->index};
    unsigned length;
    if (prefix_parse(prefix, &wanted.address, &length) < 0)
        return error_set(error, -EINVAL, "link %s: address \"%s\": expected A.B.C.D/N", link->name, prefix);
    wanted.length = (uint8_t)length;
    int result = addresses_dump(socket, HERE, arena, &addresses, error);
    if (result < 0)
        return result;
    size_t before = 0;
    bool there = false;
    for (size_t i = 0; i < addresses.count && !there; i++) {
        const struct address *has = &addresses.items[i];
        there = has->index == link->index && has->address == wanted.address && has->length == wanted.length;
        before += has->index == link->index && !there;
    }
    *changed = !there || before;
    if (before && (result = set_promotion(socket, link, error)) < 0)
        return result;
    if (!there &&
        (result = change_address(socket, RTM_NEWADDR, link, wanted.address, length, prefix, error)) < 0)
        return error_wrap(error, result, "link %s: address", link->name);
    return before ? take_others(socket, link, &addresses, &wanted, error) : 0;
}

/* Without a search for duplicates: nobody else may have it, and until that ends an address answers nothing. */
static int change_address6(struct nl_sock *socket, int type, const struct link *link,
                           const struct address6 *address, const char *what, struct error *error)
{
    struct ifaddrmsg header = {.ifa_family = AF_INET6,
                               .ifa_prefixlen = address->length,
                               .ifa_flags = type == RTM_NEWADDR ? IFA_F_NODAD : 0,
                               .ifa_index = (uint32_t)link->index};
    int flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0;
    _cleanup_message_ struct nl_msg *message = message_new(type, flags, &header, sizeof(header));
    message_put(message, IFA_LOCAL, address->bytes, sizeof(address->bytes));
    return netlink_transact(socket, message, NULL, NULL, what, error);
}

int link_drop_address6(struct nl_sock *socket, const struct link *link, const char *prefix,
                       struct error *error)
{
    struct address6 address = {0};
    struct error failure;
    if (prefix6_parse(prefix, &address) < 0)
        return error_set(error, -EINVAL, "link %s: address \"%s\": expected an IPv6 prefix", link->name,
                         prefix);
    int result = change_address6(socket, RTM_DELADDR, link, &address, "remove address", &failure);
    return result == 0 || result == -EADDRNOTAVAIL
               ? 0
               : error_set(error, result, "link %s: %s", link->name, failure.text);
}

int link_set_address6(struct nl_sock *socket, const struct link *link, const char *prefix,
                      struct arena *arena, struct error *error)
{
    struct addresses addresses;
    struct address6 wanted = {0};
    if (prefix && prefix6_parse(prefix, &wanted) < 0)
        return error_set(error, -EINVAL, "link %s: address \"%s\": expected an IPv6 prefix", link->name,
                         prefix);
    int result = addresses_dump(socket, HERE, arena, &addresses, error);
    bool there = false;
    for (size_t i = 0; i < addresses.six_count && result >= 0; i++) {
        const struct address6 *has = &addresses.six[i];
        if (has->index != link->index)
            continue;
        if (prefix && has->length == wanted.length &&
            memcmp(has->bytes, wanted.bytes, sizeof(wanted.bytes)) == 0)
            there = true;
        else
            result = change_address6(socket, RTM_DELADDR, link, has, "remove address", error);
    }
    if (result >= 0 && prefix && !there)
        result = change_address6(socket, RTM_NEWADDR, link, &wanted, prefix, error);
    return result < 0 ? error_wrap(error, result, "link %s", link->name) : 0;
}

int mark_check(const char *ifname, const char *mark, struct error *error)
{
    size_t length = mark ? strlen(mark) : 0;
    if (length == 0 || length > MARK_LENGTH)
        return error_set(error, -EINVAL, "link %s: a mark has 1 to %d bytes", ifname, MARK_LENGTH);
    for (const char *at = mark; *at; at++)
        if (*at < ' ' || *at > '~')
            return error_set(error, -EINVAL, "link %s: a mark is printable ASCII", ifname);
    return 0;
}

int ifname_check(const char *ifname, const char *prefix, struct error *error)
{
    if (!ifname_is_valid(ifname) || strncmp(ifname, prefix, strlen(prefix)) != 0)
        return error_set(error, -EINVAL, "interface name \"%s\": expected %s and hex digits",
                         ifname ? ifname : "", prefix);
    return 0;
}

bool setting_reads(const char *path, const char *value)
{
    char text[32] = "";
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, value) == 0;
}

int setting_write(const char *path, const char *value, struct error *error)
{
    char old[32] = "";
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, old, sizeof(old) - 1);
    if (length < 0)
        return error_errno(error, -errno, "%s", path);
    old[strcspn(old, "\n")] = '\0';
    if (strcmp(old, value) == 0)
        return 0;
    if (pwrite(fd, value, strlen(value), 0) < 0)
        return error_errno(error, -errno, "%s: set to %s", path, value);
    return 0;
}

int run_folder_make(const char *path, unsigned mode, struct error *error)
{
    char part[PATH_MAX];
    if (strlen(path) >= sizeof(part))
        return error_errno(error, -ENAMETOOLONG, "%s", path);
    for (const char *at = path; at;) {
        at = strchr(at + 1, '/');
        size_t length = at ? (size_t)(at - path) : strlen(path);
        memcpy(part, path, length);
        part[length] = '\0';
        if (mkdir(part, at ? 0755 : mode) < 0) {
            if (errno != EEXIST)
                return error_errno(error, -errno, "folder %s", part);
        } else if (!at && chmod(part, mode) < 0) { /* whatever the umask is */
            return error_errno(error, -errno, "folder %s", part);
        }
    }
    return 0;
}

bool file_reads(const char *folder, const char *name, const char *content, size_t size)
{
    _cleanup_buffer_ struct buffer old = {0};
    _cleanup_close_ int directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return directory >= 0 && buffer_read_file(&old, directory, name, size + 1, NULL) == 0 &&
           old.length == size && (size == 0 || memcmp(old.bytes, content, size) == 0);
}

int file_replace(const char *folder, const char *name, const char *temporary, const char *content,
                 size_t size, struct error *error)
{
    if (file_reads(folder, name, content, size))
        return 0;
    _cleanup_close_ int directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return error_errno(error, -errno, "%s", folder);
    _cleanup_close_ int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(error, -errno, "%s", temporary);
    int result = bytes_write(fd, content, size);
    if (result < 0)
        return error_errno(error, result, "%s", temporary);
    if (fchmod(fd, 0644) < 0 || renameat(AT_FDCWD, temporary, directory, name) < 0)
        return error_errno(error, -errno, "%s/%s", folder, name);
    return 0;
}
