#include "reconciler/repairs_internal.h"

#include <string.h>

#include "lib/buffer.h"
#include "lib/map.h"
#include "lib/units.h"

static void add(const struct target *target, struct repairs *out, enum step_kind step, void *request,
                const char *field, const char *drift)
{
    struct repair *repair = arena_append(target->arena, out->items, out->count);
    *repair = (struct repair){.step = step, .request = request, .field = field, .drift = drift};
}

void repairs_add(const struct repairing *repairing, enum step_kind step, void *request, const char *field,
                 const char *drift)
{
    add(repairing->target, repairing->out, step, request, field, drift);
}

/* ---- network interfaces ---- */

static const struct observed_guest_nic *nic_of(const struct world_guest *guest,
                                               const struct port_attach *wanted)
{
    for (size_t i = 0; guest->nics && i < guest->nics->count; i++) {
        const struct observed_guest_nic *nic = &guest->nics->nics[i];
        if (wanted->macvlan ? nic->parent && text_is_same(nic->mac, wanted->mac)
                            : text_is_same(nic->peer, wanted->ifname))
            return nic;
    }
    return NULL;
}

static bool is_child_of(const struct world *world, const struct observed_guest_nic *nic, const char *ifname)
{
    for (size_t i = 0; i < world->network.foreign_count; i++)
        if (strcmp(world->network.foreign[i].ifname, ifname) == 0)
            return world->network.foreign[i].index == nic->parent;
    return false;
}

static bool has_text(const struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* A guest may call its interfaces what it likes; one that has another's name was put in another's place. */
static bool is_misplaced(const struct observed_guest_nic *nic, const struct port_attach *wanted)
{
    int64_t number;
    return nic && strncmp(nic->ifname, "eth", 3) == 0 && number_parse(nic->ifname + 3, &number) == 0 &&
           number != wanted->index;
}

/* Who asks a LAN has what that gives it, and where nothing is said of IPv6 it is the guest's. Who does not hears of no
 * router by a bridge, and what it gives itself there leads nowhere; by a macvlan nobody stops it from going by a router,
 * and that hurts nobody. */
static const char *nic6_trouble(struct arena *arena, const struct observed_guest_nic *nic,
                                const struct port_attach *wanted)
{
    if (!wanted->address)
        return NULL;
    if (wanted->spares6)
        return wanted->left6 && has_text(&nic->addresses6, wanted->left6)
                   ? arena_printf(arena, "%s has address %s still", nic->ifname, wanted->left6)
                   : NULL;
    const char *other = wanted->macvlan         ? nic->lasting6
                        : nic->addresses6.count ? nic->addresses6.items[0]
                                                : NULL;
    if (!wanted->address6)
        return other ? arena_printf(arena, "%s has address %s, and none of IPv6 was given to it", nic->ifname,
                                    other)
                     : NULL;
    if (!has_text(&nic->addresses6, wanted->address6))
        return arena_printf(arena, "address %s removed from %s", wanted->address6, nic->ifname);
    if (wanted->gateway6 && !text_is_same(nic->gateway6, wanted->gateway6))
        return arena_printf(arena, "default route by %s removed", wanted->gateway6);
    if (!wanted->gateway6 && nic->gateway6)
        return arena_printf(arena, "default route by %s through %s added", nic->gateway6, nic->ifname);
    return NULL;
}

static const char *nic_inside_trouble(struct arena *arena, const struct observed_guest_nic *nic,
                                      const struct port_attach *wanted)
{
    if (is_misplaced(nic, wanted))
        return arena_printf(arena, "eth%d renamed to %s", (int)wanted->index, nic->ifname);
    if (!text_is_same(nic->mac, wanted->mac))
        return arena_printf(arena, "MAC of %s changed to %s", nic->ifname, nic->mac);
    if (wanted->address && !has_text(&nic->addresses, wanted->address))
        return arena_printf(arena, "address %s removed from %s", wanted->address, nic->ifname);
    if (!nic->up)
        return arena_printf(arena, "%s set down", nic->ifname);
    if (wanted->gateway && !text_is_same(nic->gateway, wanted->gateway))
        return arena_printf(arena, "default route by %s removed", wanted->gateway);
    if (wanted->address && !wanted->gateway && nic->gateway && nic->metric == 0)
        return arena_printf(arena, "default route by %s through %s added", nic->gateway, nic->ifname);
    return nic6_trouble(arena, nic, wanted);
}

/* What is wrong with a NIC, or NULL. */
static const char *nic_trouble(struct arena *arena, const struct world *world,
                               const struct world_guest *guest, const struct port_attach *wanted)
{
    const struct observed_port *port = world_port(world, wanted->ifname);
    const struct observed_guest_nic *nic = nic_of(guest, wanted);
    if (wanted->macvlan) {
        if (!nic)
            return arena_printf(arena, "macvlan eth%d removed", (int)wanted->index);
        if (!is_child_of(world, nic, wanted->bridge))
            return arena_printf(arena, "%s is no macvlan of %s", nic->ifname, wanted->bridge);
        return nic_inside_trouble(arena, nic, wanted);
    }
    if (!port)
        return arena_printf(arena, "veth of eth%d removed", (int)wanted->index);
    if (!text_is_same(port->master, wanted->bridge))
        return arena_printf(arena, "%s taken off bridge %s", port->ifname, wanted->bridge);
    if (!port->up)
        return arena_printf(arena, "%s set down", port->ifname);
    if (!port->hairpin && !wanted->foreign)
        return arena_printf(arena, "hairpin mode of %s turned off", port->ifname);
    if (!nic) /* of one that is about to end nothing can be seen any more */
        return guest->nics && guest->nics->ended
                   ? NULL
                   : arena_printf(arena, "eth%d moved out of the container", (int)wanted->index);
    return nic_inside_trouble(arena, nic, wanted);
}

static void add_mark(const struct target *target, const struct port_attach *port, const char *drift,
                     struct repairs *out)
{
    struct port_mark *mark = described_new(target->arena, &port_mark_table);
    mark->ifname = port->ifname;
    mark->mark = port->mark;
    mark->foreign = port->foreign;
    add(target, out, STEP_PORT_MARK, described_whole(&port_mark_table, mark), "networks", drift);
}

static void add_delete(const struct target *target, const char *ifname, const char *mark, const char *drift,
                       struct repairs *out)
{
    struct link_reference *link = described_new(target->arena, &link_reference_table);
    link->ifname = ifname;
    link->mark = mark;
    add(target, out, STEP_PORT_DELETE, described_whole(&link_reference_table, link), "networks", drift);
}

static void add_macvlan_delete(const struct target *target, const struct observed_container *observed,
                               const char *mac, const char *drift, struct repairs *out)
{
    struct macvlan_reference *nic = described_new(target->arena, &macvlan_reference_table);
    nic->init_pid = observed->init_pid;
    nic->init_start = observed->init_start;
    nic->mac = mac;
    add(target, out, STEP_MACVLAN_DELETE, described_whole(&macvlan_reference_table, nic), "networks", drift);
}

/* NICs that trade places are all taken out before the first is put in: a place is free only then. */
static void find_misplaced_nics(const struct target *target, const struct world *world,
                                const struct observed_container *observed, const struct world_guest *guest,
                                struct port_attach *const *ports, size_t count, struct repairs *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct port_attach *port = ports[i];
        if (!is_misplaced(nic_of(guest, port), port))
            continue;
        if (port->macvlan) {
            add_macvlan_delete(target, observed, port->mac, NULL, out);
            continue;
        }
        const struct observed_port *seen = world_port(world, port->ifname);
        if (!seen)
            continue;
        if (!seen->mark)
            add_mark(target, port, NULL, out);
        add_delete(target, port->ifname, port->mark, NULL, out);
    }
}

static void find_nics(const struct target *target, const struct world *world,
                      const struct observed_container *observed, struct port_attach *const *ports,
                      size_t count, struct repairs *out)
{
    const struct world_guest *guest = world_guest(world, observed);
    find_misplaced_nics(target, world, observed, guest, ports, count, out);
    for (size_t i = 0; i < count; i++) {
        struct port_attach *port = ports[i];
        const char *trouble = nic_trouble(target->arena, world, guest, port);
        const struct observed_port *seen = world_port(world, port->ifname);
        port->init_pid = observed->init_pid;
        port->init_start = observed->init_start;
        const struct observed_guest_nic *nic = nic_of(guest, port);
        if (nic && port->left6 && !has_text(&nic->addresses6, port->left6))
            port->left6 = NULL; /* it went, and its route with it */
        if (trouble) {
            add(target, out, STEP_PORT_ATTACH, port, "networks", trouble);
        } else if (!port->macvlan && !text_is_same(seen->mark, port->mark)) {
            add_mark(target, port, arena_printf(target->arena, "mark of %s removed", port->ifname), out);
        }
    }
}

static bool has_ipv6(const struct target *target, const struct object *object)
{
    const struct list *networks = &((const struct container *)object->body)->networks;
    const struct lease *lease = grants_find(target->grants, KIND_CONTAINER, object->name);
    for (size_t i = 0; lease && i < networks->count; i++) {
        const struct lease_address *address =
            lease_in(lease, item_key(&attachment_table, networks->items[i]));
        if (address && address->address6)
            return true;
    }
    return false;
}

static void add_forwarding(const struct target *target, const struct object *object,
                           const struct observed_container *observed, bool on, const char *drift,
                           struct repairs *out)
{
    struct guest_forwarding *forwarding = described_new(target->arena, &guest_forwarding_table);
    forwarding->init_pid = observed->init_pid;
    forwarding->init_start = observed->init_start;
    forwarding->on = on;
    forwarding->with6 = has_ipv6(target, object);
    add(target, out, STEP_GUEST_FORWARDING, described_whole(&guest_forwarding_table, forwarding), "router",
        drift);
}

static bool attaches_any(const struct repairs *repairs)
{
    for (size_t i = 0; i < repairs->count; i++)
        if (repairs->items[i].step == STEP_PORT_ATTACH)
            return true;
    return false;
}

/* What a guest that is no router does with its own interfaces is its own affair. */
static void find_forwarding(const struct target *target, const struct world *world,
                            const struct object *object, const struct observed_container *observed,
                            struct repairs *out)
{
    const struct world_guest *guest = world_guest(world, observed);
    const struct container *body = object->body;
    const bool with6 = body->router && has_ipv6(target, object);
    /* An interface that comes finds the switch as it is, and nothing tells how that is before there is one. */
    if (body->router && guest->nics && !guest->nics->count && attaches_any(out))
        add_forwarding(target, object, observed, true, NULL, out);
    for (size_t i = 0; body->router && guest->nics && i < guest->nics->count; i++) {
        const struct observed_guest_nic *nic = &guest->nics->nics[i];
        if (nic->forwards && (nic->forwards6 || !with6))
            continue;
        add_forwarding(target, object, observed, true,
                       arena_printf(target->arena, "forwarding of %s%s turned off",
                                    nic->forwards ? "IPv6 by " : "", nic->ifname),
                       out);
        return;
    }
}

/* Host ends that belong to this container by their mark but to none of its networks. */
static void find_left_nics(const struct target *target, const struct world *world,
                           const struct object *object, const char *uid, struct port_attach *const *ports,
                           size_t count, struct repairs *out)
{
    const char *mark = target_mark(target->arena, uid, object->name);
    for (const struct observed_port *seen = world_marked_port(world, mark); seen;
         seen = world_marked_next(world, seen)) {
        bool wanted = false;
        for (size_t i = 0; i < count && !wanted; i++)
            wanted = !ports[i]->macvlan && strcmp(ports[i]->ifname, seen->ifname) == 0;
        if (!wanted)
            add_delete(target, seen->ifname, mark,
                       arena_printf(target->arena, "%s is in no network of its container", seen->ifname),
                       out);
    }
}

/* Macvlans with a MAC address that is leased to this container, but for none of its networks. */
static void find_left_macvlans(const struct target *target, const struct world *world,
                               const struct object *object, const struct observed_container *observed,
                               struct port_attach *const *ports, size_t count, struct repairs *out)
{
    const struct world_guest *guest = world_guest(world, observed);
    const struct lease *lease = grants_find(target->grants, KIND_CONTAINER, object->name);
    for (size_t i = 0; guest->nics && lease && i < guest->nics->count; i++) {
        const struct observed_guest_nic *nic = &guest->nics->nics[i];
        bool leased = false, wanted = false;
        for (size_t j = 0; nic->parent && j < lease->addresses.count; j++)
            leased =
                leased || text_is_same(((struct lease_address *)lease->addresses.items[j])->mac, nic->mac);
        for (size_t j = 0; j < count; j++)
            wanted = wanted || (ports[j]->macvlan && text_is_same(ports[j]->mac, nic->mac));
        if (leased && !wanted)
            add_macvlan_delete(
                target, observed, nic->mac,
                arena_printf(target->arena, "%s is in no network of its container", nic->ifname), out);
    }
}

static void find_network_interfaces(const struct target *target, const struct world *world,
                                    const struct object *object, const struct observed_container *observed,
                                    const char *uid, struct repairs *out)
{
    const struct list *networks = &((const struct container *)object->body)->networks;
    struct port_attach **ports = arena_array_of(target->arena, struct port_attach *, networks->count + 1);
    for (size_t i = 0; i < networks->count; i++)
        ports[i] = target_port(target, object, ((const struct attachment *)networks->items[i])->network, uid);
    find_left_nics(target, world, object, uid, ports, networks->count, out);
    find_left_macvlans(target, world, object, observed, ports, networks->count, out);
    find_nics(target, world, observed, ports, networks->count, out);
}

/* ---- volumes ---- */

static void add_volume(const struct target *target, enum step_kind step,
                       const struct observed_container *observed, const char *path,
                       const struct mount *wanted, const char *drift, struct repairs *out)
{
    struct volume_attach *request = described_new(target->arena, &volume_attach_table);
    request->lxc_name = observed->lxc_name;
    request->init_pid = observed->init_pid;
    request->init_start = observed->init_start;
    request->path = path;
    request->file = wanted ? paths_file_name(target->arena, wanted->volume) : NULL;
    if (wanted) {
        const struct volume *volume = target_volume(target, wanted->volume);
        request->read_only = wanted->read_only;
        request->type = volume->type;
        request->size = volume->size;
        request->fill = volume->fill;
    }
    add(target, out, step, described_whole(&volume_attach_table, request), "volumes", drift);
}

/* Mounts follow a volume to its new name. */
static bool is_of(const struct target *target, const struct mount *wanted,
                  const struct observed_guest_mount *seen)
{
    const struct rename *rename = wanted ? renames_to(target->renames, KIND_VOLUME, wanted->volume) : NULL;
    return wanted && (strcmp(paths_file_name(target->arena, wanted->volume), seen->volume) == 0 ||
                      (rename && strcmp(paths_file_name(target->arena, rename->from), seen->volume) == 0));
}

/* Topmost of those at the path. */
static const struct observed_guest_mount *mount_at(const struct observed_guest_mounts *mounts,
                                                   const char *path)
{
    for (size_t i = mounts->count; i-- > 0;)
        if (strcmp(mounts->items[i].path, path) == 0)
            return &mounts->items[i];
    return NULL;
}

static void find_volumes(const struct target *target, const struct world *world, const struct object *object,
                         const struct observed_container *observed, struct repairs *out)
{
    const struct container *body = object->body;
    const struct observed_guest_mounts *mounts = &world_guest(world, observed)->mounts;
    for (size_t i = 0; i < mounts->count; i++) {
        const char *path = mounts->items[i].path;
        if (is_of(target, list_find(&body->volumes, &mount_table, path), &mounts->items[i]))
            continue;
        add_volume(target, STEP_VOLUME_DETACH, observed, path, NULL,
                   arena_printf(target->arena, "volume at %s is not declared there", path), out);
    }
    for (size_t i = 0; i < mounts->unknown.count; i++) /* where it still does not answer, that fails */
        if (!list_find(&body->volumes, &mount_table, mounts->unknown.items[i]))
            add_volume(target, STEP_VOLUME_DETACH, observed, mounts->unknown.items[i], NULL, NULL, out);
    for (size_t i = 0; i < body->volumes.count; i++) {
        const struct mount *wanted = body->volumes.items[i];
        const struct observed_guest_mount *seen = mount_at(mounts, wanted->path);
        const char *drift = NULL;
        if (texts_have(&mounts->unknown, wanted->path))
            continue;
        if (!seen || !is_of(target, wanted, seen))
            drift = arena_printf(target->arena, "volume at %s unmounted", wanted->path);
        else if (seen->read_only != wanted->read_only && !seen->stuck)
            drift = arena_printf(target->arena, "volume at %s is mounted %s", wanted->path,
                                 seen->read_only ? "read-only" : "writable");
        else
            continue;
        add_volume(target, STEP_VOLUME_ATTACH, observed, wanted->path, wanted, drift, out);
    }
}

void repairs_of_container(const struct target *target, const struct world *world, const struct object *object,
                          const struct observed_container *observed, const char *uid, struct repairs *out)
{
    const struct repairing repairing = {
        .target = target, .world = world, .object = object, .observed = observed, .out = out};
    repairs_find_frozen(&repairing, false);
    repairs_find_limits(&repairing);
    repairs_find_disk(&repairing);
    find_network_interfaces(target, world, object, observed, uid, out);
    find_forwarding(target, world, object, observed, out);
    repairs_find_left_binds(&repairing);
    repairs_find_left_devices(&repairing);
    find_volumes(target, world, object, observed, out);
    repairs_find_binds(&repairing);
    repairs_find_devices(&repairing);
    repairs_find_frozen(&repairing, true);
}

static struct port_attach *attach_of(const struct repairs *repairs, const char *ifname)
{
    for (size_t i = 0; i < repairs->count; i++)
        if (repairs->items[i].step == STEP_PORT_ATTACH &&
            strcmp(((struct port_attach *)repairs->items[i].request)->ifname, ifname) == 0)
            return repairs->items[i].request;
    return NULL;
}

void repairs_empty_nics(const struct target *target, const struct container *before,
                        const struct object *object, const struct observed_container *observed,
                        const char *uid, struct repairs *out)
{
    const struct list *networks = &((const struct container *)object->body)->networks;
    for (size_t i = 0; i < networks->count; i++) {
        const struct attachment *now = networks->items[i];
        const struct attachment *was = list_find(&before->networks, &attachment_table, now->network);
        if (!now->dhcp || !was || was->dhcp)
            continue;
        struct port_attach *port = target_port(target, object, now->network, uid);
        struct port_attach *known = attach_of(out, port->ifname);
        port->init_pid = observed->init_pid;
        port->init_start = observed->init_start;
        if (!known)
            add(target, out, STEP_PORT_ATTACH, port, "networks", NULL);
        (known ? known : port)->emptied = true;
    }
}

void repairs_end_forwarding(const struct target *target, const struct object *object,
                            const struct observed_container *observed, struct repairs *out)
{
    add_forwarding(target, object, observed, false, NULL, out);
}

/* ---- networks ---- */

static const char *bridge_trouble(struct arena *arena, const struct world *world, const struct bridge *wanted)
{
    const struct observed_bridge *seen = world_bridge(world, wanted->ifname);
    if (!seen)
        return arena_printf(arena, "bridge %s removed", wanted->ifname);
    if (!text_is_same(seen->mark, wanted->mark))
        return arena_printf(arena, "mark of bridge %s removed", wanted->ifname);
    if (!text_is_same(seen->address, wanted->address))
        return seen->address
                   ? arena_printf(arena, "address of bridge %s is %s", wanted->ifname, seen->address)
                   : arena_printf(arena, "address %s removed from bridge %s", wanted->address,
                                  wanted->ifname);
    if (!seen->up)
        return arena_printf(arena, "bridge %s set down", wanted->ifname);
    if (!text_is_same(seen->mac, wanted->mac))
        return arena_printf(arena, "MAC of bridge %s changed to %s", wanted->ifname, seen->mac);
    if (!text_is_same(seen->address6, wanted->address6))
        return seen->address6
                   ? arena_printf(arena, "address of bridge %s is %s", wanted->ifname, seen->address6)
                   : arena_printf(arena, "address %s removed from bridge %s", wanted->address6,
                                  wanted->ifname);
    if (wanted->address6 && !seen->forwards6)
        return arena_printf(arena, "forwarding of IPv6 by bridge %s turned off", wanted->ifname);
    if (!world->network.forwards)
        return "net.ipv4.ip_forward turned off";
    if (!seen->forwards)
        return arena_printf(arena, "forwarding of bridge %s turned off", wanted->ifname);
    if (!seen->routes_local)
        return arena_printf(arena, "route_localnet of bridge %s turned off", wanted->ifname);
    return NULL;
}

void repairs_of_network(const struct target *target, const struct world *world, const struct object *object,
                        const char *uid, struct repairs *out)
{
    struct bridge *bridge = target_bridge(target, object->name, uid);
    const struct observed_resolver *resolver = world_resolver(world, bridge->ifname);
    const char *trouble = bridge_trouble(target->arena, world, bridge);
    if (trouble)
        add(target, out, STEP_BRIDGE_CREATE, bridge, "subnet", trouble);
    if (!resolver || !resolver->pid)
        add(target, out, STEP_RESOLVER_SET, target_resolver(target, object->name), "subnet",
            arena_printf(target->arena, "resolver of bridge %s is not running", bridge->ifname));
}

static bool unions_run(const struct list *wanted, const struct texts *seen)
{
    bool all = wanted->count == seen->count;
    for (size_t i = 0; i < wanted->count && all; i++)
        all = texts_have(seen, item_key(&resolver_union_table, wanted->items[i]));
    return all;
}

const char *names_trouble(const struct target *target, const struct world *world, const char *network)
{
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0};
    const struct resolver *wanted = target_resolver(target, network);
    const struct observed_resolver *seen = world_resolver(world, wanted->bridge);
    if (!seen)
        return NULL; /* its lack is the network's own trouble */
    resolver_texts(&wanted->names, &dhcp, &hosts);
    if (!text_is_same(seen->dhcp, dhcp.bytes ? dhcp.bytes : "") ||
        !text_is_same(seen->hosts, hosts.bytes ? hosts.bytes : ""))
        return arena_printf(target->arena, "names of bridge %s changed by another hand", wanted->bridge);
    if (!unions_run(&wanted->unions, &seen->unions))
        return arena_printf(target->arena,
                            "resolver of bridge %s for those on several networks is not running",
                            wanted->bridge);
    return NULL;
}
