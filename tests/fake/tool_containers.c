/* fake-tool: the other hand on containers, and in their guests. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/units.h"
#include "tests/fake/tool.h"
#include "tests/fake/world.h"

/* Sets `key` of a container, which may have to run; NULL: it goes. */
static int change(struct json *world, char **arguments, bool running, const char *key, struct json *value,
                  struct error *error)
{
    struct json *container;
    int result = running ? tool_find_running(world, arguments[0], &container, error)
                         : tool_find_container(world, arguments[0], &container, error);
    if (result < 0)
        json_free(value);
    else if (value)
        json_set(container, key, value);
    else
        json_remove(container, key);
    return result;
}

static int run_kill(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result == 0)
        fake_end_container(world, container);
    return result;
}

static int run_exit(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t status;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result == 0)
        result = number_parse(arguments[1], &status);
    if (result < 0)
        return error->code ? result : error_set(error, result, "%s is no status", arguments[1]);
    fake_end_container(world, container);
    json_set(container, "exit_status", json_new_number(status));
    return 0;
}

/* Init has ended, and its monitor is not done cleaning up. */
static int run_kill_init(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    int64_t monitor = number_in(container, "monitor_pid");
    fake_end_container(world, container);
    json_set(container, "running", json_new_bool(true));
    json_set(container, "monitor_pid", json_new_number(monitor));
    return 0;
}

/* A running one got a new init: stopped and started by hand. */
static int run_replace_init(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_set(container, "init_pid", json_new_number(fake_pid(world)));
    json_set(container, "init_start", json_new_number(1000 + fake_tick(world)));
    return 0;
}

static int run_leave_cgroups(struct json *world, char **arguments, struct error *error)
{
    return change(world, arguments, false, "leftover_cgroups", json_new_bool(true), error);
}

static int run_edit_config(struct json *world, char **arguments, struct error *error)
{
    return change(world, arguments, false, "edit", json_new_text("lxc.tty.max = 9"), error);
}

/* What it does the next time that somebody waits for its end. */
static int run_ends_with(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t status;
    int result = tool_find_container(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    json_set(container, "lasts", json_new_bool(strcmp(arguments[1], "-") == 0));
    if (number_parse(arguments[1], &status) == 0)
        json_set(container, "ends_with", json_new_number(status));
    return 0;
}

/* What a probe of its health meets; "-": nothing is wrong with it. */
static int run_ails(struct json *world, char **arguments, struct error *error)
{
    const bool well = strcmp(arguments[1], "-") == 0;
    return change(world, arguments, false, "ails", well ? NULL : json_new_text(arguments[1]), error);
}

static int run_undefine(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_container(world, arguments[0], &container, error);
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
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    if (number_parse(arguments[2], &value) < 0 || !json_get(json_get(container, "cgroup"), arguments[1]))
        return error_set(error, -EINVAL, "no limit %s of %s", arguments[1], arguments[2]);
    json_set(json_get(container, "cgroup"), arguments[1], json_new_number(value));
    return 0;
}

static int run_freeze(struct json *world, char **arguments, struct error *error)
{
    return change(world, arguments, true, "frozen", json_new_bool(true), error);
}

static int run_thaw(struct json *world, char **arguments, struct error *error)
{
    return change(world, arguments, true, "frozen", NULL, error);
}

static int run_set_use(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int64_t value;
    int result = tool_find_running(world, arguments[0], &container, error);
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
    int result = tool_find_running(world, arguments[0], &container, error);
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
    int result = tool_find_running(world, arguments[0], &container, error);
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

/* A file system of the guest's that does not answer is above that place. */
static int run_silence(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    if (!json_get(container, "silent"))
        json_set(container, "silent", json_new_object());
    json_set(json_get(container, "silent"), arguments[1], json_new_bool(true));
    return 0;
}

static int run_answer(struct json *world, char **arguments, struct error *error)
{
    return change(world, arguments, true, "silent", NULL, error);
}

const struct tool_command tool_containers[] = {
    {"kill", "CONTAINER", 1, run_kill},
    {"kill-init", "CONTAINER", 1, run_kill_init},
    {"exit", "CONTAINER STATUS", 2, run_exit},
    {"replace-init", "CONTAINER", 1, run_replace_init},
    {"leave-cgroups", "CONTAINER", 1, run_leave_cgroups},
    {"edit-config", "CONTAINER", 1, run_edit_config},
    {"ends-with", "CONTAINER STATUS|-", 2, run_ends_with},
    {"ails", "CONTAINER TEXT|-", 2, run_ails},
    {"undefine", "CONTAINER", 1, run_undefine},
    {"set-limit", "CONTAINER LIMIT NUMBER", 3, run_set_limit},
    {"freeze", "CONTAINER", 1, run_freeze},
    {"thaw", "CONTAINER", 1, run_thaw},
    {"set-use", "CONTAINER memory_use|pids_use NUMBER", 3, run_set_use},
    {"foreign-container", "LXCNAME", 1, run_foreign_container},
    {"lxc-container", "LXCNAME", 1, run_lxc_container},
    {"lxc-nic", "LXCNAME BRIDGE MAC ADDRESS/N|dhcp", 4, run_lxc_nic},
    {"lxc-bind", "LXCNAME SOURCE PATH", 3, run_lxc_bind},
    {"silence", "CONTAINER PATH", 2, run_silence},
    {"answer", "CONTAINER", 1, run_answer},
    {0},
};
