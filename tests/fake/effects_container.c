/* Containers of the fake world: what liblxc would do to it, with what that needs and what that leaves. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/error.h"
#include "lib/units.h"
#include "tests/fake/convert.h"
#include "tests/fake/world.h"

/* NULL when it is not there at all; -EPERM when it is not ours. */
static int find_ours(struct fake *fake, const char *name, struct json **container, struct error *error)
{
    *container = fake_find(fake->world, "containers", name);
    if (*container && json_as_bool(json_get(*container, "defined")) &&
        !json_as_bool(json_get(*container, "ours")))
        return error_set(error, -EPERM, "container %s is not fpsync's", name);
    return 0;
}

static bool is_running(const struct json *container)
{
    return json_as_bool(json_get(container, "running"));
}

static void answer_config(const struct call *call, const struct json *container,
                          struct container_defined *defined)
{
    char digest[65];
    fake_config_digest(container, digest);
    defined->config_digest = arena_strdup(call->arena, digest);
}

/* ---- define ---- */

static int apply_define(struct fake *fake, const struct container_definition *request,
                        const struct call *call, struct container_defined *defined, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!request->uid || !request->root)
        return error_set(error, -EINVAL, "container %s: definition without %s", request->lxc_name,
                         request->uid ? "root" : "uid");
    if (!container)
        container = json_set(fake_map(fake->world, "containers"), request->lxc_name, json_new_object());
    json_set(container, "defined", json_new_bool(true));
    json_set(container, "ours", json_new_bool(true));
    json_set(container, "definition", json_of(&container_definition_table, request));
    json_remove(json_get(container, "definition"), "exit");
    int64_t status;
    if (request->exit && number_parse(request->exit, &status) == 0)
        json_set(container, "exit_status", json_new_number(status));
    json_remove(container, "edit");
    if (!json_get(container, "running"))
        json_set(container, "running", json_new_bool(false));
    answer_config(call, container, defined);
    return 0;
}

static int define(const struct paths *paths, const struct container_definition *request,
                  const struct call *call, struct container_defined *defined, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_DEFINE, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_define(&fake, request, call, defined, error), error);
}

/* ---- start ---- */

static int plug_nics(struct fake *fake, struct json *container, const char *name, struct error *error)
{
    const struct json *nics = json_get(json_get(container, "definition"), "nics");
    struct json *guest = json_set(container, "guest_nics", json_new_object());
    json_set(container, "forwarding",
             json_new_bool(json_as_bool(json_get(json_get(container, "definition"), "router"))));
    for (size_t i = 0; i < json_length(nics); i++) {
        const struct json *nic = json_at(nics, i);
        const char *port = text_in(nic, "ifname"), *bridge = text_in(nic, "bridge");
        if (!fake_find(fake->world, "bridges", bridge) && !fake_find(fake->world, "foreign", bridge))
            return error_set(error, -ENODEV, "container %s: no bridge %s", name, bridge);
        const bool macvlan = json_as_bool(json_get(nic, "macvlan"));
        if (!macvlan && fake_find(fake->world, "ports", port))
            return error_set(error, -EEXIST, "container %s: interface %s exists", name, port);
        if (!macvlan) {
            struct json *link = json_set(fake_map(fake->world, "ports"), port, json_new_object());
            json_set(link, "master", json_new_text(bridge));
            json_set(link, "up", json_new_bool(true));
        }
        char ifname[32];
        snprintf(ifname, sizeof(ifname), "eth%lld", (long long)number_in(nic, "index"));
        struct json *inside = json_set(guest, ifname, json_new_object());
        json_set(inside, macvlan ? "parent" : "peer", json_new_text(macvlan ? bridge : port));
        json_set(inside, "mac", json_new_text(text_in(nic, "mac")));
        json_set(inside, "address", json_new_text(text_in(nic, "address")));
        json_set(inside, "gateway", json_new_text(text_in(nic, "gateway")));
        json_set(inside, "address6", json_new_text(text_in(nic, "address6")));
        json_set(inside, "gateway6", json_new_text(text_in(nic, "gateway6")));
        json_set(inside, "up", json_new_bool(true));
        json_set(inside, "forwards",
                 json_new_bool(json_as_bool(json_get(json_get(container, "definition"), "router"))));
    }
    return 0;
}

static void take_mounts(struct json *container, const struct json *root)
{
    struct json *mounts = json_set(container, "guest_mounts", json_new_object());
    const struct json *volumes = json_get(root, "volumes");
    for (void *i = json_first(volumes); i; i = json_next(volumes, i))
        json_set(mounts, json_key(i), json_new_text(json_as_text(json_value(i))));
    struct json *bound = json_set(container, "guest_binds", json_new_object());
    const struct json *binds = json_get(root, "binds");
    for (void *i = json_first(binds); i; i = json_next(binds, i)) {
        struct json *bind = json_set(bound, json_key(i), json_new_object());
        json_set(bind, "source", json_new_text(text_in(json_value(i), "source")));
        json_set(bind, "read_only", json_new_bool(json_as_bool(json_get(json_value(i), "read_only"))));
    }
    json_set(container, "guest_layer", json_new_text(text_in(root, "layer")));
}

/* What LXC mounts itself into one that was adopted. */
static void take_own_binds(struct json *container)
{
    const struct json *binds = json_get(json_get(container, "definition"), "binds");
    for (size_t i = 0; i < json_length(binds); i++) {
        const struct json *bind = json_at(binds, i);
        struct json *inside =
            json_set(json_get(container, "guest_binds"), text_in(bind, "path"), json_new_object());
        json_set(inside, "source", json_new_text(text_in(bind, "source")));
        json_set(inside, "read_only", json_new_bool(json_as_bool(json_get(bind, "read_only"))));
    }
}

static struct json *copy_limits(const struct json *limits)
{
    struct json *copy = json_new_object();
    for (void *i = json_first(limits); i; i = json_next(limits, i))
        json_set(copy, json_key(i),
                 json_as_text(json_value(i)) ? json_new_text(json_as_text(json_value(i)))
                                             : json_new_number(json_as_number(json_value(i), 0)));
    return copy;
}

static void put_device(struct json *container, const struct container_device *device)
{
    json_set(json_get(container, "guest_devices"), device->path, json_of(&container_device_table, device));
}

static int apply_start(struct fake *fake, const struct container_start *request,
                       struct container_started *started, struct error *error)
{
    const char *name = request->lxc_name;
    struct json *container;
    int result = find_ours(fake, name, &container, error);
    if (result < 0)
        return result;
    if (!container || !json_as_bool(json_get(container, "defined")))
        return error_set(error, -ENOENT, "container %s is not defined", name);
    if (!is_running(container)) {
        const struct json *root = fake_find(fake->world, "roots", name);
        bool adopted = json_as_bool(json_get(json_get(container, "definition"), "adopted"));
        if (!root && !adopted)
            return error_set(error, -ENOENT, "container %s: its root is not mounted", name);
        result = plug_nics(fake, container, name, error);
        if (result < 0)
            return result;
        take_mounts(container, root);
        take_own_binds(container);
        json_remove(container, "stopped_by");
        json_set(container, "guest_devices", json_new_object());
        for (size_t i = 0; i < request->devices.count; i++)
            put_device(container, request->devices.items[i]);
        json_set(container, "cgroup", copy_limits(json_get(json_get(container, "definition"), "limits")));
        json_set(container, "monitor_pid", json_new_number(fake_pid(fake->world)));
        json_set(container, "init_pid", json_new_number(fake_pid(fake->world)));
        json_set(container, "init_start", json_new_number(1000 + fake_tick(fake->world)));
        json_set(container, "running", json_new_bool(true));
        json_remove(container, "exit_status");
        json_remove(container, "leftover_cgroups");
    }
    started->init_pid = number_in(container, "init_pid");
    started->init_start = number_in(container, "init_start");
    return 0;
}

static int start(const struct paths *paths, const struct container_start *request, const struct call *call,
                 struct container_started *started, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_START, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_start(&fake, request, started, error), error);
}

/* ---- devices ---- */

static int apply_device(struct fake *fake, const struct device_attach *request, bool attach,
                        struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!container || !is_running(container) || number_in(container, "init_pid") != request->init_pid ||
        number_in(container, "init_start") != request->init_start)
        return error_set(error, -ESRCH, "%s: its init is gone", request->lxc_name);
    if (attach)
        put_device(container, request->device);
    else
        json_remove(json_get(container, "guest_devices"), request->device->path);
    return 0;
}

static int attach_device(const struct paths *paths, const struct device_attach *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_DEVICE_ATTACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_device(&fake, request, true, error), error);
}

static int detach_device(const struct paths *paths, const struct device_attach *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_DEVICE_DETACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_device(&fake, request, false, error), error);
}

/* ---- stop ---- */

static int apply_stop(struct fake *fake, const struct container_stop *request, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result == 0 && container && request->by)
        json_set(container, "stopped_by", json_new_text(request->by));
    if (result < 0 || !container || !is_running(container))
        return result;
    fake_end_container(fake->world, container);
    /* Only an init that was let end by itself can leave its command's status. */
    if (json_length(json_get(json_get(container, "definition"), "command")) && request->timeout > 0)
        json_set(container, "exit_status", json_new_number(128 + SIGTERM));
    return 0;
}

static int stop(const struct paths *paths, const struct container_stop *request, const struct call *call,
                struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_STOP, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_stop(&fake, request, error), error);
}

/* ---- limits ---- */

static int apply_limits(struct fake *fake, const struct container_limits *request, const struct call *call,
                        struct container_defined *defined, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!container || !json_as_bool(json_get(container, "defined")))
        return error_set(error, -ENOENT, "container %s is not defined", request->lxc_name);
    json_set(json_get(container, "definition"), "limits", json_of(&limits_table, request->limits));
    if (is_running(container))
        json_set(container, "cgroup", json_of(&limits_table, request->limits));
    answer_config(call, container, defined);
    return 0;
}

static int set_limits(const struct paths *paths, const struct container_limits *request,
                      const struct call *call, struct container_defined *defined, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_SET_LIMITS, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_limits(&fake, request, call, defined, error), error);
}

/* ---- freeze ---- */

static int apply_freeze(struct fake *fake, const struct container_freeze *request, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!container || !is_running(container))
        return error_set(error, -ESRCH, "container %s does not run", request->lxc_name);
    json_remove(container, "frozen");
    if (request->frozen)
        json_set(container, "frozen", json_new_bool(true));
    return 0;
}

static int freeze(const struct paths *paths, const struct container_freeze *request, const struct call *call,
                  struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_FREEZE, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_freeze(&fake, request, error), error);
}

/* ---- destroy ---- */

static int apply_destroy(struct fake *fake, const char *name, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, name, &container, error);
    if (result < 0 || !container)
        return result;
    if (is_running(container))
        return error_set(error, -EBUSY, "container %s is running", name);
    json_remove(fake_map(fake->world, "containers"), name);
    return 0;
}

static int destroy(const struct paths *paths, const struct container_reference *request,
                   const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_DESTROY, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_destroy(&fake, request->lxc_name, error), error);
}

/* ---- adopt, release ---- */

static struct json *nic_of(const struct json *nics, int64_t index)
{
    for (size_t i = 0; i < json_length(nics); i++)
        if (number_in(json_at(nics, i), "index") == index)
            return json_at(nics, i);
    return NULL;
}

/* The mark, and how its interfaces come back: what it was made of stays. */
static int apply_adopt(struct fake *fake, const struct container_adopt *request, const struct call *call,
                       struct container_adopted *adopted, struct error *error)
{
    struct json *container = fake_find(fake->world, "containers", request->lxc_name);
    if (!container || !json_as_bool(json_get(container, "defined")))
        return error_set(error, -ENOENT, "container %s is not defined", request->lxc_name);
    struct json *definition = json_get(container, "definition");
    const char *uid = text_in(definition, "uid");
    if (json_as_bool(json_get(container, "ours")) && strcmp(uid, request->uid) != 0)
        return error_set(error, -EPERM, "container %s carries a mark of fpsync's already", request->lxc_name);
    json_set(container, "ours", json_new_bool(true));
    json_set(definition, "uid", json_new_text(request->uid));
    json_set(definition, "generation", json_new_number(request->generation));
    for (size_t i = 0; i < request->nics.count; i++) {
        const struct nic *nic = request->nics.items[i];
        struct json *known = nic_of(json_get(definition, "nics"), nic->index);
        if (known && !nic->macvlan)
            json_set(known, "ifname", json_new_text(nic->ifname));
        if (known)
            json_set(known, "mac", json_new_text(nic->mac));
    }
    char digest[65];
    fake_config_digest(container, digest);
    *adopted = (struct container_adopted){.config_digest = arena_strdup(call->arena, digest),
                                          .init_pid = number_in(container, "init_pid"),
                                          .init_start = number_in(container, "init_start")};
    return 0;
}

static int adopt(const struct paths *paths, const struct container_adopt *request, const struct call *call,
                 struct container_adopted *adopted, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_ADOPT, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_adopt(&fake, request, call, adopted, error), error);
}

static int apply_release(struct fake *fake, const char *name)
{
    struct json *container = fake_find(fake->world, "containers", name);
    if (!container || !json_as_bool(json_get(container, "ours")))
        return 0;
    json_set(container, "ours", json_new_bool(false));
    json_remove(json_get(container, "definition"), "uid");
    return 0;
}

static int release(const struct paths *paths, const struct container_reference *request,
                   const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_RELEASE, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_release(&fake, request->lxc_name), error);
}

/* In this world what is waited for ends at once: with the status that somebody gave it beforehand, or never. */
static int apply_await(struct fake *fake, const struct container_await *request, int64_t *ended,
                       struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!container)
        return error_set(error, -ENOENT, "container %s is not there", request->lxc_name);
    if (json_as_bool(json_get(container, "lasts")))
        return error_set(error, -ETIME, "container %s did not complete within %lld s", request->lxc_name,
                         (long long)(request->timeout / 1000));
    if (is_running(container)) {
        fake_end_container(fake->world, container);
        json_set(container, "exit_status",
                 json_new_number(json_as_number(json_get(container, "ends_with"), 0)));
    }
    if (request->has_command && !json_get(container, "exit_status"))
        return error_set(error, -ECHILD, "container %s was ended before its command did", request->lxc_name);
    *ended = json_as_number(json_get(container, "exit_status"), 0);
    return 0;
}

static int await_end(const struct paths *paths, const struct container_await *request,
                     const struct call *call, struct error *error)
{
    struct fake fake;
    int64_t ended = 0;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_AWAIT, request->lxc_name, error);
    if (result == 0)
        result = fake_end(&fake, apply_await(&fake, request, &ended, error), error);
    return result < 0 || !ended ? result
                                : error_set(error, -ECHILD, "container %s ended with status %d",
                                            request->lxc_name, (int)ended);
}

/* In this world a probe does well, or meets what somebody said beforehand: "ends N" is the end of the container. */
static int apply_probe(struct fake *fake, const struct container_probe *request, const struct call *call,
                       int64_t *ended, const char **ails, struct error *error)
{
    struct json *container;
    int result = find_ours(fake, request->lxc_name, &container, error);
    if (result < 0)
        return result;
    if (!container)
        return error_set(error, -ENOENT, "container %s is not there", request->lxc_name);
    *ails = arena_strdup(call->arena, text_in(container, "ails"));
    if (*ails && strncmp(*ails, "ends ", 5) == 0 && is_running(container)) {
        fake_end_container(fake->world, container);
        json_set(container, "exit_status", json_new_number((*ails)[5] - '0'));
    }
    *ended = is_running(container) ? -1 : json_as_number(json_get(container, "exit_status"), 0);
    return 0;
}

static int probe(const struct paths *paths, const struct container_probe *request, const struct call *call,
                 struct error *error)
{
    struct fake fake;
    int64_t ended = -1;
    const char *ails = NULL, *name = request->lxc_name;
    int result = fake_begin(&fake, paths, call, STEP_CONTAINER_PROBE, name, error);
    if (result == 0)
        result = fake_end(&fake, apply_probe(&fake, request, call, &ended, &ails, error), error);
    if (result < 0)
        return result;
    if (ended >= 0)
        return error_set(error, -ECHILD, "container %s ended with status %d before it was healthy", name,
                         (int)ended);
    return ails ? error_set(error, -ETIME, "container %s was not healthy within %lld s: %s", name,
                            (long long)(request->most / 1000), ails)
                : 0;
}

const struct container_effects container_effects = {
    .define = define,
    .start = start,
    .stop = stop,
    .await = await_end,
    .probe = probe,
    .set_limits = set_limits,
    .freeze = freeze,
    .attach_device = attach_device,
    .detach_device = detach_device,
    .destroy = destroy,
    .adopt = adopt,
    .release = release,
};

/* `exit N` ends with N; everything else prints itself and ends with 0. */
int container_exec(const struct paths *paths, const char *lxc_name, char *const *argv, struct error *error)
{
    fake_trace("container_exec");
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    if (!is_running(fake_find(world, "containers", lxc_name)))
        return error_set(error, -ESRCH, "it is not running");
    int64_t status;
    if (strcmp(argv[0], "exit") == 0 && argv[1] && number_parse(argv[1], &status) == 0)
        return (int)(status & 255);
    for (char *const *word = argv; *word; word++)
        printf("%s%s", word == argv ? "" : " ", *word);
    printf("\n");
    return fflush(stdout) == 0 ? 0 : error_errno(error, -errno, "cannot write");
}

static int say(const struct paths *paths, const char *lxc_name, const char *text, struct error *error)
{
    _cleanup_json_ struct json *world = NULL;
    int result = fake_load(paths->root, &world, error);
    if (result < 0)
        return result;
    if (!is_running(fake_find(world, "containers", lxc_name)))
        return error_set(error, -ESRCH, "it is not running");
    printf("%s %s\n", text, lxc_name);
    return fflush(stdout) == 0 ? 0 : error_errno(error, -errno, "cannot write");
}

int container_console(const struct paths *paths, const char *lxc_name, struct error *error)
{
    fake_trace("container_console");
    return say(paths, lxc_name, "console of", error);
}

int container_console_log(const struct paths *paths, const char *lxc_name, struct error *error)
{
    fake_trace("container_console_log");
    return say(paths, lxc_name, "remembered of", error);
}
