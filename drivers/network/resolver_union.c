/* Resolvers for guests on several networks (struct resolver_union): a dnsmasq each, without DHCP, that reads the names
 * which the networks' own ones read, and watches them alike. They listen in 127.0.0.0/8, where guests cannot send to.
 * Below run/networks/BRIDGE/unions lie the pid file of each, named by its address, and what it does not ask outside
 * (union_local.c). */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/network/resolver.h"
#include "lib/error.h"

#define OTHER_ARGUMENTS 12

int unions_check(const struct paths *paths, const struct resolver *request, const struct call *call,
                 struct error *error)
{
    for (size_t i = 0; i < request->unions.count; i++) {
        const struct resolver_union *all = request->unions.items[i];
        uint32_t address;
        if (address_parse(all->address, &address) < 0 || ntohl(address) >> 24 != IN_LOOPBACKNET ||
            all->bridges.count < 2)
            return error_set(error, -EINVAL, "resolver of %s: union \"%s\" of %zu networks", request->bridge,
                             all->address ? all->address : "", all->bridges.count);
        for (size_t j = 0; j < all->bridges.count; j++) {
            int result = ifname_check(all->bridges.items[j], bridge_prefix(paths, call->arena), error);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static const char *hosts_argument(const struct paths *paths, struct arena *arena, const char *bridge)
{
    return arena_printf(arena, "--hostsdir=%s/hosts", resolver_folder(paths, arena, bridge));
}

static const char **make_arguments(const struct paths *paths, const struct resolver_union *all,
                                   const char *folder, const char *pid_file, struct arena *arena)
{
    const char **arguments = arena_array_of(arena, const char *, OTHER_ARGUMENTS + all->bridges.count);
    size_t count = 0;
    arguments[count++] = RESOLVER_PROGRAM;
    arguments[count++] = "--conf-file=/dev/null";
    arguments[count++] = arena_printf(arena, "--pid-file=%s", pid_file);
    arguments[count++] = arena_printf(arena, "--listen-address=%s", all->address);
    arguments[count++] = "--bind-interfaces";
    arguments[count++] = "--no-hosts";
    arguments[count++] = "--domain-needed";
    arguments[count++] = "--bogus-priv";
    arguments[count++] = "--local=/internal/";
    arguments[count++] =
        arena_printf(arena, "--servers-file=%s", union_local_file(arena, folder, all->address));
    for (size_t i = 0; i < all->bridges.count; i++)
        arguments[count++] = hosts_argument(paths, arena, all->bridges.items[i]);
    if (all->isolated)
        arguments[count++] = "--no-resolv";
    arguments[count] = NULL;
    return arguments;
}

/* A run that ends before dnsmasq has written its file leaves this one, by which the next run finds what was started and
 * written, also when nobody wants it any more: it is there first, and goes last. */
static int announce_union(const char *pid_file, struct error *error)
{
    _cleanup_close_ int fd = open(pid_file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? error_errno(error, -errno, "%s", pid_file) : 0;
}

static int set_union(const struct paths *paths, const struct resolver_union *all, const char *folder,
                     const struct call *call, struct error *error)
{
    const char *pid_file = arena_printf(call->arena, "%s/%s" UNION_SUFFIX, folder, all->address);
    int result = run_folder_make(folder, 0755, error);
    /* dnsmasq wants them to be there, and another network's own resolver may come later. */
    for (size_t i = 0; i < all->bridges.count && result == 0; i++)
        result = run_folder_make(
            arena_printf(call->arena, "%s/hosts", resolver_folder(paths, call->arena, all->bridges.items[i])),
            0755, error);
    const struct resolver_process process = {.name = all->address,
                                             .pid_file = pid_file,
                                             .arguments =
                                                 make_arguments(paths, all, folder, pid_file, call->arena)};
    if (result < 0 || (result = announce_union(pid_file, error)) < 0 ||
        (result = union_local_write(paths, folder, all, call->arena, error)) < 0)
        return result;
    return resolver_process_ensure(&process, call, error);
}

static int end_union(const char *folder, const char *address, const struct call *call, struct error *error)
{
    int result = union_local_remove(folder, address, call->arena, error);
    return result < 0 ? result
                      : resolver_process_end(address,
                                             arena_printf(call->arena, "%s/%s" UNION_SUFFIX, folder, address),
                                             call, error);
}

int unions_set(const struct paths *paths, const struct resolver *request, const struct call *call,
               struct error *error)
{
    const char *folder = unions_folder(paths, call->arena, request->bridge);
    struct texts there = {0};
    int result = unions_list(folder, call->arena, &there, error);
    for (size_t i = 0; i < there.count && result == 0; i++)
        if (!list_find(&request->unions, &resolver_union_table, there.items[i]))
            result = end_union(folder, there.items[i], call, error);
    for (size_t i = 0; i < request->unions.count && result == 0; i++)
        result = set_union(paths, request->unions.items[i], folder, call, error);
    if (result == 0 && !request->unions.count && rmdir(folder) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "%s", folder);
    return result;
}

static int reload_union(const struct paths *paths, const char *folder, const char *address,
                        const struct call *call, struct error *error)
{
    int result = union_local_renew(paths, folder, address, call->arena, error);
    return result < 0 ? result
                      : resolver_process_reload(
                            arena_printf(call->arena, "%s/%s" UNION_SUFFIX, folder, address), call, error);
}

/* One that does not know the names that changed reads its own again for nothing: that is rare, and cheap. */
int unions_reload(const struct paths *paths, const struct call *call, struct error *error)
{
    const char *prefix = bridge_prefix(paths, call->arena);
    DIR *networks = opendir(paths->networks);
    int result = 0;
    for (struct dirent *entry; networks && result == 0 && (entry = readdir(networks));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        const char *folder = unions_folder(paths, call->arena, entry->d_name);
        struct texts there = {0};
        result = unions_list(folder, call->arena, &there, error);
        for (size_t i = 0; i < there.count && result == 0; i++)
            result = reload_union(paths, folder, there.items[i], call, error);
    }
    if (networks)
        closedir(networks);
    return result;
}
