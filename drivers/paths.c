#include "drivers/paths.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"

#define ROOT_LENGTH  60 /* LXC's abstract socket names hold 107 bytes of lxcpath and name */
#define PORT_CLASS   'p'
#define BRIDGE_CLASS 'n' /* neither letter is a hex digit, so no tag can be mistaken for one */

static int check_root(const char *root, struct error *error)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
    if (*root != '/' || strspn(root, legal) != strlen(root) || strstr(root, "//") || strstr(root, "/../") ||
        strstr(root, "/./"))
        return error_set(error, -EINVAL, "root \"%s\": expected an absolute path of letters, digits and ._-",
                         root);
    if (strlen(root) > ROOT_LENGTH)
        return error_set(error, -EINVAL, "root \"%s\" is longer than %d bytes", root, ROOT_LENGTH);
    return 0;
}

int paths_make(const char *root, struct arena *arena, struct paths *paths, struct error *error)
{
    int result = check_root(root, error);
    if (result < 0)
        return result;
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    root = arena_strndup(arena, root, length);
    const char *base = length == 1 ? "" : root;
    const char *tag = length == 1 ? "" : arena_printf(arena, "%04x", (unsigned)(digest_short(root) >> 48));
    *paths = (struct paths){
        .root = root,
        .tag = tag,
        .specs = arena_printf(arena, "%s/etc/fpsync/specs.d", base),
        .conf = arena_printf(arena, "%s/etc/fpsync/fpsync.conf", base),
        .store = arena_printf(arena, "%s/var/lib/fpsync", base),
        .state = arena_printf(arena, "%s/var/lib/fpsync/state", base),
        .images = arena_printf(arena, "%s/var/lib/fpsync/images", base),
        .downloads = arena_printf(arena, "%s/var/lib/fpsync/downloads", base),
        .layers = arena_printf(arena, "%s/var/lib/fpsync/layers", base),
        .volumes = arena_printf(arena, "%s/var/lib/fpsync/volumes", base),
        .build = arena_printf(arena, "%s/var/lib/fpsync/build", base),
        .lxc = arena_printf(arena, "%s/var/lib/lxc", base),
        .run = arena_printf(arena, "%s/run/fpsync", base),
        .mounts = arena_printf(arena, "%s/run/fpsync/mounts", base),
        .uppers = arena_printf(arena, "%s/run/fpsync/uppers", base),
        .networks = arena_printf(arena, "%s/run/fpsync/networks", base),
        .workers = arena_printf(arena, "%s/run/fpsync/workers", base),
        .lock = arena_printf(arena, "%s/run/fpsync/lock", base),
        .nft_table = *tag ? arena_printf(arena, "fpsync_%s", tag) : "fpsync",
        .port_prefix = arena_printf(arena, "fp%s%c", tag, PORT_CLASS),
    };
    return 0;
}

char *paths_file_name(struct arena *arena, const char *full_name)
{
    char *name = arena_strdup(arena, full_name);
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = '_';
    return name;
}

char *paths_lxc_name(const struct paths *paths, struct arena *arena, const char *full_name)
{
    static const char standard_project[] = "default/";
    size_t skip =
        strncmp(full_name, standard_project, strlen(standard_project)) == 0 ? strlen(standard_project) : 0;
    return arena_printf(arena, "%s%s%s", paths_file_name(arena, full_name + skip), *paths->tag ? "." : "",
                        paths->tag);
}

void paths_bridge(const struct paths *paths, const char *network, char ifname[static PATHS_IFNAME_SIZE])
{
    snprintf(ifname, PATHS_IFNAME_SIZE, "fp%.4s%c%08x", paths->tag, BRIDGE_CLASS,
             (uint32_t)(digest_short(network) >> 32));
}

void paths_port(const struct paths *paths, const char *container, const char *network,
                char ifname[static PATHS_IFNAME_SIZE])
{
    char both[160];
    snprintf(both, sizeof(both), "%s@%s", container, network);
    snprintf(ifname, PATHS_IFNAME_SIZE, "%s%08x", paths->port_prefix, (uint32_t)(digest_short(both) >> 32));
}
