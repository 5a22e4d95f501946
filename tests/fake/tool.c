/* fake-tool ROOT COMMAND ...: the other hand in the fake world, for drift, and a look at it.
 *
 * CONTAINER is an LXC name, with or without the root's tag; NETWORK a full name, found by the bridge's mark, or an
 * interface name. Exit: 0, 1 when something is not there, 2 for a wrong call. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/error.h"
#include "lib/units.h"
#include "tests/fake/world.h"

struct command {
    const char *name;
    const char *arguments; /* for the usage text */
    int count;             /* of arguments, all needed */
    int (*run)(struct json *world, char **arguments, struct error *error);
};

static const char *tool_root; /* as given: the call log lies below it */

/* ---- finding ---- */

static int find_container(const struct json *world, const char *name, struct json **container,
                          struct error *error)
{
    const struct json *containers = fake_map(world, "containers");
    size_t length = strlen(name);
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        const char *known = json_key(i);
        bool tagged = strncmp(known, name, length) == 0 && known[length] == '.';
        if (strcmp(known, name) != 0 && !tagged)
            continue;
        *container = json_value(i);
        return 0;
    }
    return error_set(error, -ENOENT, "no container %s", name);
}

static int find_running(const struct json *world, const char *name, struct json **container,
                        struct error *error)
{
    int result = find_container(world, name, container, error);
    if (result == 0 && !json_as_bool(json_get(*container, "running")))
        return error_set(error, -ESRCH, "container %s is not running", name);
    return result;
}

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
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    *nic = json_get(json_get(container, "guest_nics"), arguments[1]);
    if (!*nic)
        return error_set(error, -ENOENT, "container %s has no %s", arguments[0], arguments[1]);
    *port = fake_find(world, "ports", text_in(*nic, "peer"));
    return *port ? 0 : error_set(error, -ENOENT, "%s of %s has no host end", arguments[1], arguments[0]);
}

static int drop(struct json *world, const char *map, const char *name, struct error *error)
{
    if (!fake_find(world, map, name))
        return error_set(error, -ENOENT, "no %s in %s", name, map);
    json_remove(fake_map(world, map), name);
    return 0;
}

/* ---- looking ---- */

static int run_print(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    _cleanup_buffer_ struct buffer text = {0};
    json_print(world, true, &text);
    puts(text.bytes);
    return 0;
}

static int run_calls(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    printf("%lld\n", (long long)number_in(world, "calls"));
    return 0;
}

static int run_mutations(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    printf("%lld\n", (long long)number_in(world, "mutations"));
    return 0;
}

static int run_violations(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    const struct json *violations = json_get(world, "violations");
    for (size_t i = 0; i < json_length(violations); i++)
        puts(json_as_text(json_at(violations, i)));
    return 0;
}

static struct json *copy_of(const struct json *value)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct json *copy = NULL;
    json_print(value, false, &text);
    if (json_parse(text.bytes, text.length, &copy, NULL) < 0)
        abort();
    return copy;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A copy with all keys in order: the order in which things were made is no part of what they are. */
static struct json *sorted(const struct json *value)
{
    if (!json_holds_object(value))
        return copy_of(value);
    size_t count = 0;
    _cleanup_free_ const char **keys = calloc(json_length(value) + 1, sizeof(*keys));
    if (!keys)
        abort();
    for (void *i = json_first(value); i; i = json_next(value, i))
        keys[count++] = json_key(i);
    qsort(keys, count, sizeof(*keys), by_text);
    struct json *copy = json_new_object();
    for (size_t i = 0; i < count; i++)
        json_set(copy, keys[i], sorted(json_get(value, keys[i])));
    return copy;
}

/* MAC addresses are drawn by lot: each is replaced by the number of its first appearance, so that what was alike
 * stays alike. */
static void number_macs(struct json *value, struct json *seen)
{
    for (size_t i = 0; json_holds_array(value) && i < json_length(value); i++)
        number_macs(json_at(value, i), seen);
    for (void *i = json_holds_object(value) ? json_first(value) : NULL; i; i = json_next(value, i)) {
        const char *mac = strcmp(json_key(i), "mac") == 0 ? json_as_text(json_value(i)) : NULL;
        if (!mac) {
            number_macs(json_value(i), seen);
            continue;
        }
        if (!json_get(seen, mac))
            json_set(seen, mac, json_new_number((int64_t)json_length(seen) + 1));
        json_set(value, "mac", json_new_number(number_in(seen, mac)));
    }
}

/* Their numbers tell only in which order things were frozen. */
static void count_frozen(struct json *holder)
{
    const struct json *frozen = json_get(holder, "frozen");
    if (frozen)
        json_set(holder, "frozen", json_new_number((int64_t)json_length(frozen)));
}

/* Those with a time in their name are of commands that replaced something: asked again after a fault, they may have had
 * nothing to keep. */
static void leave_out_timed(struct json *data)
{
    const struct json *snapshots = json_get(data, "snapshots");
    struct json *names = json_new_object();
    for (void *i = json_first(snapshots); i; i = json_next(snapshots, i)) {
        const char *digits = strpbrk(json_key(i), "0123456789");
        if (!digits || strspn(digits, "0123456789-") < strlen("20260102-030405"))
            json_set(names, json_key(i), json_new_bool(json_as_bool(json_get(json_value(i), "kept"))));
    }
    json_set(data, "snapshots", names);
}

/* What would be compared after two ways to the same end: everything but numbers that count time. */
static int run_state(struct json *world, char **arguments, struct error *error)
{
    static const char *const counting[] = {"calls", "mutations", "clock", "next_pid"};
    static const char *const of_container[] = {"monitor_pid", "init_pid", "init_start", "config_digest",
                                               "stopped_by"};
    for (size_t i = 0; i < sizeof(counting) / sizeof(counting[0]); i++)
        json_remove(world, counting[i]);
    const struct json *containers = fake_map(world, "containers"), *resolvers = fake_map(world, "resolvers");
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        for (size_t j = 0; j < sizeof(of_container) / sizeof(of_container[0]); j++)
            json_remove(json_value(i), of_container[j]);
        json_remove(json_get(json_value(i), "definition"), "uid");
        json_remove(json_get(json_value(i), "definition"), "generation");
    }
    for (void *i = json_first(resolvers); i; i = json_next(resolvers, i))
        json_set(json_value(i), "pid", json_new_bool(number_in(json_value(i), "pid") > 0));
    static const char *const data[] = {"layers", "volumes"};
    for (size_t i = 0; i < 2; i++)
        for (void *j = json_first(fake_map(world, data[i])); j; j = json_next(fake_map(world, data[i]), j)) {
            json_remove(json_value(j), "modified");
            json_remove(json_value(j), "token");
            json_remove(json_value(j), "dirty");
            count_frozen(json_value(j));
            leave_out_timed(json_value(j));
        }
    static const char *const marked[] = {"bridges", "ports"};
    for (size_t i = 0; i < 2; i++)
        for (void *j = json_first(fake_map(world, marked[i])); j;
             j = json_next(fake_map(world, marked[i]), j)) {
            const char *mark = text_in(json_value(j), "mark"), *name = mark ? strrchr(mark, ' ') : NULL;
            _cleanup_free_ char *copy = name ? strdup(name + 1) : NULL; /* without the uid */
            json_set(json_value(j), "mark", json_new_text(copy));
        }
    _cleanup_json_ struct json *ordered = sorted(world), *seen = json_new_object();
    number_macs(ordered, seen);
    return run_print(ordered, arguments, error);
}

static int run_reset(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    json_set(world, "calls", json_new_number(0));
    json_set(world, "mutations", json_new_number(0));
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake/calls", tool_root);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "cannot remove %s", path);
    return 0;
}

/* ---- containers ---- */

static int run_kill(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        fake_end_container(world, container);
    return result;
}

static int run_exit(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t status;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        result = number_parse(arguments[1], &status);
    if (result < 0)
        return error->code ? result : error_set(error, result, "%s is no status", arguments[1]);
    fake_end_container(world, container);
    json_set(container, "exit_status", json_new_number(status));
    return 0;
}

/* A running one got a new init: stopped and started by hand. */
/* Init has ended, and its monitor is not done cleaning up. */
static int run_kill_init(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    int64_t monitor = number_in(container, "monitor_pid");
    fake_end_container(world, container);
    json_set(container, "running", json_new_bool(true));
    json_set(container, "monitor_pid", json_new_number(monitor));
    return 0;
}

static int run_replace_init(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_set(container, "init_pid", json_new_number(fake_pid(world)));
    json_set(container, "init_start", json_new_number(1000 + fake_tick(world)));
    return 0;
}

static int run_leave_cgroups(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_container(world, arguments[0], &container, error);
    if (result == 0)
        json_set(container, "leftover_cgroups", json_new_bool(true));
    return result;
}

static int run_edit_config(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_container(world, arguments[0], &container, error);
    if (result == 0)
        json_set(container, "edit", json_new_text("lxc.tty.max = 9"));
    return result;
}

/* What it does the next time that somebody waits for its end. */
static int run_ends_with(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t status;
    int result = find_container(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_set(container, "lasts", json_new_bool(strcmp(arguments[1], "-") == 0));
    if (number_parse(arguments[1], &status) == 0)
        json_set(container, "ends_with", json_new_number(status));
    return 0;
}

static int run_undefine(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_container(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_set(container, "defined", json_new_bool(false));
    json_set(container, "ours", json_new_bool(false));
    return 0;
}

static int run_set_limit(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t value;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    if (number_parse(arguments[2], &value) < 0 || !json_get(json_get(container, "cgroup"), arguments[1]))
        return error_set(error, -EINVAL, "no limit %s of %s", arguments[1], arguments[2]);
    json_set(json_get(container, "cgroup"), arguments[1], json_new_number(value));
    return 0;
}

static int run_freeze(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_set(container, "frozen", json_new_bool(true));
    return result;
}

static int run_thaw(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_remove(container, "frozen");
    return result;
}

static int run_set_use(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t value;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    if (number_parse(arguments[2], &value) < 0)
        return error_set(error, -EINVAL, "no number: %s", arguments[2]);
    json_set(container, arguments[1], json_new_number(value));
    return 0;
}

static int run_foreign_container(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *container = json_set(fake_map(world, "containers"), arguments[0], json_new_object());
    json_set(container, "defined", json_new_bool(true));
    json_set(container, "ours", json_new_bool(false));
    json_set(container, "running", json_new_bool(false));
    return 0;
}

/* One that LXC has and that runs: unprivileged, on a root of its own, with 64 MiB of memory. */
static int run_lxc_container(struct json *world, char **arguments, struct error *error)
{
    run_foreign_container(world, arguments, error);
    struct json *container = fake_find(world, "containers", arguments[0]);
    struct json *definition = json_set(container, "definition", json_new_object());
    struct json *limits = json_set(definition, "limits", json_new_object());
    struct json *cgroup = json_set(container, "cgroup", json_new_object());
    json_set(definition, "lxc_name", json_new_text(arguments[0]));
    json_set(definition, "root", json_new_text("/srv/rootfs"));
    json_set(definition, "id_base", json_new_number(100000));
    json_set(definition, "adopted", json_new_bool(true));
    json_set(limits, "memory", json_new_number((int64_t)64 << 20));
    json_set(limits, "pids", json_new_number(0));
    json_set(cgroup, "memory", json_new_number((int64_t)64 << 20));
    json_set(cgroup, "pids", json_new_number(0));
    json_set(container, "guest_nics", json_new_object());
    json_set(container, "guest_mounts", json_new_object());
    json_set(container, "guest_binds", json_new_object());
    json_set(container, "monitor_pid", json_new_number(fake_pid(world)));
    json_set(container, "init_pid", json_new_number(fake_pid(world)));
    json_set(container, "init_start", json_new_number(1000 + fake_tick(world)));
    json_set(container, "running", json_new_bool(true));
    return 0;
}

/* Of such a one: an interface by a veth of LXC's own naming, with an address or "dhcp". */
static int run_lxc_nic(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    struct json *definition = json_get(container, "definition"), *guest = json_get(container, "guest_nics");
    struct json *nics = json_get(definition, "nics");
    if (!nics)
        nics = json_set(definition, "nics", json_new_array());
    const size_t index = json_length(nics);
    char ifname[32], pair[32];
    snprintf(ifname, sizeof(ifname), "eth%zu", index);
    snprintf(pair, sizeof(pair), "veth%s%zu", arguments[0], index);
    const char *address = strcmp(arguments[3], "dhcp") == 0 ? NULL : arguments[3];
    struct json *nic = json_append(nics, json_new_object());
    json_set(nic, "index", json_new_number((int64_t)index));
    json_set(nic, "bridge", json_new_text(arguments[1]));
    json_set(nic, "address", json_new_text(address));
    struct json *inside = json_set(guest, ifname, json_new_object());
    json_set(inside, "peer", json_new_text(pair));
    json_set(inside, "mac", json_new_text(arguments[2]));
    json_set(inside, "address", json_new_text(address));
    json_set(inside, "up", json_new_bool(true));
    struct json *port = json_set(fake_map(world, "ports"), pair, json_new_object());
    json_set(port, "master", json_new_text(arguments[1]));
    json_set(port, "up", json_new_bool(true));
    return 0;
}

/* Of such a one: what LXC mounted into it. */
static int run_lxc_bind(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    struct json *definition = json_get(container, "definition"), *binds = json_get(definition, "binds");
    if (!binds)
        binds = json_set(definition, "binds", json_new_array());
    struct json *bind = json_append(binds, json_new_object());
    json_set(bind, "source", json_new_text(arguments[1]));
    json_set(bind, "path", json_new_text(arguments[2]));
    struct json *inside = json_set(json_get(container, "guest_binds"), arguments[2], json_new_object());
    json_set(inside, "source", json_new_text(arguments[1]));
    return 0;
}

/* ---- interfaces ---- */

static int run_drop_port(struct json *world, char **arguments, struct error *error)
{
    struct json *container, *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result < 0)
        return result;
    json_remove(fake_map(world, "ports"), text_in(nic, "peer"));
    find_running(world, arguments[0], &container, error);
    json_remove(json_get(container, "guest_nics"), arguments[1]);
    return 0;
}

static int run_detach_port(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_remove(port, "master");
    return result;
}

static int run_port_down(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_set(port, "up", json_new_bool(false));
    return result;
}

static int run_unmark_port(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_remove(port, "mark");
    return result;
}

static int run_hairpin_off(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_set(port, "hairpin", json_new_bool(false));
    return result;
}

static int run_nic_down(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_set(nic, "up", json_new_bool(false));
    return result;
}

static int run_drop_address(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_remove(nic, "address");
    return result;
}

static int run_drop_gateway(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_remove(nic, "gateway");
    return result;
}

static int run_set_mac(struct json *world, char **arguments, struct error *error)
{
    struct json *nic, *port;
    int result = find_nic(world, arguments, &nic, &port, error);
    if (result == 0)
        json_set(nic, "mac", json_new_text(arguments[2]));
    return result;
}

/* ---- networks ---- */

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

static int run_foreign_bridge(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *bridge = json_set(fake_map(world, "bridges"), arguments[0], json_new_object());
    json_set(bridge, "up", json_new_bool(true));
    json_set(bridge, "address", json_new_text(arguments[1]));
    return 0;
}

static int run_kill_resolver(struct json *world, char **arguments, struct error *error)
{
    const char *ifname;
    int result = find_bridge(world, arguments[0], &ifname, error);
    if (result < 0)
        return result;
    struct json *resolver = fake_find(world, "resolvers", ifname);
    if (!resolver)
        return error_set(error, -ENOENT, "network %s has no resolver", arguments[0]);
    json_set(resolver, "pid", json_new_number(0));
    return 0;
}

static int run_spoil_names(struct json *world, char **arguments, struct error *error)
{
    const char *ifname;
    int result = find_bridge(world, arguments[0], &ifname, error);
    if (result < 0)
        return result;
    struct json *resolver = fake_find(world, "resolvers", ifname);
    if (!resolver)
        return error_set(error, -ENOENT, "network %s has no resolver", arguments[0]);
    json_set(resolver, "spoiled", json_new_bool(true));
    return 0;
}

static int run_flush_rules(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    json_set(world, "rules", json_new_null());
    return 0;
}

/* Drops one element of LIST (networks, guards, forwards) by its key. */
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
            json_append(kept, copy_of(json_at(items, i)));
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

static int run_clear_host(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    json_set(world, "listeners", json_new_array());
    json_set(world, "claims", json_new_array());
    json_set(world, "routes", json_new_array());
    return 0;
}

/* ---- storage ---- */

static int run_unmount_volume(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    struct json *mounts = json_get(container, "guest_mounts");
    if (!json_get(mounts, arguments[1]))
        return error_set(error, -ENOENT, "no volume at %s of %s", arguments[1], arguments[0]);
    json_remove(mounts, arguments[1]);
    return 0;
}

static int run_unbind(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_remove(json_get(container, "guest_binds"), arguments[1]);
    return 0;
}

static int run_take_device(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_remove(json_get(container, "guest_devices"), arguments[1]);
    return 0;
}

static int run_miss(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    if (!json_get(world, "missing"))
        json_set(world, "missing", json_new_object());
    json_set(json_get(world, "missing"), arguments[0], json_new_bool(true));
    return 0;
}

static int run_bring(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    json_remove(json_get(world, "missing"), arguments[0]);
    return 0;
}

static int run_mount_volume(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_set(json_get(container, "guest_mounts"), arguments[1], json_new_text(arguments[2]));
    return result;
}

/* A file system of the guest's that does not answer is above that place. */
static int run_silence(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    if (!json_get(container, "silent"))
        json_set(container, "silent", json_new_object());
    json_set(json_get(container, "silent"), arguments[1], json_new_bool(true));
    return 0;
}

static int run_answer(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_remove(container, "silent");
    return result;
}

static int run_unmount_root(struct json *world, char **arguments, struct error *error)
{
    const struct json *roots = fake_map(world, "roots");
    size_t length = strlen(arguments[0]);
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        if (strncmp(json_key(i), arguments[0], length) == 0 &&
            (!json_key(i)[length] || json_key(i)[length] == '.'))
            return drop(world, "roots", json_key(i), error);
    return error_set(error, -ENOENT, "no root of %s is mounted", arguments[0]);
}

/* By the name it was made under, or by its digest. */
static int run_drop_image(struct json *world, char **arguments, struct error *error)
{
    const struct json *images = fake_map(world, "images");
    for (void *i = json_first(images); i; i = json_next(images, i)) {
        const char *name = text_in(json_value(i), "name");
        if (name && strcmp(name, arguments[0]) == 0)
            return drop(world, "images", json_key(i), error);
    }
    return drop(world, "images", arguments[0], error);
}

/* The store is on it from now on, with quotas. */
static int run_btrfs(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    json_set(world, "btrfs", json_new_bool(true));
    return 0;
}

static int run_drop_layer(struct json *world, char **arguments, struct error *error)
{
    return drop(world, "layers", arguments[0], error);
}

static int run_drop_volume(struct json *world, char **arguments, struct error *error)
{
    return drop(world, "volumes", arguments[0], error);
}

/* A removal that did not come to its end. */
static int run_leave(struct json *world, char **arguments, struct error *error)
{
    char key[160];
    (void)error;
    snprintf(key, sizeof(key), "%s/%s", arguments[0], arguments[1]);
    json_set(fake_map(world, "leftovers"), key, json_new_bool(true));
    return 0;
}

/* Its guest installed something. */
static int run_install_packages(struct json *world, char **arguments, struct error *error)
{
    struct json *layer = fake_find(world, "layers", arguments[0]);
    if (!layer)
        return error_set(error, -ENOENT, "no layer %s", arguments[0]);
    json_set(layer, "packages", json_new_bool(true));
    return 0;
}

/* Its guest wrote something. */
static int run_hold(struct json *world, char **arguments, struct error *error)
{
    struct json *layer = fake_find(world, "layers", arguments[0]);
    if (!layer)
        return error_set(error, -ENOENT, "no layer %s", arguments[0]);
    json_set(layer, "used", json_new_number(strtoll(arguments[1], NULL, 10)));
    return 0;
}

/* The file of a limited layer is another's work. */
static int run_truncate(struct json *world, char **arguments, struct error *error)
{
    struct json *layer = fake_find(world, "layers", arguments[0]);
    if (!layer)
        return error_set(error, -ENOENT, "no layer %s", arguments[0]);
    json_set(layer, "size", json_new_number(strtoll(arguments[1], NULL, 10)));
    return 0;
}

/* "usb" or "gpu", its key and where it is; "-": nowhere. */
static int run_plug(struct json *world, char **arguments, struct error *error)
{
    char name[256];
    (void)error;
    snprintf(name, sizeof(name), "%s %s", arguments[0], arguments[1]);
    struct json *plugged = json_get(world, "plugged");
    if (!plugged)
        plugged = json_set(world, "plugged", json_new_object());
    if (strcmp(arguments[2], "-") == 0)
        json_remove(plugged, name);
    else
        json_set(plugged, name, json_new_text(arguments[2]));
    return 0;
}

/* "0-1" and the version of its control groups. */
static int run_host(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    json_set(world, "cpus", json_new_text(arguments[0]));
    json_set(world, "version_1", json_new_bool(strcmp(arguments[1], "1") == 0));
    return 0;
}

static int run_let_grow(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    json_set(world, "grows", json_new_bool(true));
    return 0;
}

/* The host burned down: nothing runs, nothing is stored. */
static int run_lose(struct json *world, char **arguments, struct error *error)
{
    static const char *const maps[] = {"containers", "bridges", "ports",   "resolvers",
                                       "images",     "layers",  "volumes", "roots"};
    (void)arguments, (void)error;
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        json_set(world, maps[i], json_new_object());
    json_set(world, "rules", json_new_null());
    return 0;
}

static int run_renew_source(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *renewed = json_get(world, "renewed");
    if (!renewed)
        renewed = json_set(world, "renewed", json_new_object());
    json_set(renewed, arguments[0], json_new_number(number_in(renewed, arguments[0]) + 1));
    return 0;
}

/* ---- the program ---- */

static const struct command commands[] = {
    {"print", "", 0, run_print},
    {"state", "", 0, run_state},
    {"calls", "", 0, run_calls},
    {"mutations", "", 0, run_mutations},
    {"violations", "", 0, run_violations},
    {"reset", "", 0, run_reset},
    {"kill", "CONTAINER", 1, run_kill},
    {"kill-init", "CONTAINER", 1, run_kill_init},
    {"exit", "CONTAINER STATUS", 2, run_exit},
    {"replace-init", "CONTAINER", 1, run_replace_init},
    {"leave-cgroups", "CONTAINER", 1, run_leave_cgroups},
    {"edit-config", "CONTAINER", 1, run_edit_config},
    {"ends-with", "CONTAINER STATUS|-", 2, run_ends_with},
    {"undefine", "CONTAINER", 1, run_undefine},
    {"set-limit", "CONTAINER LIMIT NUMBER", 3, run_set_limit},
    {"freeze", "CONTAINER", 1, run_freeze},
    {"thaw", "CONTAINER", 1, run_thaw},
    {"set-use", "CONTAINER memory_use|pids_use NUMBER", 3, run_set_use},
    {"foreign-container", "LXCNAME", 1, run_foreign_container},
    {"lxc-container", "LXCNAME", 1, run_lxc_container},
    {"lxc-nic", "LXCNAME BRIDGE MAC ADDRESS/N|dhcp", 4, run_lxc_nic},
    {"lxc-bind", "LXCNAME SOURCE PATH", 3, run_lxc_bind},
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
    {"clear-host", "", 0, run_clear_host},
    {"unmount-volume", "CONTAINER PATH", 2, run_unmount_volume},
    {"mount-volume", "CONTAINER PATH FILE", 3, run_mount_volume},
    {"silence", "CONTAINER PATH", 2, run_silence},
    {"answer", "CONTAINER", 1, run_answer},
    {"unmount-root", "CONTAINER", 1, run_unmount_root},
    {"unbind", "CONTAINER PATH", 2, run_unbind},
    {"take-device", "CONTAINER PATH", 2, run_take_device},
    {"miss", "SOURCE", 1, run_miss},
    {"bring", "SOURCE", 1, run_bring},
    {"drop-image", "NAME|DIGEST", 1, run_drop_image},
    {"drop-layer", "FILE", 1, run_drop_layer},
    {"drop-volume", "FILE", 1, run_drop_volume},
    {"leave", "image|layer|volume FILE", 2, run_leave},
    {"renew-source", "SOURCE", 1, run_renew_source},
    {"lose", "", 0, run_lose},
    {"install-packages", "LAYER", 1, run_install_packages},
    {"hold", "LAYER BYTES", 2, run_hold},
    {"truncate", "LAYER BYTES", 2, run_truncate},
    {"plug", "usb|gpu KEY PATH|-", 3, run_plug},
    {"let-grow", "", 0, run_let_grow},
    {"host", "CPUS 1|2", 2, run_host},
    {"btrfs", "", 0, run_btrfs},
};

static const struct command *find_command(const char *name, int count)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0 && commands[i].count == count)
            return &commands[i];
    return NULL;
}

static int usage(void)
{
    fputs("usage: fake-tool ROOT COMMAND ...\n", stderr);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].arguments);
    return 2;
}

/* The first of them only look: they make nothing and hold nothing up. */
static bool only_looks(const struct command *command)
{
    return command->run == run_print || command->run == run_state || command->run == run_calls ||
           command->run == run_mutations || command->run == run_violations;
}

int main(int count, char **arguments)
{
    const struct command *command = count >= 3 ? find_command(arguments[2], count - 3) : NULL;
    if (!command)
        return usage();
    tool_root = arguments[1];
    struct error error = {0};
    _cleanup_close_ int lock = -1;
    _cleanup_json_ struct json *world = NULL;
    int result = only_looks(command) ? 0 : fake_lock(tool_root, &lock, &error);
    if (result == 0)
        result = fake_load(tool_root, &world, &error);
    if (result == 0)
        result = command->run(world, arguments + 3, &error);
    if (result == 0 && !only_looks(command))
        result = fake_save(tool_root, world, &error);
    if (result < 0)
        fprintf(stderr, "fake-tool: %s\n", error.text);
    return result < 0 ? 1 : 0;
}
