/* The views of the fakes: what world.json says, in the shape of the contracts. They write nothing. */
#include <errno.h>
#include <string.h>

#include "lib/buffer.h"
#include "lib/error.h"
#include "tests/fake/convert.h"
#include "tests/fake/world.h"

/* ---- containers ---- */

static const char *copied(const struct call *call, const struct json *object, const char *key)
{
    return arena_strdup(call->arena, text_in(object, key));
}

static void see_container(const struct call *call, const char *name, const struct json *known,
                          struct observed_container *seen)
{
    char digest[65];
    *seen = (struct observed_container){
        .lxc_name = arena_strdup(call->arena, name),
        .defined = json_as_bool(json_get(known, "defined")),
        .ours = json_as_bool(json_get(known, "ours")),
        .running = json_as_bool(json_get(known, "running")),
        .monitor_pid = number_in(known, "monitor_pid"),
        .init_pid = number_in(known, "init_pid"),
        .init_start = number_in(known, "init_start"),
        .exited = json_get(known, "exit_status") != NULL,
        .exit_status = number_in(known, "exit_status"),
        .leftover_cgroups = json_as_bool(json_get(known, "leftover_cgroups")),
    };
    if (seen->ours) {
        seen->uid = copied(call, json_get(known, "definition"), "uid");
        seen->generation = number_in(json_get(known, "definition"), "generation");
    }
    if (seen->defined) {
        fake_config_digest(known, digest);
        seen->config_digest = arena_strdup(call->arena, digest);
    }
    const struct limits *limits = object_of(&limits_table, json_get(known, "cgroup"), call->arena);
    if (limits)
        seen->limits = *limits;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct observed_container *)left)->lxc_name,
                  ((const struct observed_container *)right)->lxc_name);
}

static int dump_containers(const struct paths *paths, const struct map *inits, const struct call *call,
                           struct observed_containers *out, struct error *error)
{
    (void)inits; /* this world is read at once anyway */
    fake_trace("container_view.dump");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_containers){0};
    const struct json *known = fake_map(world, "containers");
    for (void *i = json_first(known); i; i = json_next(known, i)) {
        struct observed_container *seen = arena_append(call->arena, out->items, out->count);
        see_container(call, json_key(i), json_value(i), seen);
    }
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
    return 0;
}

static int read_definition(const struct paths *paths, const char *lxc_name, const struct call *call,
                           struct container_definition **out, struct error *error)
{
    fake_trace("container_view.read_definition");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    const struct json *known = fake_find(world, "containers", lxc_name);
    bool there = json_as_bool(json_get(known, "defined")) && json_as_bool(json_get(known, "ours"));
    *out = there ? object_of(&container_definition_table, json_get(known, "definition"), call->arena) : NULL;
    return 0;
}

const struct container_view container_view = {.dump = dump_containers, .read_definition = read_definition};

/* ---- storage ---- */

static void see_data(const struct call *call, const struct json *known, struct observed_data **items,
                     size_t *count)
{
    for (void *i = json_first(known); i; i = json_next(known, i)) {
        struct observed_data *seen = arena_append(call->arena, *items, *count);
        *seen = (struct observed_data){.file = arena_strdup(call->arena, json_key(i)),
                                       .modified = number_in(json_value(i), "modified")};
    }
}

static int dump_storage(const struct paths *paths, const struct call *call, struct observed_storage *out,
                        struct error *error)
{
    fake_trace("storage_view.dump");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_storage){0};
    const struct json *images = fake_map(world, "images"), *roots = fake_map(world, "roots");
    for (void *i = json_first(images); i; i = json_next(images, i)) {
        struct observed_image *seen = arena_append(call->arena, out->images, out->image_count);
        *seen = (struct observed_image){.digest = arena_strdup(call->arena, json_key(i)),
                                        .name = copied(call, json_value(i), "name"),
                                        .bytes = number_in(json_value(i), "bytes")};
    }
    see_data(call, fake_map(world, "layers"), &out->layers, &out->layer_count);
    see_data(call, fake_map(world, "volumes"), &out->volumes, &out->volume_count);
    for (void *i = json_first(roots); i; i = json_next(roots, i)) {
        struct observed_root *seen = arena_append(call->arena, out->roots, out->root_count);
        *seen = (struct observed_root){.lxc_name = arena_strdup(call->arena, json_key(i))};
    }
    return 0;
}

static int by_path(const void *left, const void *right)
{
    return strcmp(((const struct observed_guest_mount *)left)->path,
                  ((const struct observed_guest_mount *)right)->path);
}

static int dump_guest_mounts(const struct paths *paths, int64_t init_pid, const struct call *call,
                             struct observed_guest_mounts *out, struct error *error)
{
    fake_trace("storage_view.dump_guest");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    const struct json *container = fake_by_init(world, init_pid),
                      *mounts = json_get(container, "guest_mounts");
    *out = (struct observed_guest_mounts){.layer = copied(call, container, "guest_layer")};
    for (void *i = json_first(mounts); i; i = json_next(mounts, i)) {
        struct observed_guest_mount *seen = arena_append(call->arena, out->items, out->count);
        *seen =
            (struct observed_guest_mount){.path = arena_strdup(call->arena, json_key(i)),
                                          .volume = arena_strdup(call->arena, json_as_text(json_value(i)))};
    }
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), by_path);
    return 0;
}

const struct storage_view storage_view = {.dump = dump_storage, .dump_guest = dump_guest_mounts};

/* ---- network ---- */

/* What another hand spoiled reads like nothing that was ever written. */
static void see_names(const struct call *call, const struct json *known, struct observed_resolver *seen)
{
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0};
    const struct resolver *resolver = object_of(&resolver_table, known, call->arena);
    if (!resolver || json_get(known, "spoiled"))
        return;
    resolver_texts(&resolver->names, &dhcp, &hosts);
    seen->dhcp = arena_strdup(call->arena, dhcp.bytes ? dhcp.bytes : "");
    seen->hosts = arena_strdup(call->arena, hosts.bytes ? hosts.bytes : "");
}

static void see_links(const struct call *call, const struct json *world, struct observed_network *out)
{
    const struct json *bridges = fake_map(world, "bridges"), *ports = fake_map(world, "ports"),
                      *resolvers = fake_map(world, "resolvers");
    for (void *i = json_first(bridges); i; i = json_next(bridges, i)) {
        struct observed_bridge *seen = arena_append(call->arena, out->bridges, out->bridge_count);
        *seen =
            (struct observed_bridge){.ifname = arena_strdup(call->arena, json_key(i)),
                                     .mark = copied(call, json_value(i), "mark"),
                                     .is_bridge = true,
                                     .up = json_as_bool(json_get(json_value(i), "up")),
                                     .address = copied(call, json_value(i), "address"),
                                     .mac = copied(call, json_value(i), "mac"),
                                     .forwards = json_as_bool(json_get(json_value(i), "forwards")),
                                     .routes_local = json_as_bool(json_get(json_value(i), "routes_local"))};
    }
    for (void *i = json_first(ports); i; i = json_next(ports, i)) {
        struct observed_port *seen = arena_append(call->arena, out->ports, out->port_count);
        *seen = (struct observed_port){.ifname = arena_strdup(call->arena, json_key(i)),
                                       .mark = copied(call, json_value(i), "mark"),
                                       .master = copied(call, json_value(i), "master"),
                                       .up = json_as_bool(json_get(json_value(i), "up")),
                                       .hairpin = json_as_bool(json_get(json_value(i), "hairpin"))};
    }
    for (void *i = json_first(resolvers); i; i = json_next(resolvers, i)) {
        struct observed_resolver *seen = arena_append(call->arena, out->resolvers, out->resolver_count);
        *seen = (struct observed_resolver){.bridge = arena_strdup(call->arena, json_key(i)),
                                           .pid = number_in(json_value(i), "pid")};
        see_names(call, json_value(i), seen);
    }
    out->forwards = json_as_bool(json_get(world, "forwards"));
}

static void see_host(const struct call *call, const struct json *world, struct observed_network *out)
{
    const struct json *listeners = json_get(world, "listeners"), *routes = json_get(world, "routes");
    for (size_t i = 0; i < json_length(listeners); i++) {
        const struct json *known = json_at(listeners, i);
        struct observed_listener *seen = arena_append(call->arena, out->listeners, out->listener_count);
        *seen = (struct observed_listener){.protocol = copied(call, known, "protocol"),
                                           .address = copied(call, known, "address"),
                                           .port = number_in(known, "port"),
                                           .process = copied(call, known, "process")};
    }
    for (size_t i = 0; i < json_length(routes); i++) {
        struct observed_route *seen = arena_append(call->arena, out->routes, out->route_count);
        *seen = (struct observed_route){.subnet = copied(call, json_at(routes, i), "subnet"),
                                        .ifname = copied(call, json_at(routes, i), "ifname")};
    }
    /* As on a real host, a bridge with an address has the route of its subnet. */
    for (size_t i = 0; i < out->bridge_count; i++) {
        const char *address = out->bridges[i].address, *slash = address ? strchr(address, '/') : NULL;
        const char *dot = address ? strrchr(address, '.') : NULL;
        if (!slash || !dot || strcmp(slash, "/24") != 0)
            continue;
        struct observed_route *seen = arena_append(call->arena, out->routes, out->route_count);
        *seen = (struct observed_route){
            .subnet = arena_printf(call->arena, "%.*s.0/24", (int)(dot - address), address),
            .ifname = out->bridges[i].ifname};
    }
}

static int dump_network(const struct paths *paths, const struct call *call, struct observed_network *out,
                        struct error *error)
{
    fake_trace("network_view.dump");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_network){0};
    see_links(call, world, out);
    see_host(call, world, out);
    out->rules = object_of(&rules_table, json_get(world, "rules"), call->arena);
    out->rules_present = out->rules != NULL;
    if (!out->rules)
        out->rules = described_new(call->arena, &rules_table);
    return 0;
}

static void see_nic(const struct call *call, const char *ifname, const struct json *known,
                    struct observed_guest_nic *seen)
{
    *seen = (struct observed_guest_nic){.ifname = arena_strdup(call->arena, ifname),
                                        .peer = copied(call, known, "peer"),
                                        .mac = copied(call, known, "mac"),
                                        .up = json_as_bool(json_get(known, "up")),
                                        .gateway = copied(call, known, "gateway")};
    const char *address = copied(call, known, "address");
    if (address)
        *arena_append(call->arena, seen->addresses.items, seen->addresses.count) = address;
}

static int dump_guest_nics(const struct paths *paths, const struct observed_network *network,
                           const int64_t *pids, size_t count, const struct call *call,
                           struct observed_guest **out, struct error *error)
{
    (void)network; /* this world knows the far ends by itself */
    fake_trace("network_view.dump_guests");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    struct observed_guest *guests = arena_array_of(call->arena, struct observed_guest, count);
    for (size_t i = 0; i < count; i++) {
        guests[i].init_pid = pids[i];
        const struct json *nics = json_get(fake_by_init(world, pids[i]), "guest_nics");
        for (void *j = json_first(nics); j; j = json_next(nics, j)) {
            struct observed_guest_nic *seen = arena_append(call->arena, guests[i].nics, guests[i].count);
            see_nic(call, json_key(j), json_value(j), seen);
        }
    }
    *out = guests;
    return 0;
}

const struct network_view network_view = {.dump = dump_network, .dump_guests = dump_guest_nics};
