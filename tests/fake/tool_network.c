/* fake-tool: the other hand on interfaces, networks, rules and what the host has of these. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/units.h"
#include "tests/fake/tool.h"
#include "tests/fake/world.h"

static int find_bridge(const struct json *world, const char *network, const char **ifname,
                       struct error *error)
{
    const struct json *bridges = fake_map(world, "bridges");
    for (void *i = json_first(bridges); i; i = json_next(bridges, i)) {
        const char *mark = text_in(json_value(i), "mark"), *marked = mark ? strrchr(mark, ' ') : NULL;
        if (strcmp(json_key(i), network) != 0 && !(marked && strcmp(marked + 1, network) == 0))
            continue;
        *ifname = json_key(i);
        return 0;
    }
    return error_set(error, -ENOENT, "no bridge of network %s", network);
}

/* Both ends of CONTAINER's ethN. */
static int find_nic(const struct json *world, char **arguments, struct json **nic, struct json **port,
                    struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    *nic = json_get(json_get(container, "guest_nics"), arguments[1]);
    if (!*nic)
        return error_set(error, -ENOENT, "container %s has no %s", arguments[0], arguments[1]);
    *port = fake_find(world, "ports", text_in(*nic, "peer"));
    return *port ? 0 : error_set(error, -ENOENT, "%s of %s has no host end", arguments[1], arguments[0]);
}

enum end { INSIDE, OUTSIDE };
/* Sets `key` of one end of CONTAINER's ethN; NULL: it goes. */
static int change_nic(struct json *world, char **arguments, enum end end, const char *key, struct json *value,
                      struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result < 0)
        json_free(value);
    else if (value)
        json_set(end == INSIDE ? nic : port, key, value);
    else
        json_remove(end == INSIDE ? nic : port, key);
    return result;
}

static int run_drop_port(struct json *world, char **arguments, struct error *error)
{
    struct json *container, *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result < 0)
        return result;
    json_remove(fake_map(world, "ports"), text_in(nic, "peer"));
    tool_find_running(world, arguments[0], &container, error);
    json_remove(json_get(container, "guest_nics"), arguments[1]);
    return 0;
}

static int run_detach_port(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, OUTSIDE, "master", NULL, error);
}

static int run_port_down(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, OUTSIDE, "up", json_new_bool(false), error);
}

static int run_unmark_port(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, OUTSIDE, "mark", NULL, error);
}

static int run_hairpin_off(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, OUTSIDE, "hairpin", json_new_bool(false), error);
}

static int run_nic_down(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, INSIDE, "up", json_new_bool(false), error);
}

static int run_drop_address(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, INSIDE, "address", NULL, error);
}

static int run_drop_gateway(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, INSIDE, "gateway", NULL, error);
}

static int run_set_mac(struct json *world, char **arguments, struct error *error)
{
    return change_nic(world, arguments, INSIDE, "mac", json_new_text(arguments[2]), error);
}

static int run_drop_bridge(struct json *world, char **arguments, struct error *error)
{
    const char *ifname;
    int result = find_bridge(world, arguments[0], &ifname, error);
    if (result < 0)
        return result;
    const struct json *ports = fake_map(world, "ports");
    for (void *i = json_first(ports); i; i = json_next(ports, i)) {
        const char *master = text_in(json_value(i), "master");
        if (master && strcmp(master, ifname) == 0)
            json_remove(json_value(i), "master");
    }
    json_remove(fake_map(world, "bridges"), ifname);
    return 0;
}

static int change_bridge(struct json *world, const char *network, const char *key, struct json *value,
                         struct error *error)
{
    const char *ifname;
    int result = find_bridge(world, network, &ifname, error);
    if (result < 0) {
        json_free(value);
        return result;
    }
    if (value)
        json_set(fake_find(world, "bridges", ifname), key, value);
    else
        json_remove(fake_find(world, "bridges", ifname), key);
    return 0;
}

static int run_drop_bridge_address(struct json *world, char **arguments, struct error *error)
{
    return change_bridge(world, arguments[0], "address", NULL, error);
}

static int run_unmark_bridge(struct json *world, char **arguments, struct error *error)
{
    return change_bridge(world, arguments[0], "mark", NULL, error);
}

static int run_bridge_down(struct json *world, char **arguments, struct error *error)
{
    return change_bridge(world, arguments[0], "up", json_new_bool(false), error);
}

static int run_bridge_mac(struct json *world, char **arguments, struct error *error)
{
    return change_bridge(world, arguments[0], "mac", json_new_text(arguments[1]), error);
}

static int run_bridge_setting_off(struct json *world, char **arguments, struct error *error)
{
    return change_bridge(world, arguments[0], arguments[1], json_new_bool(false), error);
}

/* The host's switch works on every interface. */
static int run_forwarding_off(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    const struct json *bridges = fake_map(world, "bridges");
    for (void *i = json_first(bridges); i; i = json_next(bridges, i))
        json_set(json_value(i), "forwards", json_new_bool(false));
    json_set(world, "forwards", json_new_bool(false));
    return 0;
}

static int run_leave_flows(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    json_set(world, "flows_left", json_new_bool(true));
    return 0;
}

static int run_foreign_bridge(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *bridge = json_set(fake_map(world, "bridges"), arguments[0], json_new_object());
    json_set(bridge, "up", json_new_bool(true));
    json_set(bridge, "address", json_new_text(arguments[1]));
    return 0;
}

static int change_resolver(struct json *world, const char *network, const char *key, struct json *value,
                           struct error *error)
{
    const char *ifname;
    int result = find_bridge(world, network, &ifname, error);
    struct json *resolver = result < 0 ? NULL : fake_find(world, "resolvers", ifname);
    if (resolver) {
        json_set(resolver, key, value);
        return 0;
    }
    json_free(value);
    return result < 0 ? result : error_set(error, -ENOENT, "network %s has no resolver", network);
}

static int run_kill_resolver(struct json *world, char **arguments, struct error *error)
{
    return change_resolver(world, arguments[0], "pid", json_new_number(0), error);
}

static int run_spoil_names(struct json *world, char **arguments, struct error *error)
{
    return change_resolver(world, arguments[0], "spoiled", json_new_bool(true), error);
}

static int run_flush_rules(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    json_set(world, "rules", json_new_null());
    return 0;
}

/* A bridge of the host's own, or none any more. */
static int run_host_bridge(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    if (strcmp(arguments[1], "add") == 0)
        json_set(fake_map(world, "foreign"), arguments[0], json_new_object());
    else
        json_remove(fake_map(world, "foreign"), arguments[0]);
    return 0;
}

/* Drops one element of LIST (networks, guards, forwards) by its key. */
static int run_drop_rule(struct json *world, char **arguments, struct error *error)
{
    static const char *const keys[] = {"bridge", "port", "listen"};
    struct json *rules = json_get(world, "rules"), *kept = json_new_array();
    const struct json *items = json_get(rules, arguments[0]);
    for (size_t i = 0; i < json_length(items); i++) {
        bool hit = false;
        for (size_t j = 0; j < 3 && !hit; j++) {
            const char *key = text_in(json_at(items, i), keys[j]);
            hit = key && strcmp(key, arguments[1]) == 0;
        }
        if (!hit)
            json_append(kept, tool_copy_of(json_at(items, i)));
    }
    if (json_length(kept) == json_length(items)) {
        json_free(kept);
        return error_set(error, -ENOENT, "no %s in %s of the rules", arguments[1], arguments[0]);
    }
    json_set(rules, arguments[0], kept);
    return 0;
}

static int run_have_ids(struct json *world, char **arguments, struct error *error)
{
    int64_t first, count;
    if (number_parse(arguments[0], &first) < 0 || number_parse(arguments[1], &count) < 0)
        return error_set(error, -EINVAL, "no range of ids: %s %s", arguments[0], arguments[1]);
    struct json *range = json_append(json_get(world, "ids"), json_new_object());
    json_set(range, "first", json_new_number(first));
    json_set(range, "last", json_new_number(first + count - 1));
    return 0;
}

static int run_listen(struct json *world, char **arguments, struct error *error)
{
    int64_t port;
    if (number_parse(arguments[2], &port) < 0)
        return error_set(error, -EINVAL, "%s is no port", arguments[2]);
    struct json *listener = json_append(json_get(world, "listeners"), json_new_object());
    json_set(listener, "protocol", json_new_text(arguments[0]));
    json_set(listener, "address", json_new_text(strcmp(arguments[1], "-") == 0 ? NULL : arguments[1]));
    json_set(listener, "port", json_new_number(port));
    json_set(listener, "process", json_new_text(arguments[3]));
    return 0;
}

static int run_claim(struct json *world, char **arguments, struct error *error)
{
    int64_t port;
    if (number_parse(arguments[1], &port) < 0)
        return error_set(error, -EINVAL, "%s is no port", arguments[1]);
    struct json *claim = json_append(json_get(world, "claims"), json_new_object());
    json_set(claim, "protocol", json_new_text(arguments[0]));
    json_set(claim, "port", json_new_number(port));
    json_set(claim, "rule", json_new_text(arguments[2]));
    return 0;
}

static int run_route(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *route = json_append(json_get(world, "routes"), json_new_object());
    json_set(route, "subnet", json_new_text(arguments[0]));
    json_set(route, "ifname", json_new_text(arguments[1]));
    return 0;
}

static int run_have_address(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *addresses = json_get(world, "addresses");
    if (!addresses)
        addresses = json_set(world, "addresses", json_new_array());
    json_append(addresses, json_new_text(arguments[0]));
    return 0;
}

static int run_clear_host(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    json_set(world, "listeners", json_new_array());
    json_set(world, "claims", json_new_array());
    json_set(world, "routes", json_new_array());
    return 0;
}

const struct tool_command tool_network[] = {
    {"drop-port", "CONTAINER ethN", 2, run_drop_port},
    {"detach-port", "CONTAINER ethN", 2, run_detach_port},
    {"port-down", "CONTAINER ethN", 2, run_port_down},
    {"unmark-port", "CONTAINER ethN", 2, run_unmark_port},
    {"hairpin-off", "CONTAINER ethN", 2, run_hairpin_off},
    {"nic-down", "CONTAINER ethN", 2, run_nic_down},
    {"drop-address", "CONTAINER ethN", 2, run_drop_address},
    {"drop-gateway", "CONTAINER ethN", 2, run_drop_gateway},
    {"set-mac", "CONTAINER ethN MAC", 3, run_set_mac},
    {"drop-bridge", "NETWORK", 1, run_drop_bridge},
    {"drop-bridge-address", "NETWORK", 1, run_drop_bridge_address},
    {"unmark-bridge", "NETWORK", 1, run_unmark_bridge},
    {"bridge-down", "NETWORK", 1, run_bridge_down},
    {"bridge-mac", "NETWORK MAC", 2, run_bridge_mac},
    {"bridge-setting-off", "NETWORK forwards|routes_local", 2, run_bridge_setting_off},
    {"forwarding-off", "", 0, run_forwarding_off},
    {"leave-flows", "", 0, run_leave_flows},
    {"spoil-names", "NETWORK", 1, run_spoil_names},
    {"foreign-bridge", "IFNAME ADDRESS/PREFIX", 2, run_foreign_bridge},
    {"kill-resolver", "NETWORK", 1, run_kill_resolver},
    {"flush-rules", "", 0, run_flush_rules},
    {"drop-rule", "networks|guards|forwards KEY", 2, run_drop_rule},
    {"claim", "tcp|udp PORT RULE", 3, run_claim},
    {"have-ids", "FIRST COUNT", 2, run_have_ids},
    {"listen", "tcp|udp ADDRESS|- PORT PROCESS", 4, run_listen},
    {"host-bridge", "IFNAME add|remove", 2, run_host_bridge},
    {"route", "SUBNET IFNAME", 2, run_route},
    {"have-address", "ADDRESS", 1, run_have_address},
    {"clear-host", "", 0, run_clear_host},
    {0},
};
