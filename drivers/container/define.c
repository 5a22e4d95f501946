/* From a definition to LXCPATH/NAME: the config, and for a `command:` the folder that our small init reads.
 *
 * The settings are Debian's common.conf and userns.conf written out, with three differences. Neither is included,
 * because other packages add to them (lxcfs a post-stop hook that sleeps half a second). /sys is read-only, or
 * systemd-networkd waits for a udev that never comes. And rootfs.managed is off, so that not even lxc-destroy
 * removes a layer.
 *
 * A command's words are kept in LXCPATH/NAME/init/argv, each ended by a NUL, since a config line holds no newline;
 * the folder appears in the guest as /dev/.fpsync, and what our init writes to `exit` there outlives the
 * container's run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define SECCOMP_PROFILE "/usr/share/lxc/config/common.seccomp"
#define FORWARDING      "lxc.sysctl.net.ipv4.ip_forward"
#define FORWARDING6     "lxc.sysctl.net.ipv6.conf.all.forwarding"
#define CONSOLE_SIZE    "1048576" /* bytes of a console log before it is rotated; one older is kept */
#define CONSOLE_BUFFER  "65536"

static int check(const struct container_definition *definition, struct error *error);
static int check_present(const struct container_definition *definition,
                         const struct observed_container *present, struct error *error);
static void set_basics(struct config *config, const struct paths *paths,
                       const struct container_definition *definition);
static void set_each(struct config *config, const char *key, const struct texts *values)
{
    for (size_t i = 0; i < values->count; i++)
        config_set(config, key, values->items[i]);
}

static void set_capabilities(struct config *config, const struct container_definition *definition)
{
    if (definition->cap_keep.count) {
        set_each(config, "lxc.cap.keep", &definition->cap_keep);
        return;
    }
    /* Of no use in a user namespace either, but units there ask for them and then fail. */
    config_set(config, "lxc.cap.drop", "mac_admin mac_override sys_time sys_module sys_rawio");
    set_each(config, "lxc.cap.drop", &definition->cap_drop);
}

/* The kernel lets a user namespace mount proc and sysfs only where it sees whole ones already, and those of the guest
 * have parts covered. */
static void set_nesting(struct config *config, const struct container_definition *definition)
{
    if (!definition->nesting)
        return;
    config_set(config, "lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0");
    config_set(config, "lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0");
}

static void set_lines(struct config *config, const struct container_definition *definition)
{
    for (size_t i = 0; i < definition->lxc.count; i++) {
        const char *line = definition->lxc.items[i], *equals = strstr(line, " = ");
        char key[128];
        snprintf(key, sizeof(key), "%.*s", equals ? (int)(equals - line) : 0, line);
        config_set(config, key, equals ? equals + strlen(" = ") : line);
    }
}

static void set_privileges(struct config *config, const struct container_definition *definition);
static void set_own(struct config *config, const struct paths *paths, const struct hierarchies *hierarchies,
                    const struct container_definition *definition);
static void set_adopted(struct config *config, const struct paths *paths,
                        const struct hierarchies *hierarchies, const struct container_definition *definition,
                        struct arena *arena);
static void set_nics(struct config *config, const struct container_definition *definition);
static void set_process(struct config *config, const struct paths *paths,
                        const struct container_definition *definition);
static int make_folder(const struct paths *paths, const struct container_definition *definition,
                       struct error *error);

int container_define(const struct paths *paths, const struct container_definition *definition,
                     const struct call *call, struct container_defined *result, struct error *error)
{
    struct observed_container present;
    struct hierarchies hierarchies;
    int failed = check(definition, error);
    if (failed == 0)
        failed = container_look(paths, definition->lxc_name, call->arena, &present, error);
    if (failed == 0)
        failed = check_present(definition, &present, error);
    if (failed == 0)
        failed = hierarchies_read(call->arena, &hierarchies, error);
    if (failed == 0 && limits_ask_for_io(definition->limits))
        hierarchies_find_device(&hierarchies, paths, call->arena);
    if (failed == 0 && definition->limits->io_weight)
        hierarchies_find_weights(&hierarchies);
    if (failed == 0 && !definition->adopted)
        failed = make_folder(paths, definition, error);
    if (failed < 0)
        return failed;
    _cleanup_config_ struct config config;
    failed = config_open(&config, paths, definition->lxc_name, false, error);
    if (failed < 0)
        return failed;
    config.passing = definition->passing;
    if (definition->adopted)
        set_adopted(&config, paths, &hierarchies, definition, call->arena);
    else
        set_own(&config, paths, &hierarchies, definition);
    return config_save(&config, paths, definition->uid, definition->generation, call->arena,
                       &result->config_digest);
}

/* ---- checks ---- */

static int check(const struct container_definition *definition, struct error *error)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    int result = container_check_name(definition->lxc_name, error);
    if (result < 0)
        return result;
    const char *name = definition->lxc_name, *uid = definition->uid;
    if (!uid || !*uid || strspn(uid, legal) != strlen(uid))
        return error_set(error, -EINVAL, "container %s: \"%s\" is no uid", name, uid ? uid : "");
    if (!definition->root || (*definition->root != '/' && !definition->adopted))
        return error_set(error, -EINVAL, "container %s: its root \"%s\" is no absolute path", name,
                         definition->root ? definition->root : "");
    if (definition->id_base < 0 || definition->id_base > (int64_t)UINT32_MAX - CONTAINER_IDS)
        return error_set(error, -EINVAL, "container %s: ids cannot start at %lld", name,
                         (long long)definition->id_base);
    for (size_t i = 0; i < definition->env.count; i++) {
        const char *key = definition->env.items[i].key;
        if (!*key || strchr(key, '='))
            return error_set(error, -EINVAL, "container %s: \"%s\" is no name of a variable", name, key);
    }
    return 0;
}

static int check_present(const struct container_definition *definition,
                         const struct observed_container *present, struct error *error)
{
    if (!present->defined)
        return 0;
    if (!present->ours)
        return error_set(error, -EPERM, "container %s exists and is not fpsync's", definition->lxc_name);
    if (strcmp(present->uid, definition->uid) == 0 && present->generation > definition->generation)
        return error_set(error, -ESTALE, "container %s is of generation %lld already, this is %lld",
                         definition->lxc_name, (long long)present->generation,
                         (long long)definition->generation);
    return 0;
}

/* ---- the config ---- */

static void set_basics(struct config *config, const struct paths *paths,
                       const struct container_definition *definition)
{
    char path[CONTAINER_PATH_SIZE];
    config_set(config, "lxc.group", CONTAINER_GROUP);
    config_set(config, "lxc.start.auto", "0");
    config_setf(config, "lxc.rootfs.path", "dir:%s/" PATHS_ROOT, definition->root);
    config_set(config, "lxc.rootfs.managed", "0");
    config_set(config, "lxc.uts.name", definition->hostname ? definition->hostname : definition->lxc_name);
    /* A user namespace mounts sysfs only where the network is its own: the storage family has put the host's there. */
    bool lends_sys = definition->host_network && definition->id_base;
    config_set(config, "lxc.mount.auto",
               lends_sys ? "proc:mixed cgroup:mixed" : "proc:mixed sys:ro cgroup:mixed");
    config_set(config, "lxc.pty.max", "1024");
    config_set(config, "lxc.tty.max", definition->command.count ? "0" : "4");
    container_path(paths, definition->lxc_name, "console.log", path);
    config_set(config, "lxc.console.logfile", path);
    config_set(config, "lxc.console.size", CONSOLE_SIZE);
    config_set(config, "lxc.console.rotate", "1");
    config_set(config, "lxc.console.buffer.size", CONSOLE_BUFFER);
    container_path(paths, definition->lxc_name, "log", path);
    config_set(config, "lxc.log.file", path);
    config_set(config, "lxc.log.level", "WARN");
    config_set(config, "lxc.seccomp.profile", SECCOMP_PROFILE);
}

static bool has_apparmor(void)
{
    char line[8];
    return read_line(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", line, sizeof(line)) == 0 &&
           *line == 'Y';
}

const char *const usual_devices[] = {
    "c *:* m",     "b *:* m",     /* mknod alone opens nothing */
    "c 1:3 rwm",   "c 1:5 rwm",   /* null, zero */
    "c 1:7 rwm",   "c 5:0 rwm",   /* full, tty */
    "c 5:1 rwm",   "c 5:2 rwm",   /* console, ptmx */
    "c 1:8 rwm",   "c 1:9 rwm",   /* random, urandom */
    "c 136:* rwm", "c 10:229 rwm" /* pts, fuse */
};
const size_t usual_device_count = sizeof(usual_devices) / sizeof(*usual_devices);

/* Without a user namespace, devices and capabilities are all that stands between guest root and the host. */
static void set_privileged(struct config *config)
{
    config_set(config, "lxc.tty.dir", "lxc");
    config_set(config, "lxc.cgroup.devices.deny", "a");
    config_set(config, "lxc.cgroup2.devices.deny", "a");
    for (size_t i = 0; i < usual_device_count; i++) {
        config_set(config, "lxc.cgroup.devices.allow", usual_devices[i]);
        config_set(config, "lxc.cgroup2.devices.allow", usual_devices[i]);
    }
}

static void set_id_map(struct config *config, int64_t id_base)
{
    config_setf(config, "lxc.idmap", "u 0 %lld %d", (long long)id_base, CONTAINER_IDS);
    config_setf(config, "lxc.idmap", "g 0 %lld %d", (long long)id_base, CONTAINER_IDS);
}

static void set_privileges(struct config *config, const struct container_definition *definition)
{
    if (has_apparmor()) {
        config_set(config, "lxc.apparmor.profile", "generated");
        /* systemd in the guest mounts things for its units. */
        config_set(config, "lxc.apparmor.allow_nesting", "1");
    }
    set_capabilities(config, definition);
    if (!definition->id_base) {
        set_privileged(config);
        return;
    }
    set_id_map(config, definition->id_base);
}

static void set_nic(struct config *config, const struct nic *nic, const char *item, const char *value)
{
    char key[64];
    snprintf(key, sizeof(key), "lxc.net.%lld.%s", (long long)nic->index, item);
    if (value)
        config_set(config, key, value);
}

static void set_nics(struct config *config, const struct container_definition *definition)
{
    /* Nothing at all would share the host's network, too, and not say so. */
    if (!definition->nics.count)
        config_set(config, "lxc.net.0.type", definition->host_network ? "none" : "empty");
    for (size_t i = 0; i < definition->nics.count; i++) {
        const struct nic *nic = definition->nics.items[i];
        char inside[32];
        snprintf(inside, sizeof(inside), "eth%lld", (long long)nic->index);
        set_nic(config, nic, "type", nic->macvlan ? "macvlan" : "veth");
        set_nic(config, nic, "link", nic->bridge);
        if (nic->macvlan)
            set_nic(config, nic, "macvlan.mode", "bridge");
        else
            set_nic(config, nic, "veth.pair", nic->ifname);
        set_nic(config, nic, "name", inside);
        set_nic(config, nic, "hwaddr", nic->mac);
        set_nic(config, nic, "ipv4.address", nic->address);
        set_nic(config, nic, "ipv4.gateway", nic->gateway);
        set_nic(config, nic, "ipv6.address", nic->address6);
        set_nic(config, nic, "ipv6.gateway", nic->gateway6);
        set_nic(config, nic, "flags", "up");
    }
}

static bool has_line(const struct container_definition *definition, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < definition->lxc.count; i++)
        if (strncmp(definition->lxc.items[i], key, length) == 0 &&
            strchr(". ", definition->lxc.items[i][length]))
            return true;
    return false;
}

static bool names(const struct texts *capabilities, const char *name)
{
    for (size_t i = 0; i < capabilities->count; i++)
        if (strcmp(capabilities->items[i], name) == 0)
            return true;
    return false;
}

/* A guest that may not administer its network has /proc/sys/net read-only, also for liblxc. */
static bool administers(const struct container_definition *definition)
{
    if (definition->host_network || has_line(definition, "lxc.cap"))
        return false;
    return definition->cap_keep.count ? names(&definition->cap_keep, "net_admin")
                                      : !names(&definition->cap_drop, "net_admin");
}

/* By a bridge the port does not hear the routers of a LAN (drivers/network/rules6.c); a macvlan has no port. liblxc sets
 * this when the interface is up for a moment; it takes longer until the kernel has asked for routers. Where the host has
 * no IPv6, the start leaves these out. */
static void ignore_routers(struct config *config, const struct container_definition *definition)
{
    static const char *const settings[] = {"accept_ra", "autoconf"};
    for (size_t i = 0; i < definition->nics.count; i++) {
        const struct nic *nic = definition->nics.items[i];
        char key[64];
        if (!nic->macvlan || !nic->deaf)
            continue;
        for (size_t j = 0; j < 2; j++) {
            snprintf(key, sizeof(key), CONTAINER_DEAF "%s", (int)nic->index, settings[j]);
            config_set(config, key, "0");
        }
    }
}

static void set_environment(struct config *config, const struct container_definition *definition)
{
    for (size_t i = 0; i < definition->env.count; i++)
        config_setf(config, "lxc.environment", "%s=%s", definition->env.items[i].key,
                    definition->env.items[i].value);
}

static void set_process(struct config *config, const struct paths *paths,
                        const struct container_definition *definition)
{
    char path[CONTAINER_PATH_SIZE];
    set_environment(config, definition);
    if (definition->command.count) {
        container_path(paths, definition->lxc_name, CONTAINER_HOST_DIR, path);
        config_set(config, "lxc.init.cmd", CONTAINER_INIT);
        config_setf(config, "lxc.mount.entry", "%s %s none bind,nosuid,nodev,noexec,create=dir 0 0", path,
                    CONTAINER_GUEST_DIR);
    }
    if (definition->halt_signal || definition->command.count)
        config_set(config, "lxc.signal.halt", definition->halt_signal ? definition->halt_signal : "SIGTERM");
}

static bool has_ipv6(const struct container_definition *definition)
{
    for (size_t i = 0; i < definition->nics.count; i++)
        if (((const struct nic *)definition->nics.items[i])->address6)
            return true;
    return false;
}

/* A new namespace begins with what the host has, and of IPv6 without forwarding. */
static void set_forwarding(struct config *config, const struct container_definition *definition)
{
    if (!administers(definition))
        return;
    config_set(config, FORWARDING, definition->router ? "1" : "0");
    if (definition->router && has_ipv6(definition))
        config_set(config, FORWARDING6, "1");
    ignore_routers(config, definition);
}

static void set_own(struct config *config, const struct paths *paths, const struct hierarchies *hierarchies,
                    const struct container_definition *definition)
{
    set_basics(config, paths, definition);
    set_privileges(config, definition);
    config_set_arch(config, definition);
    set_nics(config, definition);
    set_forwarding(config, definition);
    set_process(config, paths, definition);
    set_nesting(config, definition);
    set_lines(config, definition);
    config_set_limits(config, hierarchies, definition->limits);
}

/* ---- what LXC had before ---- */

/* What has no field comes first: includes are among it, and what has one stands above them. A key of which there is
 * a line is the lines' own. */
static void set_adopted(struct config *config, const struct paths *paths,
                        const struct hierarchies *hierarchies, const struct container_definition *definition,
                        struct arena *arena)
{
    config_load_first(config, paths, definition, arena);
    config_set_arch(config, definition);
    config_set_apparmor(config, definition);
    config_set(config, "lxc.group", CONTAINER_GROUP);
    config_setf(config, "lxc.rootfs.path", "%s%s", *definition->root == '/' ? "dir:" : "", definition->root);
    if (!has_line(definition, "lxc.uts.name"))
        config_set(config, "lxc.uts.name",
                   definition->hostname ? definition->hostname : definition->lxc_name);
    set_each(config, "lxc.cap.keep", &definition->cap_keep);
    set_each(config, "lxc.cap.drop", &definition->cap_drop);
    if (definition->id_base && !config_says(config, "lxc.idmap"))
        set_id_map(config, definition->id_base);
    if (!has_line(definition, "lxc.net"))
        set_nics(config, definition);
    if (administers(definition) && !has_line(definition, "lxc.net"))
        ignore_routers(config, definition);
    if (definition->router)
        config_set(config, FORWARDING, "1");
    if (definition->router && has_ipv6(definition))
        config_set(config, FORWARDING6, "1");
    set_environment(config, definition);
    if (definition->halt_signal)
        config_set(config, "lxc.signal.halt", definition->halt_signal);
    set_nesting(config, definition);
    config_set_binds(config, definition);
    config_set_given_limits(config, hierarchies, definition->limits);
}

/* ---- the folder ---- */

static int make_directory(const char *path, struct error *error)
{
    /* Others need to pass: an unprivileged container's init is one of them. */
    if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0)
        return error_errno(error, -errno, "cannot make %s", path);
    return 0;
}

static int make_parents(const char *path, struct error *error)
{
    char part[CONTAINER_PATH_SIZE];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return error_errno(error, -errno, "cannot make %s", part);
        *slash = '/';
    }
    return mkdir(path, 0711) < 0 && errno != EEXIST ? error_errno(error, -errno, "cannot make %s", path) : 0;
}

static int write_piece(int folder, const char *name, const void *bytes, size_t size)
{
    char fresh[32];
    snprintf(fresh, sizeof(fresh), "%s.new", name);
    _cleanup_close_ int fd =
        openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    int result = bytes_write(fd, bytes, size);
    if (result < 0)
        return result;
    return renameat(folder, fresh, folder, name) < 0 ? -errno : 0;
}

static int write_words(int folder, const struct texts *words)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < words->count; i++)
        buffer_add(&text, words->items[i], strlen(words->items[i]) + 1);
    return write_piece(folder, "argv", text.bytes, text.length);
}

/* A file that says nothing is not there. */
static int write_said(int folder, const char *name, const char *text)
{
    if (text)
        return write_piece(folder, name, text, strlen(text));
    return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The guest's root owns the file alone, not the folder: it can write there, and make nothing. */
static int make_exit_file(int folder, int64_t owner, const char *said)
{
    _cleanup_close_ int fd = openat(folder, "exit", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchown(fd, (uid_t)owner, (gid_t)owner) < 0)
        return -errno;
    if (said && (ftruncate(fd, 0) < 0 || dprintf(fd, "%s\n", said) < 0))
        return -errno;
    return 0;
}

static int make_init_folder(const char *path, const struct container_definition *definition,
                            struct error *error)
{
    int result = make_directory(path, error);
    if (result < 0)
        return result;
    _cleanup_close_ int folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return error_errno(error, -errno, "cannot open %s", path);
    result = write_words(folder, &definition->command);
    if (result == 0)
        result = write_said(folder, "user", definition->user);
    if (result == 0)
        result = write_said(folder, "directory", definition->directory);
    if (result == 0)
        result = make_exit_file(folder, definition->id_base, definition->exit);
    return result < 0 ? error_errno(error, result, "cannot write into %s", path) : 0;
}

static int make_folder(const struct paths *paths, const struct container_definition *definition,
                       struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, definition->lxc_name, "", path);
    int result = make_parents(paths->lxc, error);
    if (result == 0)
        result = make_directory(path, error);
    container_path(paths, definition->lxc_name, CONTAINER_HOST_DIR, path);
    if (result == 0 && definition->command.count)
        result = make_init_folder(path, definition, error);
    return result < 0 ? error_wrap(error, result, "container %s", definition->lxc_name) : 0;
}
