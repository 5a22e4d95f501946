#include "reconciler/target_internal.h"

#include <inttypes.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/map.h"
#include "reconciler/addresses.h"
#include "reconciler/addresses6.h"
#include "reconciler/follow.h"
#include "reconciler/forwards.h"
#include "reconciler/routes.h"

#define RESOLV_CONF "/etc/resolv.conf"

const char *target_mark(struct arena *arena, const char *uid, const char *name)
{
    return arena_printf(arena, "fpsync %s %s", uid, name);
}

const char *target_subnet(const struct target *target, const char *network)
{
    const struct lease *lease = grants_find(target->grants, KIND_NETWORK, network);
    return lease ? lease->subnet : NULL;
}

/* NULL: it has none. */
static const char *target_subnet6(const struct target *target, const char *network)
{
    const struct lease *lease = grants_find(target->grants, KIND_NETWORK, network);
    return lease ? lease->subnet6 : NULL;
}

const struct network *target_network(const struct target *target, const char *network)
{
    const struct object *object = object_find(target->all, KIND_NETWORK, network);
    return object ? object->body : NULL;
}

bool target_is_attached(const struct target *target, const char *network)
{
    const struct network *body = target_network(target, network);
    return body && network_is_attached(body);
}

bool target_is_macvlan(const struct target *target, const char *network)
{
    const struct network *body = target_network(target, network);
    return body && body->parent;
}

bool target_is_absent(const struct target *target, const char *container)
{
    return target->absent && object_find(target->absent, KIND_CONTAINER, container);
}

const char *target_bridge_name(const struct target *target, const char *network)
{
    const struct network *body = target_network(target, network);
    if (body && network_is_attached(body))
        return body->bridge ? body->bridge : body->parent;
    char name[PATHS_IFNAME_SIZE];
    paths_bridge(target->paths, network, name);
    return arena_strdup(target->arena, name);
}

static char *port_name(const struct target *target, const char *container, const char *network)
{
    char name[PATHS_IFNAME_SIZE];
    paths_port(target->paths, container, network, name);
    return arena_strdup(target->arena, name);
}

/* ---- network ---- */

void target_add_guards(const struct target *target, const struct object *object, struct list *guards)
{
    const struct container *body = object->body;
    const struct lease *lease = grants_find(target->grants, KIND_CONTAINER, object->name);
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        const struct lease_address *address = lease_in(lease, attachment->network);
        if (target_is_macvlan(target, attachment->network))
            continue; /* no port of ours to guard */
        struct rule_guard *guard = described_new(target->arena, &rule_guard_table);
        guard->port = port_name(target, object->name, attachment->network);
        guard->mac = address->mac;
        guard->address = address->address;
        guard->router = body->router && address->address;
        guard->address6 = address->address6;
        guard->deaf = address->address && target_is_attached(target, attachment->network);
        target_add(target->arena, guards, described_whole(&rule_guard_table, guard));
    }
}

static void add_container_rules(const struct target *target, const struct object *object, struct rules *rules)
{
    const struct container *body = object->body;
    const struct lease *lease = grants_find(target->grants, KIND_CONTAINER, object->name);
    const char *first = NULL, *first6 = NULL;
    target_add_guards(target, object, &rules->guards);
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        const struct lease_address *address = lease_in(lease, attachment->network);
        if (target_is_macvlan(target, attachment->network))
            continue;
        if (!first && !target_is_attached(target, attachment->network))
            first = address->address;
        if (!first6 && !target_is_attached(target, attachment->network))
            first6 = address->address6;
    }
    target_add_askers(target, object, &rules->askers);
    struct list own = {0};
    for (size_t i = 0; i < body->ports.count && first; i++)
        forwards_of_port(target->arena, body->ports.items[i], first, first6,
                         body->set ? &own : &rules->forwards);
    if (!target->resting || !map_get(target->resting, object->name))
        forwards_share(target->arena, &own, &rules->forwards);
}

struct rules *target_rules(const struct target *target)
{
    struct rules *rules = described_new(target->arena, &rules_table);
    for (size_t i = 0; i < target->all->count; i++) {
        const struct object *object = target->all->items[i];
        if (object->kind == KIND_CONTAINER && !target_is_absent(target, object->name))
            add_container_rules(target, object, rules);
        if (object->kind != KIND_NETWORK || network_is_attached(object->body))
            continue;
        struct rule_network *network = described_new(target->arena, &rule_network_table);
        network->bridge = target_bridge_name(target, object->name);
        network->subnet = target_subnet(target, object->name);
        network->subnet6 = target_subnet6(target, object->name);
        const struct network *body = object->body;
        network->isolated = body->isolated;
        network->routed = !body->isolated && !body->nat;
        network->nat_address = body->isolated || !body->nat ? NULL : body->nat_address;
        network->nat_address6 = body->isolated || !body->nat ? NULL : body->nat_address6;
        target_add(target->arena, &rules->networks, described_whole(&rule_network_table, network));
    }
    target_sort(&rules->networks, &rule_network_table);
    target_sort(&rules->guards, &rule_guard_table);
    target_sort(&rules->forwards, &rule_forward_table);
    target_sort(&rules->askers, &rule_asker_table);
    return described_whole(&rules_table, rules);
}

static bool lists_equal(const struct table *table, const struct list *left, const struct list *right)
{
    struct buffer a = {0}, b = {0};
    for (size_t i = 0; i < left->count; i++)
        fields_encode(table, left->items[i], &a);
    for (size_t i = 0; i < right->count; i++)
        fields_encode(table, right->items[i], &b);
    bool equal = left->count == right->count && a.length == b.length &&
                 (!a.length || memcmp(a.bytes, b.bytes, a.length) == 0);
    buffer_clear(&a);
    buffer_clear(&b);
    return equal;
}

bool rules_equal(const struct rules *left, const struct rules *right)
{
    return lists_equal(&rule_network_table, &left->networks, &right->networks) &&
           lists_equal(&rule_guard_table, &left->guards, &right->guards) &&
           lists_equal(&rule_forward_table, &left->forwards, &right->forwards) &&
           lists_equal(&rule_asker_table, &left->askers, &right->askers);
}

struct bridge *target_bridge(const struct target *target, const char *network, const char *uid)
{
    struct bridge *bridge = described_new(target->arena, &bridge_table);
    uint64_t bits = digest_short(network);
    bridge->ifname = target_bridge_name(target, network);
    bridge->mark = target_mark(target->arena, uid, network);
    bridge->address = subnet_gateway(target->arena, target_subnet(target, network));
    if (target_subnet6(target, network))
        bridge->address6 = subnet6_gateway(target->arena, target_subnet6(target, network));
    bridge->mac =
        arena_printf(target->arena, "02:fe:%02x:%02x:%02x:%02x", (unsigned)(bits >> 24) & 255,
                     (unsigned)(bits >> 16) & 255, (unsigned)(bits >> 8) & 255, (unsigned)bits & 255);
    return described_whole(&bridge_table, bridge);
}

const char *target_gateway_in(const struct target *target, const struct object *object, const char *network,
                              bool of6)
{
    const struct routes routes = {.arena = target->arena, .target = target, .of6 = of6};
    const struct way_out way = routes_way_out(&routes, object->name, object->body);
    return text_is_same(way.network, network) ? way.gateway : NULL;
}

struct port_attach *target_port(const struct target *target, const struct object *object, const char *network,
                                const char *uid)
{
    const struct lease_address *address =
        lease_in(grants_find(target->grants, KIND_CONTAINER, object->name), network);
    struct port_attach *port = described_new(target->arena, &port_attach_table);
    port->ifname = port_name(target, object->name, network);
    port->mark = target_mark(target->arena, uid, object->name);
    port->bridge = target_bridge_name(target, network);
    port->index = address->index;
    port->mac = address->mac;
    const char *subnet = target_subnet(target, network);
    port->address =
        address->address && subnet ? address_with_prefix(target->arena, address->address, subnet) : NULL;
    port->foreign = target_is_attached(target, network);
    port->macvlan = target_is_macvlan(target, network);
    port->gateway = target_gateway_in(target, object, network, false);
    if (address->address6)
        port->address6 = arena_printf(target->arena, "%s/64", address->address6);
    port->gateway6 = port->address6 ? target_gateway_in(target, object, network, true) : NULL;
    port->spares6 = port->foreign && port->address && !target_subnet6(target, network);
    if (port->spares6 && address->left6)
        port->left6 = arena_printf(target->arena, "%s/64", address->left6);
    described_whole(&port_attach_table, port);
    return port;
}

/* ---- container ---- */

/* Start of its id range; 0: privileged. */
static int64_t id_base_of(const struct target *target, const struct object *container)
{
    return ((const struct container *)container->body)->privileged
               ? 0
               : grants_find(target->grants, KIND_CONTAINER, container->name)->id_base;
}

const char *target_image(const struct target *target, const struct object *container)
{
    const struct container *body = container->body;
    const struct object *layer = body->layer ? object_find(target->all, KIND_LAYER, body->layer) : NULL;
    return layer && ((const struct layer *)layer->body)->image ? ((const struct layer *)layer->body)->image
                                                               : body->image;
}

const char *target_layer_file(const struct target *target, const struct object *container)
{
    const struct container *body = container->body;
    return paths_file_name(target->arena, body->layer ? body->layer : container->name);
}

static void add_nics(const struct target *target, const struct object *object,
                     struct container_definition *definition)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        const struct port_attach *port = target_port(target, object, attachment->network, definition->uid);
        struct nic *nic = described_new(target->arena, &nic_table);
        nic->ifname = port->ifname;
        nic->index = port->index;
        nic->bridge = port->bridge;
        nic->mac = port->mac;
        nic->address = port->address;
        nic->gateway = port->gateway;
        nic->macvlan = port->macvlan;
        nic->address6 = port->address6;
        nic->gateway6 = port->gateway6;
        nic->deaf = port->foreign && port->address && !port->spares6;
        target_add(target->arena, &definition->nics, described_whole(&nic_table, nic));
    }
}

static const char *hostname_of(const struct object *object)
{
    const char *said = ((const struct container *)object->body)->hostname;
    return said ? said : name_bare(object->name);
}

struct container_definition *target_definition(const struct target *target, const struct object *object,
                                               const char *uid, int64_t generation)
{
    const struct container *body = object->body;
    struct container_definition *definition = described_new(target->arena, &container_definition_table);
    definition->lxc_name = object_lxc_name(target->paths, target->arena, object);
    definition->uid = uid;
    definition->generation = generation;
    definition->adopted = container_is_adopted(body);
    definition->root = definition->adopted ? body->root
                                           : arena_printf(target->arena, "%s/%s", target->paths->mounts,
                                                          definition->lxc_name);
    definition->id_base = id_base_of(target, object);
    definition->env = body->env;
    definition->command = body->command;
    definition->user = body->command.count ? body->user : NULL;
    definition->directory = body->command.count ? body->directory : NULL;
    definition->limits = body->limits;
    definition->halt_signal = body->stop_signal;
    definition->hostname = hostname_of(object);
    definition->cap_drop = body->capabilities->drop;
    definition->cap_keep = body->capabilities->keep;
    definition->nesting = body->nesting;
    definition->router = body->router;
    definition->host_network = body->host_network;
    definition->lxc = body->lxc;
    definition->arch = body->arch;
    definition->includes = body->includes;
    definition->apparmor = body->apparmor;
    if (definition->adopted)
        target_define_binds(target, object, definition);
    add_nics(target, object, definition);
    return described_whole(&container_definition_table, definition);
}

/* What is bound over a file of ours is the host's: it must not be written to. */
static bool is_bound(const struct container *body, const char *path)
{
    for (size_t i = 0; i < body->binds.count; i++) {
        const char *place = ((const struct bind *)body->binds.items[i])->path;
        size_t length = strlen(place);
        if (strncmp(path, place, length) == 0 && (path[length] == '/' || !path[length]))
            return true;
    }
    return false;
}

static struct root_file *new_file(const struct target *target, const char *path, const char *content)
{
    struct root_file *file = described_new(target->arena, &root_file_table);
    file->path = path;
    file->content = content;
    file->mode = 0644;
    return described_whole(&root_file_table, file);
}

static void add_file(const struct target *target, const struct container *body, struct root_mount *root,
                     const char *path, const char *content)
{
    if (!is_bound(body, path))
        target_add(target->arena, &root->files, new_file(target, path, content));
}

/* The resolver of the network that leads out knows that network's names and forwards all others. A LAN's is known to
 * the LAN: NULL, and what the guest has stays. */
static struct root_file *resolv_conf(const struct target *target, const struct object *object)
{
    const struct container *body = object->body;
    const struct routes routes = {.arena = target->arena, .target = target};
    const char *network = routes_way_out(&routes, object->name, body).network;
    for (size_t i = 0; i < body->networks.count && (!network || target_is_attached(target, network)); i++)
        network = ((const struct attachment *)body->networks.items[i])->network;
    if (!network || target_is_attached(target, network))
        return NULL;
    char *server = subnet_gateway(target->arena, target_subnet(target, network));
    *strchr(server, '/') = '\0';
    return new_file(target, RESOLV_CONF,
                    arena_printf(target->arena, "search %s.internal\nnameserver %s\n",
                                 name_project(target->arena, object->name), server));
}

struct root_write *target_resolv_conf(const struct target *target, const struct object *object)
{
    const struct container *body = object->body;
    struct root_file *file =
        container_is_adopted(body) || is_bound(body, RESOLV_CONF) ? NULL : resolv_conf(target, object);
    if (!file)
        return NULL;
    struct root_write *write = described_new(target->arena, &root_write_table);
    write->lxc_name = object_lxc_name(target->paths, target->arena, object);
    write->id_base = id_base_of(target, object);
    target_add(target->arena, &write->files, file);
    return described_whole(&root_write_table, write);
}

/* systemd's EnvironmentFile and PAM's environment share double quotes and backslash escapes. */
static const char *environment_text(const struct target *target, const struct pairs *env)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_text(&text, "# Written by fpsync at every start; edit the spec file instead.\n");
    for (size_t i = 0; i < env->count; i++) {
        buffer_printf(&text, "%s=\"", env->items[i].key);
        for (const char *at = env->items[i].value; *at; at++) {
            if (strchr("\"\\$`", *at))
                buffer_text(&text, "\\");
            buffer_add(&text, at, 1);
        }
        buffer_text(&text, "\"\n");
    }
    return arena_strdup(target->arena, text.bytes);
}

/* Name and addresses have to be there before init is: nothing in the guest may run a DHCP client. */
static void add_files(const struct target *target, const struct object *object, struct root_mount *root)
{
    const struct container *body = object->body;
    const char *host = hostname_of(object), *project = name_project(target->arena, object->name);
    const char *names = strchr(host, '.')
                            ? arena_printf(target->arena, "%s %.*s", host, (int)strcspn(host, "."), host)
                            : arena_printf(target->arena, "%s.%s.internal %s", host, project, host);
    add_file(target, body, root, "/etc/hostname", arena_printf(target->arena, "%s\n", host));
    add_file(target, body, root, "/etc/hosts",
             arena_printf(target->arena, "127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost\n",
                          names));
    struct root_file *resolver = is_bound(body, RESOLV_CONF) ? NULL : resolv_conf(target, object);
    if (resolver)
        target_add(target->arena, &root->files, resolver);
    if (!body->env.count || body->command.count)
        return;
    const char *text = environment_text(target, &body->env);
    add_file(target, body, root, "/etc/fpsync/env", text);
    add_file(target, body, root, "/etc/environment", text);
    add_file(target, body, root, "/etc/systemd/system/service.d/10-fpsync.conf",
             "[Service]\nEnvironmentFile=-/etc/fpsync/env\n");
}

struct list target_files(const struct target *target, const struct object *container)
{
    struct root_mount root = {0};
    add_files(target, container, &root);
    return root.files;
}

const struct volume *target_volume(const struct target *target, const char *name)
{
    const struct object *object = object_find(target->all, KIND_VOLUME, name);
    return object ? object->body : described_new(target->arena, &volume_table);
}

static bool is_thrown_away(const char *retain)
{
    return strcmp(retain, "none") == 0;
}

bool target_has_fresh_layer(const struct target *target, const struct object *container)
{
    const struct container *body = container->body;
    const struct object *layer = body->layer ? object_find(target->all, KIND_LAYER, body->layer) : NULL;
    return layer && is_thrown_away(((const struct layer *)layer->body)->retain);
}

struct root_mount *target_root(const struct target *target, const struct object *object, const char *digest)
{
    const struct container *body = object->body;
    struct root_mount *root = described_new(target->arena, &root_mount_table);
    root->lxc_name = object_lxc_name(target->paths, target->arena, object);
    root->digest = digest;
    root->layer = target_layer_file(target, object);
    root->id_base = id_base_of(target, object);
    root->with_init = body->command.count > 0;
    root->copy = root_is_copy(body);
    root->disk = body->limits->disk;
    root->lends_sys = body->host_network && root->id_base;
    root->lends_names = body->host_network && !is_bound(body, RESOLV_CONF);
    root->fresh = target_has_fresh_layer(target, object);
    for (size_t i = 0; i < body->volumes.count; i++) {
        const struct mount *mount = body->volumes.items[i];
        struct root_volume *volume = described_new(target->arena, &root_volume_table);
        volume->path = mount->path;
        volume->file = paths_file_name(target->arena, mount->volume);
        volume->read_only = mount->read_only;
        const struct volume *declared = target_volume(target, mount->volume);
        volume->type = declared->type;
        volume->size = declared->size;
        volume->fill = declared->fill;
        volume->fresh = is_thrown_away(declared->retain);
        target_add(target->arena, &root->volumes, described_whole(&root_volume_table, volume));
    }
    target_sort(&root->volumes, &root_volume_table); /* a path before what lies below it */
    target_add_binds(target, object, root);
    add_files(target, object, root);
    return described_whole(&root_mount_table, root);
}

struct container_start *target_start(const struct target *target, const struct object *object)
{
    struct container_start *start = described_new(target->arena, &container_start_table);
    const struct list *networks = &((const struct container *)object->body)->networks;
    start->lxc_name = object_lxc_name(target->paths, target->arena, object);
    start->id_base = id_base_of(target, object);
    target_add_devices(target, object, start);
    for (size_t i = 0; i < networks->count; i++) {
        const char *network = ((const struct attachment *)networks->items[i])->network;
        if (!target_is_macvlan(target, network))
            *arena_append(target->arena, start->ports.items, start->ports.count) =
                port_name(target, object->name, network);
    }
    return described_whole(&container_start_table, start);
}
