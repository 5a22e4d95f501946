/* One dnsmasq a network: DHCP and names for its containers.
 *
 * Below run/networks/BRIDGE lie its pid file, its leases and two folders it watches, dhcp/ and hosts/, with the file of
 * all names in each; and those of the unions that belong to the network (resolver_union.c). */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/network/resolver.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define NAME_LENGTH 253

static int check_request(const struct paths *paths, const struct resolver *request, const struct call *call,
                         struct error *error);
static bool host_name_is_valid(const char *name);
static int write_names(const struct paths *paths, const struct resolver *request, const struct call *call,
                       struct error *error);
static void local_text(const struct list *names, struct buffer *out);
static int remove_others(const char *folder, const char *kept, struct error *error);
static void make_arguments(const struct paths *paths, const struct resolver *request, struct arena *arena,
                           const char *arguments[RESOLVER_ARGUMENTS]);
int resolver_set(const struct paths *paths, const struct resolver *request, const struct call *call,
                 struct error *error)
{
    const char *arguments[RESOLVER_ARGUMENTS];
    const struct resolver_process process = {.name = request->bridge,
                                             .pid_file =
                                                 resolver_pid_file(paths, call->arena, request->bridge),
                                             .arguments = arguments};
    int result = check_request(paths, request, call, error);
    if (result < 0)
        return result;
    make_arguments(paths, request, call->arena, arguments);
    if ((result = write_names(paths, request, call, error)) < 0 ||
        (result = resolver_process_ensure(&process, call, error)) < 0 ||
        (result = unions_set(paths, request, call, error)) < 0)
        return error_wrap(error, result, "resolver of %s", request->bridge);
    return 0;
}

int resolver_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                    struct error *error)
{
    static const char *const parts[] = {"dhcp", "hosts"};
    static const char *const files[] = {"leases", "new", RESOLVER_LOCAL, RESOLVER_CHANGING};
    const struct resolver none = {.bridge = request->ifname};
    int result = ifname_check(request->ifname, bridge_prefix(paths, call->arena), error);
    if (result < 0 || (result = unions_set(paths, &none, call, error)) < 0 ||
        (result = resolver_process_end(
             request->ifname, resolver_pid_file(paths, call->arena, request->ifname), call, error)) < 0)
        return result;
    const char *folder = resolver_folder(paths, call->arena, request->ifname);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *part = arena_printf(call->arena, "%s/%s", folder, parts[i]);
        if ((result = remove_others(part, NULL, error)) < 0 && result != -ENOENT)
            return result;
        rmdir(part);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(arena_printf(call->arena, "%s/%s", folder, files[i]));
    if (rmdir(folder) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "%s", folder);
    return 0;
}

static int check_request(const struct paths *paths, const struct resolver *request, const struct call *call,
                         struct error *error)
{
    uint32_t address;
    unsigned length;
    unsigned char mac[6];
    int result = ifname_check(request->bridge, bridge_prefix(paths, call->arena), error);
    if (result < 0)
        return result;
    if (prefix_parse(request->address, &address, &length) < 0 || length < 1 || length > 30)
        return error_set(error, -EINVAL, "resolver of %s: address \"%s\"", request->bridge,
                         request->address ? request->address : "");
    if (request->gateway && address_parse(request->gateway, &address) < 0)
        return error_set(error, -EINVAL, "resolver of %s: gateway \"%s\"", request->bridge, request->gateway);
    if ((result = unions_check(paths, request, call, error)) < 0)
        return result;
    for (size_t i = 0; i < request->names.count; i++) {
        const struct resolver_name *name = request->names.items[i];
        if (!name->container || !full_name_is_valid(name->container))
            return error_set(error, -EINVAL, "resolver of %s: container \"%s\"", request->bridge,
                             name->container ? name->container : "");
        if (mac_parse(name->mac, mac) < 0 || address_parse(name->address, &address) < 0 || !name->names.count)
            return error_set(error, -EINVAL, "resolver of %s: container %s lacks MAC, address or name",
                             request->bridge, name->container);
        for (size_t j = 0; j < name->names.count; j++)
            if (!host_name_is_valid(name->names.items[j]))
                return error_set(error, -EINVAL, "resolver of %s: host name \"%s\"", request->bridge,
                                 name->names.items[j]);
    }
    return 0;
}

static bool host_name_is_valid(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t length = strlen(name);
    return length && length <= NAME_LENGTH && strspn(name, legal) == length && *name != '.' && *name != '-';
}

static int write_mark(const char *path, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? error_errno(error, -errno, "%s", path) : 0;
}

/* New files are noticed by dnsmasq itself, one folder after the other. What the signal adds is that it forgets what
 * stands in dhcp/ no longer, sees both in one state, and sees them at all after somebody removed the folders, which
 * it then watches no more. A run that ends between the files and the signal leaves its mark. */
static int write_names(const struct paths *paths, const struct resolver *request, const struct call *call,
                       struct error *error)
{
    struct arena *arena = call->arena;
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0}, local = {0};
    const char *folder = resolver_folder(paths, arena, request->bridge);
    const char *leases = arena_printf(arena, "%s/dhcp", folder),
               *answers = arena_printf(arena, "%s/hosts", folder);
    const char *temporary = arena_printf(arena, "%s/new", folder); /* outside of what dnsmasq watches */
    const char *mark = arena_printf(arena, "%s/" RESOLVER_CHANGING, folder);
    int result;
    /* Readable for the user that dnsmasq becomes: it reads a changed file as that. */
    if ((result = run_folder_make(leases, 0755, error)) < 0 ||
        (result = run_folder_make(answers, 0755, error)) < 0)
        return result;
    resolver_texts(&request->names, &dhcp, &hosts);
    local_text(&request->names, &local);
    if (access(mark, F_OK) < 0 && holds_only(leases, RESOLVER_NAMES) && holds_only(answers, RESOLVER_NAMES) &&
        file_reads(leases, RESOLVER_NAMES, dhcp.bytes, dhcp.length) &&
        file_reads(answers, RESOLVER_NAMES, hosts.bytes, hosts.length) &&
        file_reads(folder, RESOLVER_LOCAL, local.bytes, local.length))
        return 0;
    if ((result = write_mark(mark, error)) < 0 ||
        (result = remove_others(leases, RESOLVER_NAMES, error)) < 0 ||
        (result = remove_others(answers, RESOLVER_NAMES, error)) < 0 ||
        (result = file_replace(leases, RESOLVER_NAMES, temporary, dhcp.bytes, dhcp.length, error)) < 0 ||
        (result = file_replace(answers, RESOLVER_NAMES, temporary, hosts.bytes, hosts.length, error)) < 0 ||
        (result = file_replace(folder, RESOLVER_LOCAL, temporary, local.bytes, local.length, error)) < 0)
        return result;
    if ((result = resolver_process_reload(resolver_pid_file(paths, arena, request->bridge), call, error)) <
            0 ||
        (result = unions_reload(paths, call, error)) < 0)
        return result;
    return unlink(mark) < 0 ? error_errno(error, -errno, "%s", mark) : 0;
}

/* "web.shop" could be somebody's domain: what is not known of ours, an IPv6 address say, would be asked for outside, and
 * awaited where nobody answers. A line of servers without one holds back that one name. */
static void local_text(const struct list *names, struct buffer *out)
{
    buffer_text(out, "");
    for (size_t i = 0; i < names->count; i++) {
        const struct texts *called = &((const struct resolver_name *)names->items[i])->names;
        for (size_t j = 0; j < called->count; j++)
            if (strchr(called->items[j], '.'))
                buffer_printf(out, "server=/%s/\n", called->items[j]);
    }
}

static int remove_others(const char *folder, const char *kept, struct error *error)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return error_errno(error, -errno, "%s", folder);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        if (!is_other(entry, kept))
            continue;
        if (unlinkat(dirfd(entries), entry->d_name, 0) < 0 && errno != ENOENT)
            result = error_errno(error, -errno, "%s/%s", folder, entry->d_name);
    }
    closedir(entries);
    return result;
}

/* Upstream is what the host's own resolv.conf names, which dnsmasq watches by default. Bare names and *.internal
 * never leave the host; no other suffix is held back, a project's name may be a real domain's. */
static void make_arguments(const struct paths *paths, const struct resolver *request, struct arena *arena,
                           const char *arguments[RESOLVER_ARGUMENTS])
{
    const char *folder = resolver_folder(paths, arena, request->bridge);
    char subnet[PREFIX_TEXT_SIZE], mask[PREFIX_TEXT_SIZE];
    uint32_t address;
    unsigned length;
    prefix_parse(request->address, &address, &length);
    uint32_t bits = htonl(UINT32_MAX << (32 - length));
    prefix_print(address & bits, length, subnet);
    prefix_print(bits, length, mask);
    *strchr(subnet, '/') = *strchr(mask, '/') = '\0';
    const char *all[] = {
        RESOLVER_PROGRAM,
        "--conf-file=/dev/null",
        arena_printf(arena, "--pid-file=%s", resolver_pid_file(paths, arena, request->bridge)),
        arena_printf(arena, "--interface=%s", request->bridge),
        "--except-interface=lo",
        "--bind-dynamic",
        "--no-hosts",
        "--domain-needed",
        "--bogus-priv",
        "--local=/internal/",
        arena_printf(arena, "--servers-file=%s/" RESOLVER_LOCAL, folder),
        arena_printf(arena, "--hostsdir=%s/hosts", folder),
        arena_printf(arena, "--dhcp-hostsdir=%s/dhcp", folder),
        arena_printf(arena, "--dhcp-leasefile=%s/leases", folder),
        arena_printf(arena, "--dhcp-range=%s,static,%s,1h", subnet, mask),
        /* Without a value the option is not sent: a second default route would compete with the first. */
        arena_printf(arena, "--dhcp-option=tag:" RESOLVER_ROUTED ",option:router%s%s",
                     request->gateway ? "," : "", request->gateway ? request->gateway : ""),
        "--dhcp-option=tag:!" RESOLVER_ROUTED ",option:router",
        "--dhcp-ignore=tag:!known",
        "--dhcp-authoritative",
        request->isolated ? "--no-resolv" : NULL,
        NULL,
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) <= RESOLVER_ARGUMENTS, "room for all arguments");
    memcpy(arguments, all, sizeof(all));
}
