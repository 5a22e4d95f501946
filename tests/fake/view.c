/* The views of the fakes: what world.json says, in the shape of the contracts. They write nothing. */
#include <errno.h>
#include <string.h>

#include "drivers/network/firewall.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "tests/fake/seen.h"
#include "tests/fake/world.h"

/* ---- containers ---- */

static void see_container(const struct call *call, const char *name, const struct seen *known,
                          struct observed_container *seen)
{
    *seen = (struct observed_container){
        .lxc_name = arena_strdup(call->arena, name),
        .defined = seen_flag(known, "defined"),
        .ours = seen_flag(known, "ours"),
        .running = seen_flag(known, "running"),
        .monitor_pid = seen_number(known, "monitor_pid"),
        .init_pid = seen_number(known, "init_pid"),
        .init_start = seen_number(known, "init_start"),
        .exited = seen_in(known, "exit_status") != NULL,
        .exit_status = seen_number(known, "exit_status"),
        .frozen = seen_flag(known, "frozen"),
        .leftover_cgroups = seen_flag(known, "leftover_cgroups"),
    };
    if (seen->ours) {
        seen->uid = seen_text(seen_in(known, "definition"), "uid");
        seen->generation = seen_number(seen_in(known, "definition"), "generation");
    }
    if (seen->defined)
        seen->config_digest = seen_text(known, "config_digest");
    const struct limits *limits = object_seen(&limits_table, seen_in(known, "cgroup"), call->arena);
    if (limits)
        seen->limits = *limits;
    seen->limits.described.present &=
        ~((uint64_t)1 << (field_by_key(&limits_table, "disk") - limits_table.rows)); /* no group has it */
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
    const struct seen *world;
    int result = seen_world(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_containers){0};
    const struct seen *known = seen_in(world, "containers");
    for (const struct seen *i = seen_first(known); i; i = seen_next(i)) {
        struct observed_container *seen = arena_append(call->arena, out->items, out->count);
        see_container(call, seen_key(i), i, seen);
    }
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
    return 0;
}

static int read_definition(const struct paths *paths, const char *lxc_name, const struct call *call,
                           struct container_definition **out, struct error *error)
{
    fake_trace("container_view.read_definition");
    const struct seen *world;
    int result = seen_whole(paths->root, &world, error);
    if (result < 0)
        return result;
    const struct seen *known = seen_in(seen_in(world, "containers"), lxc_name);
    bool there = seen_flag(known, "defined") && seen_flag(known, "ours");
    *out = there ? object_seen(&container_definition_table, seen_in(known, "definition"), call->arena) : NULL;
    return 0;
}

static int read_stop(const struct paths *paths, const char *lxc_name, const struct call *call,
                     const char **by, struct error *error)
{
    (void)call;
    fake_trace("container_view.read_stop");
    const struct seen *world;
    int result = seen_whole(paths->root, &world, error);
    if (result == 0)
        *by = seen_text(seen_in(seen_in(world, "containers"), lxc_name), "stopped_by");
    return result;
}

static void look_at_use(const struct paths *paths, int64_t init_pid, struct observed_use *out)
{
    (void)paths;
    fake_trace("container_view.look_at_use");
    const struct seen *container = seen_by_init(init_pid);
    *out = (struct observed_use){.memory = seen_number(container, "memory_use"),
                                 .pids = seen_number(container, "pids_use")};
}

static void find_ids(const struct paths *paths, struct arena *arena, struct id_ranges *out)
{
    struct error ignored;
    const struct seen *world;
    fake_trace("container_view.find_ids");
    *out = (struct id_ranges){0};
    if (seen_whole(paths->root, &world, &ignored) < 0)
        return;
    for (const struct seen *i = seen_first(seen_in(world, "ids")); i; i = seen_next(i))
        *(struct id_range *)arena_append(arena, out->items, out->count) =
            (struct id_range){.first = seen_number(i, "first"), .last = seen_number(i, "last")};
}

static void look_at_host(const struct paths *paths, struct arena *arena, struct observed_host *out)
{
    const struct seen *world;
    fake_trace("container_view.look_at_host");
    *out = (struct observed_host){0};
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const char *cpus = seen_text(world, "cpus");
    out->cpus = cpus ? arena_strdup(arena, cpus) : NULL;
    out->memory_is_firm = out->swap_needs_memory = seen_flag(world, "version_1");
}

static const char *io_weight_trouble(void)
{
    fake_trace("container_view.io_weight_trouble");
    return NULL;
}

static bool io_is_weighed(const struct paths *paths)
{
    (void)paths;
    fake_trace("container_view.io_is_weighed");
    return true;
}

/* "usb 1a86:7523" and "gpu all" are where the tool plugged them in. */
static void find_devices(const struct paths *paths, const struct device *device, struct arena *arena,
                         struct found_devices *out)
{
    const struct seen *world;
    fake_trace("container_view.find_devices");
    *out = (struct found_devices){.trouble = "it is not there"};
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const char *name =
        arena_printf(arena, "%s %s", device->usb ? "usb" : "gpu", item_key(&device_table, device));
    const char *place = seen_text(seen_in(world, "plugged"), name);
    if (!place)
        return;
    *(struct found_device *)arena_append(arena, out->items, out->count) = (struct found_device){place, place};
    out->trouble = NULL;
}

static void list_lent(const struct paths *paths, const char *lxc_name, struct arena *arena,
                      struct texts *places)
{
    const struct seen *world;
    fake_trace("container_view.list_lent");
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const struct seen *lent = seen_in(seen_in(seen_in(world, "containers"), lxc_name), "guest_devices");
    for (const struct seen *i = seen_first(lent); i; i = seen_next(i))
        *arena_append(arena, places->items, places->count) = seen_key(i);
}

/* As `fake-tool silence` said. */
static bool is_silent(const struct seen *container, const char *path)
{
    return seen_flag(seen_in(container, "silent"), path);
}

/* In this world a device is there unless it is in "missing", and its numbers come from its name. */
static void look_at_devices(const struct paths *paths, const char *lxc_name, int64_t init_pid,
                            struct observed_device *devices, size_t count)
{
    fake_trace("container_view.look_at_devices");
    const struct seen *world;
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const struct seen *container = seen_in(seen_in(world, "containers"), lxc_name);
    for (size_t i = 0; i < count; i++) {
        struct observed_device *device = &devices[i];
        const struct seen *seen = seen_in(seen_in(container, "guest_devices"), device->path);
        if (!device->trouble && seen_flag(seen_in(world, "missing"), device->source))
            device->trouble = "it is not there";
        device->major = 10;
        for (const char *at = device->source; *at; at++)
            device->minor = (device->minor * 31 + *at) % 1000;
        device->lent = seen != NULL;
        device->unknown = init_pid && is_silent(container, device->path);
        device->as_asked = !device->unknown && init_pid && seen && !device->trouble &&
                           seen_number(seen, "major") == 10 && seen_number(seen, "minor") == device->minor &&
                           seen_number(seen, "mode") == device->mode;
    }
}

/* What `fake-tool lxc-container` gave it for a definition. */
static int read_found(const struct paths *paths, const char *lxcpath, const char *lxc_name,
                      const struct call *call, struct container_found **out, struct error *error)
{
    static const char below[] = "/var/lib/lxc";
    (void)paths;
    fake_trace("container_view.read_found");
    const struct seen *world;
    size_t length = strlen(lxcpath), tail = strlen(below);
    const char *root = length > tail && strcmp(lxcpath + length - tail, below) == 0
                           ? arena_strndup(call->arena, lxcpath, length - tail)
                           : lxcpath;
    int result = seen_whole(root, &world, error);
    if (result < 0)
        return result;
    const struct seen *known = seen_in(seen_in(world, "containers"), lxc_name);
    if (!seen_flag(known, "defined"))
        return error_set(error, -ENOENT, "there is no %s", lxc_name);
    struct container_found *found = arena_new_of(call->arena, struct container_found);
    found->definition = object_seen(&container_definition_table, seen_in(known, "definition"), call->arena);
    found->definition->adopted = true;
    found->maps_ids = found->definition->id_base > 0;
    found->nics_say_all = true;
    *out = found;
    return 0;
}

const struct container_view container_view = {.dump = dump_containers,
                                              .read_definition = read_definition,
                                              .read_stop = read_stop,
                                              .read_found = read_found,
                                              .look_at_use = look_at_use,
                                              .look_at_host = look_at_host,
                                              .io_weight_trouble = io_weight_trouble,
                                              .io_is_weighed = io_is_weighed,
                                              .find_ids = find_ids,
                                              .find_devices = find_devices,
                                              .list_lent = list_lent,
                                              .look_at_devices = look_at_devices};

/* ---- storage ---- */

static void see_data(const struct call *call, const struct seen *known, struct observed_data **items,
                     size_t *count)
{
    for (const struct seen *i = seen_first(known); i; i = seen_next(i)) {
        struct observed_data *seen = arena_append(call->arena, *items, *count);
        *seen = (struct observed_data){.file = seen_key(i),
                                       .modified = seen_number(i, "modified"),
                                       .type = seen_text(i, "type"),
                                       .size = seen_number(i, "size")};
    }
}

static int dump_storage(const struct paths *paths, const struct call *call, struct observed_storage *out,
                        struct error *error)
{
    fake_trace("storage_view.dump");
    if (getenv("FPSYNC_FAKE_BLIND"))
        return error_set(error, -EPERM, "told to see nothing");
    const struct seen *world;
    int result = seen_world(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_storage){.on_btrfs = seen_flag(world, "btrfs"),
                                     .has_quotas = seen_flag(world, "btrfs")};
    const struct seen *images = seen_in(world, "images"), *roots = seen_in(world, "roots");
    for (const struct seen *i = seen_first(images); i; i = seen_next(i)) {
        struct observed_image *seen = arena_append(call->arena, out->images, out->image_count);
        *seen = (struct observed_image){.digest = seen_key(i),
                                        .name = seen_text(i, "name"),
                                        .bytes = seen_number(i, "bytes"),
                                        .stored = seen_number(i, "bytes"),
                                        .used = seen_number(i, "used"),
                                        .lower = seen_text(i, "lower")};
    }
    see_data(call, seen_in(world, "layers"), &out->layers, &out->layer_count);
    see_data(call, seen_in(world, "volumes"), &out->volumes, &out->volume_count);
    for (const struct seen *i = seen_first(roots); i; i = seen_next(i)) {
        struct observed_root *seen = arena_append(call->arena, out->roots, out->root_count);
        *seen = (struct observed_root){.lxc_name = seen_key(i)};
    }
    return 0;
}

/* Only what is in the store is known as a volume where it is mounted. Of thousands, asked for thousands of times. */
static const char *stored_volume(const struct observed_storage *storage, const char *file)
{
    static const struct observed_storage *indexed;
    static struct map index;
    if (indexed != storage) {
        map_clear(&index);
        for (size_t i = 0; i < storage->volume_count; i++)
            map_add(&index, storage->volumes[i].file, (void *)storage->volumes[i].file);
        indexed = storage;
    }
    return map_get(&index, file);
}

static void look_mounts(const struct observed_storage *storage, int64_t init_pid, const struct texts *paths,
                        struct arena *arena, struct observed_guest_mounts *out)
{
    const struct seen *container = seen_by_init(init_pid);
    fake_trace("storage_view.look_mounts");
    *out = (struct observed_guest_mounts){0};
    for (size_t i = 0; i < paths->count; i++) {
        const char *text = seen_text(seen_in(container, "guest_mounts"), paths->items[i]);
        size_t length = text ? strcspn(text, ":") : 0;
        const char *volume = text ? stored_volume(storage, arena_strndup(arena, text, length)) : NULL;
        if (is_silent(container, paths->items[i]))
            *arena_append(arena, out->unknown.items, out->unknown.count) = paths->items[i];
        else if (volume)
            *arena_append(arena, out->items, out->count) =
                (struct observed_guest_mount){.path = paths->items[i],
                                              .volume = volume,
                                              .read_only = strncmp(text + length, ":ro", 3) == 0,
                                              .stuck = strcmp(text + length, ":ro:stuck") == 0};
    }
}

/* In this world a source is there unless it is in "missing", and is the same for ever. */
static void look_binds(const struct paths *paths, int64_t init_pid, struct observed_bind *binds, size_t count)
{
    fake_trace("storage_view.look_binds");
    const struct seen *world;
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const struct seen *container = init_pid ? seen_by_init(init_pid) : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct seen *seen = seen_in(seen_in(container, "guest_binds"), binds[i].path);
        bool missing = seen_flag(seen_in(world, "missing"), binds[i].source);
        binds[i].trouble = missing ? "it is not there" : NULL;
        binds[i].missing = missing;
        binds[i].unknown = is_silent(container, binds[i].path);
        if (binds[i].unknown)
            continue;
        binds[i].mounted = seen != NULL;
        binds[i].is_source = !missing && text_is_same(seen_text(seen, "source"), binds[i].source);
        binds[i].as_asked = binds[i].is_source && seen_flag(seen, "read_only") == binds[i].read_only;
    }
}

static void see_snapshots(const struct call *call, const struct json *world, const char *store,
                          const char *kind, struct observed_snapshots *out)
{
    static const char *only_one = "1";
    const struct json *all = fake_map(world, store);
    for (void *i = json_first(all); i; i = json_next(all, i)) {
        const struct json *snapshots = json_get(json_value(i), "snapshots");
        for (void *j = json_first(snapshots); j; j = json_next(snapshots, j)) {
            struct observed_snapshot *seen = arena_append(call->arena, out->items, out->count);
            *seen = (struct observed_snapshot){.kind = kind,
                                               .file = arena_strdup(call->arena, json_key(i)),
                                               .name = arena_strdup(call->arena, json_key(j)),
                                               .image =
                                                   arena_strdup(call->arena, text_in(json_value(j), "image")),
                                               .frozen = {.items = &only_one, .count = 1},
                                               .made = 1700000000,
                                               .kept = json_as_bool(json_get(json_value(j), "kept")),
                                               .whole = json_as_bool(json_get(json_value(j), "whole"))};
        }
    }
}

static int by_snapshot(const void *left, const void *right)
{
    const struct observed_snapshot *a = left, *b = right;
    int order = strcmp(a->kind, b->kind);
    order = order ? order : strcmp(a->file, b->file);
    return order ? order : strcmp(a->name, b->name);
}

static int dump_snapshots(const struct paths *paths, const struct call *call, struct observed_snapshots *out,
                          struct error *error)
{
    fake_trace("storage_view.dump_snapshots");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_snapshots){0};
    see_snapshots(call, world, "layers", "layer", out);
    see_snapshots(call, world, "volumes", "volume", out);
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), by_snapshot);
    return 0;
}

static bool grows_mounted(const struct paths *paths)
{
    const struct seen *world;
    fake_trace("storage_view.grows_mounted");
    return seen_world(paths->root, &world, NULL) == 0 && seen_flag(world, "grows");
}

static int dump_leftovers(const struct paths *paths, struct arena *arena, struct observed_leftovers *out,
                          struct error *error)
{
    fake_trace("storage_view.dump_leftovers");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_leftovers){0};
    const struct json *left = fake_map(world, "leftovers");
    for (void *i = json_first(left); i; i = json_next(left, i)) {
        const char *kind = json_key(i), *slash = strchr(kind, '/');
        *arena_append(arena, out->items, out->count) =
            (struct observed_leftover){.kind = arena_strndup(arena, kind, (size_t)(slash - kind)),
                                       .file = arena_strdup(arena, slash + 1)};
    }
    return 0;
}

static void look_disk(const struct paths *paths, const char *layer_file, int64_t init_pid,
                      struct observed_disk *disk)
{
    (void)init_pid;
    fake_trace("storage_view.look_disk");
    const struct seen *world;
    if (seen_world(paths->root, &world, NULL) < 0)
        return;
    const struct seen *layer = seen_in(seen_in(world, "layers"), layer_file);
    disk->size = seen_number(layer, "size");
    disk->used = disk->measured ? seen_number(layer, "used") : 0;
    disk->grows = seen_flag(world, "grows");
    disk->trouble =
        seen_flag(seen_in(world, "missing"), "/dev/loop-control") ? "the host has no loop devices" : NULL;
}

/* Suites are other systems here; the tool puts a package database into a layer. */
static int dump_difference(const struct paths *paths, const char *layer_file, const char *from,
                           const char *to, const struct call *call, struct observed_difference *out,
                           struct error *error)
{
    fake_trace("storage_view.dump_difference");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_difference){0};
    if (json_as_bool(json_get(fake_find(world, "layers", layer_file), "packages")))
        out->database = "it holds a package database (dpkg)";
    const char *old = text_in(fake_find(world, "images", from), "source");
    const char *new = to ? text_in(fake_find(world, "images", to), "source") : old;
    if (old && new &&strcmp(old, new) != 0)
        out->system = arena_printf(call->arena, "VERSION_ID of its system changes from %s to %s", old, new);
    return 0;
}

static int64_t measure(const char *store, const char *file)
{
    (void)store;
    return strstr(file, "/frozen/") ? (int64_t)12 << 20 : 0;
}

const struct storage_view storage_view = {.dump = dump_storage,
                                          .look_mounts = look_mounts,
                                          .look_disk = look_disk,
                                          .grows_mounted = grows_mounted,
                                          .dump_snapshots = dump_snapshots,
                                          .dump_leftovers = dump_leftovers,
                                          .dump_difference = dump_difference,
                                          .measure = measure,
                                          .look_binds = look_binds};

/* ---- network ---- */

/* What another hand spoiled reads like nothing that was ever written. */
static void see_names(const struct call *call, const struct seen *known, struct observed_resolver *seen)
{
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0};
    const struct resolver *resolver = object_seen(&resolver_table, known, call->arena);
    if (!resolver || seen_in(known, "spoiled"))
        return;
    resolver_texts(&resolver->names, &dhcp, &hosts);
    for (size_t i = 0; i < resolver->unions.count; i++)
        *arena_append(call->arena, seen->unions.items, seen->unions.count) =
            item_key(&resolver_union_table, resolver->unions.items[i]);
    seen->dhcp = arena_strdup(call->arena, dhcp.bytes ? dhcp.bytes : "");
    seen->hosts = arena_strdup(call->arena, hosts.bytes ? hosts.bytes : "");
}

/* A number that belongs to the name. */
static int index_of(const char *ifname)
{
    int index = 1;
    for (const char *at = ifname; at && *at; at++)
        index = index * 31 % 1000003 + *at;
    return index;
}

static void see_links(const struct call *call, const struct seen *world, struct observed_network *out)
{
    const struct seen *bridges = seen_in(world, "bridges"), *ports = seen_in(world, "ports"),
                      *resolvers = seen_in(world, "resolvers");
    for (const struct seen *i = seen_first(bridges); i; i = seen_next(i)) {
        struct observed_bridge *seen = arena_append(call->arena, out->bridges, out->bridge_count);
        *seen = (struct observed_bridge){.ifname = seen_key(i),
                                         .mark = seen_text(i, "mark"),
                                         .is_bridge = true,
                                         .up = seen_flag(i, "up"),
                                         .address = seen_text(i, "address"),
                                         .address6 = seen_text(i, "address6"),
                                         .forwards6 = seen_text(i, "address6") != NULL,
                                         .mac = seen_text(i, "mac"),
                                         .forwards = seen_flag(i, "forwards"),
                                         .routes_local = seen_flag(i, "routes_local")};
    }
    for (const struct seen *i = seen_first(ports); i; i = seen_next(i)) {
        struct observed_port *seen = arena_append(call->arena, out->ports, out->port_count);
        *seen = (struct observed_port){.ifname = seen_key(i),
                                       .mark = seen_text(i, "mark"),
                                       .master = seen_text(i, "master"),
                                       .up = seen_flag(i, "up"),
                                       .hairpin = seen_flag(i, "hairpin")};
    }
    for (const struct seen *i = seen_first(resolvers); i; i = seen_next(i)) {
        struct observed_resolver *seen = arena_append(call->arena, out->resolvers, out->resolver_count);
        *seen = (struct observed_resolver){.bridge = seen_key(i), .pid = seen_number(i, "pid")};
        see_names(call, i, seen);
    }
    const struct seen *foreign = seen_in(world, "foreign");
    for (const struct seen *i = seen_first(foreign); i; i = seen_next(i))
        *arena_append(call->arena, out->foreign, out->foreign_count) = (struct observed_foreign){
            .ifname = seen_key(i), .is_bridge = true, .index = index_of(seen_key(i))};
    out->forwards = seen_flag(world, "forwards");
}

static bool is_six(const char *address)
{
    return address && strchr(address, ':');
}

static void see_host(const struct call *call, const struct seen *world, struct observed_network *out)
{
    const struct seen *listeners = seen_in(world, "listeners"), *routes = seen_in(world, "routes");
    for (const struct seen *known = seen_first(listeners); known; known = seen_next(known)) {
        struct observed_listener *seen = arena_append(call->arena, out->listeners, out->listener_count);
        *seen = (struct observed_listener){.protocol = seen_text(known, "protocol"),
                                           .address = seen_text(known, "address"),
                                           .takes4 = !is_six(seen_text(known, "address")),
                                           .takes6 = !seen_text(known, "address") ||
                                                     is_six(seen_text(known, "address")),
                                           .port = seen_number(known, "port"),
                                           .process = seen_text(known, "process")};
    }
    for (const struct seen *known = seen_first(routes); known; known = seen_next(known)) {
        struct observed_route *seen = is_six(seen_text(known, "subnet"))
                                          ? arena_append(call->arena, out->routes6, out->route6_count)
                                          : arena_append(call->arena, out->routes, out->route_count);
        *seen = (struct observed_route){.subnet = seen_text(known, "subnet"),
                                        .ifname = seen_text(known, "ifname")};
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

/* A world that says nothing of them is one of which nobody knows. */
static const struct texts *addresses_of(const struct seen *world, struct arena *arena)
{
    const struct seen *said = seen_in(world, "addresses");
    struct texts *addresses = said ? arena_new_of(arena, struct texts) : NULL;
    for (const struct seen *i = seen_first(said); i; i = seen_next(i))
        *arena_append(arena, addresses->items, addresses->count) = seen_as_text(i);
    return addresses;
}

static int dump_network(const struct paths *paths, const struct call *call, struct observed_network *out,
                        struct error *error)
{
    fake_trace("network_view.dump");
    const struct seen *world;
    int result = seen_world(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_network){0};
    see_links(call, world, out);
    see_host(call, world, out);
    out->rules = object_seen(&rules_table, seen_in(world, "rules"), call->arena);
    out->rules_present = out->rules != NULL;
    out->flows_left = seen_flag(world, "flows_left");
    out->own_addresses = addresses_of(world, call->arena);
    if (!out->rules)
        out->rules = described_new(call->arena, &rules_table);
    return 0;
}

/* In this world they are told of unless "ctnetlink" is in "missing". */
static bool tracks_flows(const struct paths *paths)
{
    const struct seen *world;
    fake_trace("network_view.tracks_flows");
    return seen_world(paths->root, &world, NULL) < 0 || !seen_flag(seen_in(world, "missing"), "ctnetlink");
}

static void see_nic(const struct call *call, const char *ifname, const struct seen *known,
                    struct observed_guest_nic *seen)
{
    *seen = (struct observed_guest_nic){
        .ifname = arena_strdup(call->arena, ifname),
        .peer = seen_text(known, "peer"),
        .mac = seen_text(known, "mac"),
        .parent = seen_text(known, "parent") ? index_of(seen_text(known, "parent")) : 0,
        .up = seen_flag(known, "up"),
        .forwards = seen_flag(known, "forwards"),
        .forwards6 = seen_flag(known, "forwards"),
        .gateway = seen_text(known, "gateway"),
        .lasting6 = seen_text(known, "address6"),
        .gateway6 = seen_text(known, "gateway6")};
    const char *address = seen_text(known, "address"), *address6 = seen_text(known, "address6");
    if (address6)
        *arena_append(call->arena, seen->addresses6.items, seen->addresses6.count) = address6;
    if (address)
        *arena_append(call->arena, seen->addresses.items, seen->addresses.count) = address;
}

static int dump_guest_nics(const struct paths *paths, const struct observed_network *network,
                           const int64_t *pids, size_t count, const struct call *call,
                           struct observed_guest **out, struct error *error)
{
    (void)network;            /* this world knows the far ends by itself */
    (void)paths, (void)error; /* of the world that the containers were found in */
    fake_trace("network_view.dump_guests");
    struct observed_guest *guests = arena_array_of(call->arena, struct observed_guest, count);
    for (size_t i = 0; i < count; i++) {
        guests[i].init_pid = pids[i];
        const struct seen *nics = seen_in(seen_by_init(pids[i]), "guest_nics");
        for (const struct seen *j = seen_first(nics); j; j = seen_next(j)) {
            struct observed_guest_nic *seen = arena_append(call->arena, guests[i].nics, guests[i].count);
            see_nic(call, seen_key(j), j, seen);
        }
    }
    *out = guests;
    return 0;
}

static int dump_macvlans(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                         struct error *error)
{
    (void)paths, (void)guest, (void)call, (void)error; /* dump_guest_nics() told of them */
    return 0;
}

static int look_inside(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                       struct error *error)
{
    struct observed_guest *found;
    int result = dump_guest_nics(paths, NULL, &guest->init_pid, 1, call, &found, error);
    if (result == 0)
        *guest = *found;
    return result;
}

const struct network_view network_view = {.dump = dump_network,
                                          .dump_macvlans = dump_macvlans,
                                          .look_inside = look_inside,
                                          .tracks_flows = tracks_flows,
                                          .dump_guests = dump_guest_nics};

/* Of others' packet filters the fake world has only what translates: "claims". */
static int see_claims(const struct paths *paths, const struct crossing *crossings, size_t count,
                      struct arena *arena, const char **out, struct error *error)
{
    const struct seen *world;
    (void)arena;
    int result = seen_world(paths->root, &world, error);
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct crossing *crossing = &crossings[i];
        const int64_t end = crossing->host + (crossing->count > 1 ? crossing->count : 1);
        const struct seen *claims = seen_in(world, "claims");
        for (const struct seen *known = seen_first(claims); known; known = seen_next(known))
            if (strcmp(seen_text(known, "protocol"), crossing->protocol) == 0 && !crossing->is6 &&
                seen_number(known, "port") >= crossing->host && seen_number(known, "port") < end)
                out[i] = seen_text(known, "rule");
    }
    return result;
}

const struct firewall_view firewall_view = {.claims = see_claims};
