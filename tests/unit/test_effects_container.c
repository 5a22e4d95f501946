/* The container family on real LXC: busybox guests below a root of their own. Needs root; skipped without. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/container/container.h"
#include "drivers/steps.h"
#include "drivers/task.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/units.h"

#define ID_BASE  0x71000000
#define UID      "0123abcd"
#define MEBIBYTE (1024 * 1024)

/* One fpsync root with one guest's root file system in it. */
struct world {
    char root[128];
    const char *name; /* LXC name */
    char guest[256];  /* its root file system */
    struct arena *arena;
    struct paths paths;
    struct call call;
    struct error error;
};

#define assert_ok(call_)                                                                                     \
    do {                                                                                                     \
        int outcome_ = (call_);                                                                              \
        if (outcome_ < 0)                                                                                    \
            fail_msg("%s: %d: %s", #call_, outcome_, world->error.text);                                     \
    } while (0)

/* ---- the world ---- */

static void copy_file(const char *from, const char *to)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct error error = {0};
    if (buffer_read_file(&bytes, AT_FDCWD, from, 64 * MEBIBYTE, &error) < 0)
        fail_msg("%s", error.text);
    _cleanup_close_ int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.bytes, bytes.length), bytes.length);
}

static void write_text(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void make_folders(const char *path)
{
    char part[512];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0755);
        *slash = '/';
    }
    mkdir(part, 0755);
}

static int own(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return lchown(path, ID_BASE, ID_BASE);
}

static int drop(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static const char *in_guest(struct world *world, const char *path)
{
    return arena_printf(world->arena, "%s%s", world->guest, path);
}

static const char *small_init(void)
{
    static char path[512];
    const char *build = getenv("FPSYNC_BUILD");
    snprintf(path, sizeof(path), "%s/fpsync-init", build ? build : "build");
    return path;
}

static void furnish(struct world *world)
{
    static const char *const folders[] = {"/bin", "/sbin", "/etc",  "/proc", "/sys",
                                          "/dev", "/tmp",  "/root", "/run",  "/.fpsync"};
    static const char *const links[] = {"/bin/sh",  "/bin/grep",  "/bin/sleep", "/bin/true", "/bin/test",
                                        "/bin/cat", "/sbin/init", "/bin/mount", "/bin/kill", "/bin/ip"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        make_folders(in_guest(world, folders[i]));
    copy_file("/bin/busybox", in_guest(world, "/bin/busybox"));
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
        assert_int_equal(symlink("/bin/busybox", in_guest(world, links[i])), 0);
    write_text(in_guest(world, "/etc/inittab"), "::respawn:/bin/sleep 1000000\n");
    copy_file(small_init(), in_guest(world, "/.fpsync/init"));
}

static struct world *make_world(const char *tail, const char *full_name, bool privileged)
{
    struct world *world = test_calloc(1, sizeof(*world));
    snprintf(world->root, sizeof(world->root), "/tmp/fpc-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    assert_int_equal(chmod(world->root, 0711), 0);
    strcat(world->root, tail);
    world->arena = arena_new();
    world->call = (struct call){.arena = world->arena, .cancel = -1, .deadline = now_milliseconds() + 60000};
    assert_ok(paths_make(world->root, world->arena, &world->paths, &world->error));
    world->name = paths_lxc_name(&world->paths, world->arena, full_name);
    snprintf(world->guest, sizeof(world->guest), "%s/%s", world->paths.mounts, world->name);
    make_folders(world->guest);
    furnish(world);
    if (!privileged)
        assert_int_equal(nftw(world->guest, own, 16, FTW_PHYS), 0);
    return world;
}

static int setup_unprivileged(void **state)
{
    *state = make_world("", "shop/web", false);
    return 0;
}

static int setup_privileged(void **state)
{
    *state = make_world("", "shop/web", true);
    return 0;
}

/* Socket names of such a length are hashed by liblxc. */
static int setup_deep(void **state)
{
    *state = make_world("/a23456789/b23456789/c23456789/d2345678",
                        "averyveryverylongprojectname/withalongname1", false);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    const struct container_stop stop = {.lxc_name = world->name};
    const struct container_reference reference = {.lxc_name = world->name};
    world->call.deadline = now_milliseconds() + 30000;
    int stopped = container_effects.stop(&world->paths, &stop, &world->call, &world->error);
    int destroyed = container_effects.destroy(&world->paths, &reference, &world->call, &world->error);
    char top[32];
    snprintf(top, sizeof(top), "%.*s", 15, world->root); /* "/tmp/fpc-XXXXXX" */
    nftw(top, drop, 16, FTW_PHYS | FTW_DEPTH);
    bool gone = access(top, F_OK) < 0;
    if (stopped < 0 || destroyed < 0 || !gone)
        print_error("teardown: %s\n", world->error.text);
    arena_free(world->arena);
    test_free(world);
    return stopped < 0 || destroyed < 0 || !gone ? -1 : 0;
}

/* ---- doing things ---- */

static struct container_definition *definition_of(struct world *world, bool privileged)
{
    struct container_definition *definition = described_new(world->arena, &container_definition_table);
    definition->lxc_name = world->name;
    definition->uid = UID;
    definition->generation = 3;
    definition->root = world->guest;
    definition->id_base = privileged ? 0 : ID_BASE;
    definition->hostname = "web";
    struct pair *pair = arena_append(world->arena, definition->env.items, definition->env.count);
    *pair = (struct pair){.key = "GREETING", .value = "hello \"world\" $x"};
    definition->limits->memory = 64 * MEBIBYTE;
    definition->limits->cpus = 500;
    definition->limits->pids = 100;
    return definition;
}

static void command_of(struct world *world, struct container_definition *definition, const char *script)
{
    static const char *const words[] = {"/bin/sh", "-c"};
    for (size_t i = 0; i < 2; i++)
        *arena_append(world->arena, definition->command.items, definition->command.count) = words[i];
    *arena_append(world->arena, definition->command.items, definition->command.count) = script;
}

static const char *define(struct world *world, const struct container_definition *definition)
{
    struct container_defined defined = {0};
    assert_ok(container_effects.define(&world->paths, definition, &world->call, &defined, &world->error));
    assert_non_null(defined.config_digest);
    return defined.config_digest;
}

static struct container_started start(struct world *world)
{
    const struct container_reference reference = {.lxc_name = world->name};
    struct container_started started = {0};
    assert_ok(container_effects.start(&world->paths, &reference, &world->call, &started, &world->error));
    return started;
}

static void stop(struct world *world, int64_t timeout)
{
    const struct container_stop request = {.lxc_name = world->name, .timeout = timeout};
    assert_ok(container_effects.stop(&world->paths, &request, &world->call, &world->error));
}

static void destroy(struct world *world)
{
    const struct container_reference reference = {.lxc_name = world->name};
    assert_ok(container_effects.destroy(&world->paths, &reference, &world->call, &world->error));
}

static struct observed_container *look(struct world *world)
{
    struct observed_containers all;
    assert_ok(container_view.dump(&world->paths, &world->call, &all, &world->error));
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.items[i].lxc_name, world->name) == 0)
            return &all.items[i];
    return NULL;
}

/* container_exec() talks to the caller's streams and forks: run it where that does no harm. */
static int run_inside(struct world *world, const char *script)
{
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        int result = container_exec(&world->paths, world->name, argv, &error);
        if (result < 0)
            fprintf(stderr, "%s\n", error.text);
        _exit(result < 0 ? 255 : result);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void await_end(int64_t pid)
{
    _cleanup_close_ int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        assert_int_equal(poll(&end, 1, 10000), 1);
}

/* ---- tests ---- */

static void check_lifecycle(struct world *world, bool privileged)
{
    struct container_definition *definition = definition_of(world, privileged);
    const char *digest = define(world, definition);
    struct observed_container *seen = look(world);
    assert_non_null(seen);
    assert_true(seen->defined && seen->ours && !seen->running && !seen->exited);
    assert_string_equal(seen->uid, UID);
    assert_int_equal(seen->generation, 3);
    assert_string_equal(seen->config_digest, digest);
    assert_string_equal(define(world, definition), digest);

    struct container_started started = start(world);
    seen = look(world);
    assert_true(seen->running);
    assert_true(started.init_pid > 0 && started.init_start > 0);
    assert_int_equal(seen->init_pid, started.init_pid);
    assert_int_equal(seen->init_start, started.init_start);
    assert_true(seen->monitor_pid > 0);
    assert_int_equal(start(world).init_pid, started.init_pid);
    assert_int_equal(seen->limits.memory, 64 * MEBIBYTE);
    assert_int_equal(seen->limits.swap, 0);
    assert_int_equal(seen->limits.cpus, 500);
    assert_int_equal(seen->limits.pids, 100);

    assert_int_equal(run_inside(world, "test \"$GREETING\" = 'hello \"world\" $x' || exit 1; exit 7"), 7);
    assert_int_equal(
        run_inside(world, "test -z \"$FPSYNC_BUILD\" && test $$ != 1 && cat /proc/1/cmdline >/dev/null"), 0);
    assert_int_equal(run_inside(world, "grep -q '^sysfs /sys sysfs ro' /proc/mounts || exit 1"), 0);
    stop(world, 10000);
    seen = look(world);
    assert_true(seen->defined && !seen->running && !seen->leftover_cgroups);
    stop(world, 10000);
    destroy(world);
    assert_null(look(world));
    destroy(world);
}

static void lifecycle_unprivileged(void **state)
{
    check_lifecycle(*state, false);
}

static void lifecycle_privileged(void **state)
{
    check_lifecycle(*state, true);
}

static void deep_root(void **state)
{
    struct world *world = *state;
    assert_true(strlen(world->paths.lxc) + strlen(world->name) > 100);
    define(world, definition_of(world, false));
    struct container_started started = start(world);
    struct observed_container *seen = look(world);
    assert_true(seen->running);
    assert_int_equal(seen->init_pid, started.init_pid);
    stop(world, 0);
    assert_false(look(world)->running);
}

static void set_and_check(struct world *world, int64_t memory, int64_t swap, int64_t cpus, int64_t pids)
{
    struct container_limits *request = described_new(world->arena, &container_limits_table);
    request->lxc_name = world->name;
    request->limits->memory = memory;
    request->limits->swap = swap;
    request->limits->cpus = cpus;
    request->limits->pids = pids;
    struct container_defined defined = {0};
    assert_ok(container_effects.set_limits(&world->paths, request, &world->call, &defined, &world->error));
    struct observed_container *seen = look(world);
    assert_int_equal(seen->limits.memory, memory);
    if (field_is_present(&limits_table, &seen->limits, field_by_key(&limits_table, "swap")))
        assert_int_equal(seen->limits.swap, swap);
    assert_int_equal(seen->limits.cpus, cpus);
    assert_int_equal(seen->limits.pids, pids);
    assert_string_equal(seen->config_digest, defined.config_digest);
    struct container_definition *same = definition_of(world, false);
    *same->limits = *request->limits;
    assert_string_equal(define(world, same), defined.config_digest);
}

static void limits_change_live(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    struct container_started started = start(world);
    set_and_check(world, 128 * MEBIBYTE, 32 * MEBIBYTE, 1500, 200);
    set_and_check(world, 32 * MEBIBYTE, 0, 250, 50);
    set_and_check(world, 0, 0, 0, 8192);
    set_and_check(world, 64 * MEBIBYTE, 64 * MEBIBYTE, 4000, 100);
    set_and_check(world, 100 * MEBIBYTE, 0, 0, 100);
    assert_int_equal(look(world)->init_pid, started.init_pid);

    struct container_limits *request = described_new(world->arena, &container_limits_table);
    request->lxc_name = world->name;
    request->limits->memory = 4096;
    struct container_defined defined = {0};
    assert_int_equal(
        container_effects.set_limits(&world->paths, request, &world->call, &defined, &world->error), -EBUSY);
}

static void await_exit(struct world *world, int64_t pid)
{
    await_end(pid);
    stop(world, 0);
}

static void command_leaves_its_status(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition,
               "test \"$GREETING\" || exit 1\n# a second line: 'quoted' \"twice\"\nexit 3");
    define(world, definition);
    for (int round = 0; round < 3; round++) {
        await_exit(world, start(world).init_pid);
        struct observed_container *seen = look(world);
        assert_true(seen->exited && !seen->running);
        assert_int_equal(seen->exit_status, 3);
    }
}

static void command_is_stopped(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition, "trap 'exit 42' TERM; while :; do sleep 0.05; done");
    define(world, definition);
    start(world);
    assert_false(look(world)->exited);
    int64_t before = now_milliseconds();
    stop(world, 20000);
    assert_true(now_milliseconds() - before < 10000);
    struct observed_container *seen = look(world);
    assert_true(seen->exited);
    assert_int_equal(seen->exit_status, 42);
}

static void missing_command_is_told(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    *arena_append(world->arena, definition->command.items, definition->command.count) = "/no/such";
    define(world, definition);
    await_exit(world, start(world).init_pid);
    assert_int_equal(look(world)->exit_status, 127);
}

/* sleep as first process has no handler: SIGPWR would never reach it. */
static void deaf_init_is_not_waited_for(void **state)
{
    struct world *world = *state;
    assert_int_equal(unlink(in_guest(world, "/sbin/init")), 0);
    write_text(in_guest(world, "/sbin/init"), "#!/bin/sh\nexec /bin/sleep 1000\n");
    assert_int_equal(chmod(in_guest(world, "/sbin/init"), 0755), 0);
    define(world, definition_of(world, false));
    start(world);
    int64_t before = now_milliseconds();
    stop(world, 30000);
    assert_true(now_milliseconds() - before < 5000);
    assert_false(look(world)->running);
}

static void broken_init_says_why(void **state)
{
    struct world *world = *state;
    assert_int_equal(unlink(in_guest(world, "/sbin/init")), 0);
    define(world, definition_of(world, false));
    const struct container_reference reference = {.lxc_name = world->name};
    struct container_started started = {0};
    int result = container_effects.start(&world->paths, &reference, &world->call, &started, &world->error);
    assert_true(result < 0);
    assert_non_null(strstr(world->error.text, "/sbin/init"));
    struct observed_container *seen = look(world);
    assert_true(!seen->running && !seen->leftover_cgroups);
}

static void missing_bridge_says_why(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    struct nic *nic = described_new(world->arena, &nic_table);
    *nic = (struct nic){
        .ifname = "fpcnone0", .bridge = "fpcnone1", .mac = "02:00:00:00:00:01", .address = "10.99.0.2/24"};
    *arena_append(world->arena, definition->nics.items, definition->nics.count) = nic;
    define(world, definition);
    const struct container_reference reference = {.lxc_name = world->name};
    struct container_started started = {0};
    assert_true(container_effects.start(&world->paths, &reference, &world->call, &started, &world->error) <
                0);
    assert_non_null(strstr(world->error.text, "fpcnone"));
    struct observed_container *seen = look(world);
    assert_true(!seen->running && !seen->leftover_cgroups);
}

static void foreign_is_untouched(void **state)
{
    struct world *world = *state;
    char *folder = arena_printf(world->arena, "%s/%s", world->paths.lxc, world->name);
    make_folders(folder);
    char *config = arena_printf(world->arena, "%s/config", folder);
    write_text(config, "lxc.uts.name = theirs\n");
    struct container_defined defined;
    struct container_started started;
    const struct container_reference reference = {.lxc_name = world->name};
    assert_int_equal(container_effects.define(&world->paths, definition_of(world, false), &world->call,
                                              &defined, &world->error),
                     -EPERM);
    assert_int_equal(
        container_effects.start(&world->paths, &reference, &world->call, &started, &world->error), -EPERM);
    assert_int_equal(container_effects.destroy(&world->paths, &reference, &world->call, &world->error),
                     -EPERM);
    struct observed_container *seen = look(world);
    assert_true(seen->defined && !seen->ours && !seen->uid);
    assert_int_equal(unlink(config), 0);
}

static void older_generation_is_refused(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    define(world, definition);
    definition->generation = 2;
    struct container_defined defined;
    assert_int_equal(
        container_effects.define(&world->paths, definition, &world->call, &defined, &world->error), -ESTALE);
}

static void control_characters_are_refused(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    definition->env.items[0].value = "a\nlxc.hook.start = /bin/evil";
    struct container_defined defined;
    assert_int_equal(
        container_effects.define(&world->paths, definition, &world->call, &defined, &world->error), -EINVAL);
    definition->env.items[0].value = "a";
    definition->lxc_name = "../evil";
    assert_int_equal(
        container_effects.define(&world->paths, definition, &world->call, &defined, &world->error), -EINVAL);
}

/* A killed monitor takes its guest along and leaves the control groups. */
static void killed_monitor_is_cleaned_up(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    start(world);
    struct observed_container *seen = look(world);
    int64_t init = seen->init_pid;
    assert_int_equal(kill((pid_t)seen->monitor_pid, SIGKILL), 0);
    await_end(init);
    await_end(seen->monitor_pid);
    seen = look(world);
    assert_true(!seen->running && seen->leftover_cgroups);
    start(world);
    seen = look(world);
    assert_true(seen->running && seen->init_pid);
    assert_int_equal(kill((pid_t)seen->monitor_pid, SIGKILL), 0);
    await_end(seen->init_pid);
    await_end(seen->monitor_pid);
    destroy(world);
    assert_null(look(world));
}

static void restart_waits_for_the_monitor(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    for (int round = 0; round < 5; round++) {
        struct container_started started = start(world);
        assert_int_equal(kill((pid_t)started.init_pid, SIGKILL), 0);
        await_end(started.init_pid);
    }
    assert_true(start(world).init_pid > 0);
}

int main(void)
{
#define CASE(test, make) cmocka_unit_test_setup_teardown(test, make, teardown)
    const struct CMUnitTest tests[] = {
        CASE(lifecycle_unprivileged, setup_unprivileged),
        CASE(lifecycle_privileged, setup_privileged),
        CASE(deep_root, setup_deep),
        CASE(limits_change_live, setup_unprivileged),
        CASE(command_leaves_its_status, setup_unprivileged),
        CASE(command_is_stopped, setup_unprivileged),
        CASE(missing_command_is_told, setup_unprivileged),
        CASE(deaf_init_is_not_waited_for, setup_unprivileged),
        CASE(broken_init_says_why, setup_unprivileged),
        CASE(missing_bridge_says_why, setup_unprivileged),
        CASE(foreign_is_untouched, setup_unprivileged),
        CASE(older_generation_is_refused, setup_unprivileged),
        CASE(control_characters_are_refused, setup_unprivileged),
        CASE(killed_monitor_is_cleaned_up, setup_unprivileged),
        CASE(restart_waits_for_the_monitor, setup_unprivileged),
    };
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0 || access(small_init(), X_OK) < 0) {
        print_message("1..0 # SKIP needs root, /bin/busybox and fpsync-init\n");
        return 77;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("container effects", tests, NULL, NULL);
}
