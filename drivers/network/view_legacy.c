/* The tables of iptables-legacy, which are not in nf_tables. Their rules are not weighed; it is told whether there are
 * any, so that what they may end is not said to pass. */
/* Before the kernel's headers, which then leave out what is in these. */
#include <net/if.h>
#include <netinet/in.h>

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/network/view_firewall.h"
#include "lib/cleanup.h"

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one shape for both families");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) == offsetof(struct ip6t_get_entries, entrytable),
               "one shape for both families");

/* Without a rule before its policy, which accepts. `entries` are those of the table. */
static bool hook_is_empty(const struct ipt_getinfo *info, const unsigned char *entries, unsigned hook,
                          bool is6)
{
    const uint32_t at = info->hook_entry[hook];
    struct xt_standard_target policy;
    uint16_t target;
    if (at != info->underflow[hook] || at > info->size)
        return false;
    const size_t offset =
        is6 ? offsetof(struct ip6t_entry, target_offset) : offsetof(struct ipt_entry, target_offset);
    if (info->size - at < offset + sizeof(target))
        return false;
    memcpy(&target, entries + at + offset, sizeof(target));
    if (info->size - at < target + sizeof(policy))
        return false;
    memcpy(&policy, entries + at + target, sizeof(policy));
    return policy.verdict == -NF_ACCEPT - 1;
}

/* 1, 0 or a negative errno. */
static int table_is_empty(int fd, const char *name, bool is6, struct arena *arena)
{
    const int level = is6 ? SOL_IPV6 : SOL_IP;
    struct ipt_getinfo info = {0};
    socklen_t size = sizeof(info);
    memcpy(info.name, name, strnlen(name, sizeof(info.name) - 1));
    if (getsockopt(fd, level, is6 ? IP6T_SO_GET_INFO : IPT_SO_GET_INFO, &info, &size) < 0)
        return -errno;
    struct ipt_get_entries *entries = arena_alloc(arena, sizeof(*entries) + info.size);
    memcpy(entries->name, info.name, sizeof(info.name));
    entries->size = info.size;
    size = (socklen_t)(sizeof(*entries) + info.size);
    if (getsockopt(fd, level, is6 ? IP6T_SO_GET_ENTRIES : IPT_SO_GET_ENTRIES, entries, &size) < 0)
        return -errno;
    for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; hook++)
        if (info.valid_hooks & 1U << hook &&
            !hook_is_empty(&info, (const unsigned char *)entries->entrytable, hook, is6))
            return 0;
    return 1;
}

const char *legacy_tables(struct arena *arena, bool is6)
{
    const char *names = NULL;
    char name[XT_TABLE_MAXNAMELEN];
    _cleanup_fclose_ FILE *file =
        fopen(is6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names", "re");
    _cleanup_close_ int fd = -1;
    while (file && fscanf(file, "%31s", name) == 1) {
        if (strcmp(name, "nat") == 0)
            continue;
        if (fd < 0)
            fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (fd < 0 || table_is_empty(fd, name, is6, arena) != 1)
            names = names ? arena_printf(arena, "%s, %s", names, name) : arena_strdup(arena, name);
    }
    return names ? arena_printf(arena, "a table of ip%stables-legacy (%s), which fpsync does not read",
                                is6 ? "6" : "", names)
                 : NULL;
}
