/* Bridges, ports, rules and resolvers of the fake world. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "tests/fake/convert.h"
#include "tests/fake/world.h"

/* A link without our mark is never touched. */
static int check_mark(const struct json *link, const char *ifname, const char *mark, struct error *error)
{
    if (link && !text_is_same(text_in(link, "mark"), mark))
        return error_set(error, -EPERM, "interface %s does not carry the mark \"%s\"", ifname, mark);
    return 0;
}

/* ---- bridges ---- */

static int apply_create_bridge(struct fake *fake, const struct bridge *request, struct error *error)
{
    struct json *bridge = fake_find(fake->world, "bridges", request->ifname);
    bool known = bridge && !text_in(bridge, "mark") && text_is_same(text_in(bridge, "mac"), request->mac);
    int result = known ? 0 : check_mark(bridge, request->ifname, request->mark, error);
    if (result < 0)
        return result;
    if (!bridge)
        bridge = json_set(fake_map(fake->world, "bridges"), request->ifname, json_new_object());
    json_set(bridge, "mark", json_new_text(request->mark));
    json_set(bridge, "address", json_new_text(request->address));
    json_set(bridge, "address6", json_new_text(request->address6));
    json_set(bridge, "mac", json_new_text(request->mac));
    json_set(bridge, "up", json_new_bool(true));
    json_set(bridge, "forwards", json_new_bool(true));
    json_set(bridge, "routes_local", json_new_bool(true));
    json_set(fake->world, "forwards", json_new_bool(true));
    return 0;
}

static int create_bridge(const struct paths *paths, const struct bridge *request, const struct call *call,
                         struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BRIDGE_CREATE, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_create_bridge(&fake, request, error), error);
}

static int apply_delete_bridge(struct fake *fake, const struct link_reference *request, struct error *error)
{
    struct json *bridge = fake_find(fake->world, "bridges", request->ifname);
    int result = check_mark(bridge, request->ifname, request->mark, error);
    if (result < 0 || !bridge)
        return result;
    const struct json *ports = fake_map(fake->world, "ports");
    for (void *i = json_first(ports); i; i = json_next(ports, i)) {
        if (!text_is_same(text_in(json_value(i), "master"), request->ifname))
            continue;
        fake_violation(fake, "bridge.delete of %s under port %s", request->ifname, json_key(i));
        json_remove(json_value(i), "master");
    }
    json_remove(fake_map(fake->world, "bridges"), request->ifname);
    return 0;
}

static int delete_bridge(const struct paths *paths, const struct link_reference *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BRIDGE_DELETE, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_delete_bridge(&fake, request, error), error);
}

/* ---- rules ---- */

static bool has_network(const struct json *rules, const char *bridge)
{
    const struct json *networks = json_get(rules, "networks");
    for (size_t i = 0; i < json_length(networks); i++)
        if (text_is_same(text_in(json_at(networks, i), "bridge"), bridge))
            return true;
    return false;
}

/* A bridge that loses its rules while a guest hangs on it is not kept from the others any more. */
static void check_bare(struct fake *fake, const struct json *rules)
{
    const struct json *ports = fake_map(fake->world, "ports");
    for (void *i = json_first(ports); i; i = json_next(ports, i)) {
        const char *bridge = text_in(json_value(i), "master");
        if (bridge && text_in(json_value(i), "mark") && has_network(json_get(fake->world, "rules"), bridge) &&
            !has_network(rules, bridge))
            fake_violation(fake, "rules of %s taken away under port %s", bridge, json_key(i));
    }
}

static void end_flows(struct fake *fake)
{
    if (json_get(fake->world, "flows_left"))
        json_set(fake->world, "flows_left", json_new_bool(false));
}

static int apply_set_rules(struct fake *fake, const struct rules *request)
{
    struct json *rules = json_of(&rules_table, request);
    check_bare(fake, rules);
    json_set(fake->world, "rules", rules);
    end_flows(fake);
    return 0;
}

static int set_rules(const struct paths *paths, const struct rules *request, const struct call *call,
                     struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_RULES_SET, paths->nft_table, error);
    return result < 0 ? result : fake_end(&fake, apply_set_rules(&fake, request), error);
}

static int apply_delete_rules(struct fake *fake)
{
    json_set(fake->world, "rules", json_new_null());
    end_flows(fake);
    return 0;
}

static int delete_rules(const struct paths *paths, const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_RULES_DELETE, paths->nft_table, error);
    return result < 0 ? result : fake_end(&fake, apply_delete_rules(&fake), error);
}

/* ---- resolvers ---- */

static int apply_set_resolver(struct fake *fake, const struct resolver *request, struct error *error)
{
    if (!fake_find(fake->world, "bridges", request->bridge))
        return error_set(error, -ENODEV, "resolver of %s: no bridge %s", request->network, request->bridge);
    int64_t pid = number_in(fake_find(fake->world, "resolvers", request->bridge), "pid");
    struct json *resolver = json_of(&resolver_table, request);
    json_set(resolver, "pid", json_new_number(pid ? pid : fake_pid(fake->world)));
    json_set(fake_map(fake->world, "resolvers"), request->bridge, resolver);
    return 0;
}

static int set_resolver(const struct paths *paths, const struct resolver *request, const struct call *call,
                        struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_RESOLVER_SET, request->bridge, error);
    return result < 0 ? result : fake_end(&fake, apply_set_resolver(&fake, request, error), error);
}

static int apply_delete_resolver(struct fake *fake, const char *bridge)
{
    json_remove(fake_map(fake->world, "resolvers"), bridge);
    return 0;
}

static int delete_resolver(const struct paths *paths, const struct link_reference *request,
                           const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_RESOLVER_DELETE, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_delete_resolver(&fake, request->ifname), error);
}

/* ---- ports ---- */

static int apply_mark(struct fake *fake, const struct port_mark *request, struct error *error)
{
    struct json *port = fake_find(fake->world, "ports", request->ifname);
    if (!port)
        return error_set(error, -ENODEV, "no interface %s", request->ifname);
    /* Ours come without a mark from liblxc. */
    int result = text_in(port, "mark") ? check_mark(port, request->ifname, request->mark, error) : 0;
    if (result == 0) {
        json_set(port, "mark", json_new_text(request->mark));
        json_set(port, "hairpin", json_new_bool(!request->foreign));
    }
    return result;
}

static int mark_port(const struct paths *paths, const struct port_mark *request, const struct call *call,
                     struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_PORT_MARK, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_mark(&fake, request, error), error);
}

/* The guest's interface at the other end, or NULL. */
static const char *inside_of(const struct json *nics, const char *port)
{
    for (void *i = json_first(nics); i; i = json_next(nics, i))
        if (text_is_same(text_in(json_value(i), "peer"), port))
            return json_key(i);
    return NULL;
}

static const char *macvlan_of(const struct json *nics, const char *mac)
{
    for (void *i = json_first(nics); i; i = json_next(nics, i))
        if (text_in(json_value(i), "parent") && text_is_same(text_in(json_value(i), "mac"), mac))
            return json_key(i);
    return NULL;
}

/* Where a network says nothing of IPv6 the guest keeps what it has, save what was ours. */
static void set_inside6(struct json *inside, const char *had, const struct port_attach *request)
{
    const char *kept = request->spares6 && !text_is_same(had, request->left6) ? had : NULL;
    json_set(inside, "address6", json_new_text(kept ? kept : request->address6));
    json_set(inside, "gateway6", json_new_text(request->gateway6));
}

static int attach_macvlan(const struct json *container, const struct port_attach *request,
                          struct error *error)
{
    struct json *nics = json_get(container, "guest_nics");
    char ifname[32];
    snprintf(ifname, sizeof(ifname), "eth%lld", (long long)request->index);
    const char *old = macvlan_of(nics, request->mac);
    const struct json *known = old ? json_get(nics, old) : NULL;
    struct json *address = json_new_text(request->address             ? request->address
                                         : known && !request->emptied ? text_in(known, "address")
                                                                      : NULL);
    char had[64];
    snprintf(had, sizeof(had), "%s", known && text_in(known, "address6") ? text_in(known, "address6") : "");
    if (old)
        json_remove(nics, old);
    if (json_get(nics, ifname)) {
        json_free(address);
        return error_set(error, -EEXIST, "%s is there already", ifname);
    }
    struct json *inside = json_set(nics, ifname, json_new_object());
    json_set(inside, "parent", json_new_text(request->bridge));
    json_set(inside, "mac", json_new_text(request->mac));
    json_set(inside, "address", address);
    json_set(inside, "gateway", json_new_text(request->gateway));
    set_inside6(inside, *had ? had : NULL, request);
    json_set(inside, "up", json_new_bool(true));
    json_set(inside, "forwards", json_new_bool(json_as_bool(json_get(container, "forwarding"))));
    return 0;
}

static int apply_delete_macvlan(struct fake *fake, const struct macvlan_reference *request)
{
    const struct json *container = fake_by_init(fake->world, request->init_pid);
    struct json *nics = container ? json_get(container, "guest_nics") : NULL;
    const char *inside = nics ? macvlan_of(nics, request->mac) : NULL;
    if (inside)
        json_remove(nics, inside);
    return 0;
}

static int delete_macvlan(const struct paths *paths, const struct macvlan_reference *request,
                          const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_MACVLAN_DELETE, request->mac, error);
    return result < 0 ? result : fake_end(&fake, apply_delete_macvlan(&fake, request), error);
}

/* The other end of the interface with that MAC address is called as ours from now on. */
static void rename_taken(struct fake *fake, const struct json *nics, const struct port_attach *request)
{
    for (void *i = json_first(nics); i; i = json_next(nics, i)) {
        struct json *inside = json_value(i);
        const char *peer = text_in(inside, "peer");
        const struct json *old = peer ? fake_find(fake->world, "ports", peer) : NULL;
        if (!old || !text_is_same(text_in(inside, "mac"), request->mac) ||
            text_is_same(peer, request->ifname))
            continue;
        json_set(fake_map(fake->world, "ports"), request->ifname, json_new_object());
        json_remove(fake_map(fake->world, "ports"), peer);
        json_set(inside, "peer", json_new_text(request->ifname));
        return;
    }
}

static int apply_attach(struct fake *fake, const struct port_attach *request, struct error *error)
{
    const struct json *container = fake_by_init(fake->world, request->init_pid);
    if (!container || number_in(container, "init_start") != request->init_start)
        return error_set(error, -ESRCH, "init %lld is gone", (long long)request->init_pid);
    if (!fake_find(fake->world, request->foreign ? "foreign" : "bridges", request->bridge))
        return error_set(error, -ENODEV, "no bridge %s", request->bridge);
    if (request->macvlan)
        return attach_macvlan(container, request, error);
    struct json *nics = json_get(container, "guest_nics");
    if (request->taken)
        rename_taken(fake, nics, request);
    struct json *port = fake_find(fake->world, "ports", request->ifname);
    int result = port && text_in(port, "mark") ? check_mark(port, request->ifname, request->mark, error) : 0;
    if (result < 0)
        return result;
    char ifname[32];
    snprintf(ifname, sizeof(ifname), "eth%lld", (long long)request->index);
    const char *old = inside_of(nics, request->ifname);
    if (old && strcmp(old, ifname) != 0)
        json_remove(nics, old);
    const struct json *taken = json_get(nics, ifname);
    if (taken && !text_is_same(text_in(taken, "peer"), request->ifname))
        return error_set(error, -EEXIST, "%s inside is the other end of %s", ifname, text_in(taken, "peer"));
    port = json_set(fake_map(fake->world, "ports"), request->ifname, json_new_object());
    json_set(port, "mark", json_new_text(request->mark));
    json_set(port, "master", json_new_text(request->bridge));
    json_set(port, "up", json_new_bool(true));
    json_set(port, "hairpin", json_new_bool(!request->foreign));
    /* Who asks the LAN keeps what it was told, unless that was ours. */
    const char *told = taken && !request->emptied ? text_in(taken, "address") : NULL;
    struct json *address = json_new_text(request->address ? request->address : told);
    char had[64];
    snprintf(had, sizeof(had), "%s", taken && text_in(taken, "address6") ? text_in(taken, "address6") : "");
    struct json *inside = json_set(nics, ifname, json_new_object());
    json_set(inside, "peer", json_new_text(request->ifname));
    json_set(inside, "mac", json_new_text(request->mac));
    json_set(inside, "address", address);
    json_set(inside, "gateway", json_new_text(request->gateway));
    set_inside6(inside, *had ? had : NULL, request);
    json_set(inside, "up", json_new_bool(true));
    json_set(inside, "forwards", json_new_bool(json_as_bool(json_get(container, "forwarding"))));
    return 0;
}

static int attach_port(const struct paths *paths, const struct port_attach *request, const struct call *call,
                       struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_PORT_ATTACH, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_attach(&fake, request, error), error);
}

static int apply_forwarding(struct fake *fake, const struct guest_forwarding *request, struct error *error)
{
    struct json *container = fake_by_init(fake->world, request->init_pid);
    if (!container || number_in(container, "init_start") != request->init_start)
        return error_set(error, -ESRCH, "init %lld is gone", (long long)request->init_pid);
    json_set(container, "forwarding", json_new_bool(request->on)); /* of interfaces to come */
    const struct json *nics = json_get(container, "guest_nics");
    for (void *i = json_first(nics); i; i = json_next(nics, i))
        json_set(json_value(i), "forwards", json_new_bool(request->on));
    return 0;
}

static int set_forwarding(const struct paths *paths, const struct guest_forwarding *request,
                          const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_GUEST_FORWARDING, request->on ? "on" : "off", error);
    return result < 0 ? result : fake_end(&fake, apply_forwarding(&fake, request, error), error);
}

static int apply_delete_port(struct fake *fake, const struct link_reference *request, struct error *error)
{
    struct json *port = fake_find(fake->world, "ports", request->ifname);
    int result = check_mark(port, request->ifname, request->mark, error);
    if (result < 0 || !port)
        return result;
    json_remove(fake_map(fake->world, "ports"), request->ifname);
    const struct json *containers = fake_map(fake->world, "containers");
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        struct json *nics = json_get(json_value(i), "guest_nics");
        const char *inside = inside_of(nics, request->ifname);
        if (inside)
            json_remove(nics, inside);
    }
    return 0;
}

static int apply_unmark(struct fake *fake, const struct link_reference *request)
{
    struct json *port = fake_find(fake->world, "ports", request->ifname);
    struct json *link = port ? port : fake_find(fake->world, "bridges", request->ifname);
    if (link && text_is_same(text_in(link, "mark"), request->mark))
        json_remove(link, "mark");
    return 0;
}

static int unmark_link(const struct paths *paths, const struct link_reference *request,
                       const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LINK_UNMARK, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_unmark(&fake, request), error);
}

static int delete_port(const struct paths *paths, const struct link_reference *request,
                       const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_PORT_DELETE, request->ifname, error);
    return result < 0 ? result : fake_end(&fake, apply_delete_port(&fake, request, error), error);
}

const struct network_effects network_effects = {
    .create_bridge = create_bridge,
    .delete_bridge = delete_bridge,
    .set_rules = set_rules,
    .delete_rules = delete_rules,
    .set_resolver = set_resolver,
    .delete_resolver = delete_resolver,
    .mark_port = mark_port,
    .unmark_link = unmark_link,
    .attach_port = attach_port,
    .delete_macvlan = delete_macvlan,
    .set_forwarding = set_forwarding,
    .delete_port = delete_port,
};
