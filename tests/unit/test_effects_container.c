/* The container family on real LXC: busybox guests below a root of their own. Needs root; skipped without. */
#include <pty.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/container_world.h"

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

static int look_elsewhere(struct world *world, const struct hierarchies *before)
{
    const char *elsewhere = arena_printf(world->arena, "%s/cgroups", world->root);
    struct hierarchies after;
    if (mkdir(elsewhere, 0755) < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("/sys/fs/cgroup", elsewhere, NULL, MS_BIND | MS_REC, NULL) < 0 ||
        umount2("/sys/fs/cgroup", MNT_DETACH) < 0 ||
        hierarchies_read(world->arena, &after, &world->error) < 0 || after.count != before->count)
        return 1;
    for (size_t i = 0; i < before->count; i++) {
        const struct hierarchy *was = hierarchy_of(before, after.items[i].controllers);
        bool same =
            after.items[i].unified || (was && strcmp(was->controllers, after.items[i].controllers) == 0);
        if (!same || strncmp(after.items[i].folder, elsewhere, strlen(elsewhere)) != 0)
            return 2;
    }
    return 0;
}

/* Where hierarchies are not mounted where they usually are, the mount table tells the same of them. */
static void groups_are_found_elsewhere(void **state)
{
    struct world *world = *state;
    struct hierarchies before;
    int status;
    assert_ok(hierarchies_read(world->arena, &before, &world->error));
    assert_true(before.count > 0);
    pid_t child = fork();
    if (child == 0)
        _exit(look_elsewhere(world, &before));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What is known of an init counts only while it is that process, and this container's. */
static void known_init_is_verified(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    struct container_started started = start(world);
    const struct known_init good = {started.init_pid, started.init_start, started.boot, NULL};
    struct known_init right = good;
    struct observed_container *seen = look_knowing(world, &right);
    assert_int_equal(seen->init_pid, started.init_pid);
    assert_int_equal(seen->monitor_pid, 0); /* not even looked for */
    assert_int_equal(seen->limits.memory, 64 * MEBIBYTE);
    struct known_init wrong[] = {good, good, good, good, good};
    wrong[0].start--;
    wrong[1].boot = "another boot";
    wrong[2].boot = NULL;
    wrong[3].pid = 0;
    wrong[4].pid = 0x7ffffff0; /* nobody's */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        seen = look_knowing(world, &wrong[i]);
        assert_int_equal(seen->init_pid, started.init_pid);
        assert_int_equal(seen->init_start, started.init_start);
        assert_true(seen->monitor_pid > 0);
        assert_int_equal(seen->limits.memory, 64 * MEBIBYTE);
    }
    stop(world, 0);
    seen = look_knowing(world, &right);
    assert_true(!seen->running && !seen->init_pid);
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
    command_of(world, definition, "trap 'exit 42' TERM; echo > /tmp/ready; while :; do sleep 0.05; done");
    define(world, definition);
    start(world);
    /* Before its trap the shell would just die of the signal. */
    while (access(in_guest(world, "/tmp/ready"), F_OK) < 0 && call_check(&world->call) == 0)
        poll(NULL, 0, 5);
    assert_false(look(world)->exited);
    int64_t before = now_milliseconds();
    stop(world, 20000);
    assert_true(now_milliseconds() - before < 10000);
    struct observed_container *seen = look(world);
    assert_true(seen->exited);
    assert_int_equal(seen->exit_status, 42);
}

/* A command that cannot be run has never begun: the start fails, and no exit is on file. */
static void refused(struct world *world, struct container_definition *definition, const char *why)
{
    const struct container_start reference = {.lxc_name = world->name};
    struct container_started started = {0};
    define(world, definition);
    int result = container_effects.start(&world->paths, &reference, &world->call, &started, &world->error);
    assert_int_equal(result, -EIO);
    const char *said = strstr(world->error.text, "its command does not start: ");
    assert_non_null(said);
    assert_string_equal(said + strlen("its command does not start: "), why);
    struct observed_container *seen = look(world);
    assert_true(seen->defined && !seen->running && !seen->exited && !seen->leftover_cgroups);
    world->error = (struct error){0};
}

static void command_that_cannot_run_fails_the_start(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    *arena_append(world->arena, definition->command.items, definition->command.count) = "/no/such";
    refused(world, definition, "cannot run /no/such: No such file or directory");
    definition->command.items[0] = "such";
    refused(world, definition, "cannot run such: No such file or directory: none of PATH has it");
    write_text(in_guest(world, "/bin/broken"), "no program\n");
    definition->command.items[0] = "broken";
    refused(world, definition, "cannot run broken: Permission denied");
    assert_int_equal(chmod(in_guest(world, "/bin/broken"), 0755), 0);
    refused(world, definition, "cannot run broken: Exec format error");
    write_text(in_guest(world, "/bin/broken"), "#!/bin/no-shell\n");
    definition->command.items[0] = "/bin/broken";
    refused(world, definition,
            "cannot run /bin/broken: No such file or directory: the file is there, but not the interpreter "
            "or the "
            "loader that it names");
    definition->command.items[0] = "true";
    definition->user = "nobody-here";
    refused(world, definition, "/etc/passwd knows no user nobody-here");
    definition->user = NULL;
    definition->directory = "/bin/broken/below";
    refused(world, definition, "cannot enter /bin/broken/below: Not a directory");
    definition->directory = NULL;
    define(world, definition);
    await_exit(world, start(world).init_pid);
    assert_int_equal(look(world)->exit_status, 0);
}

/* What a program that ran ends with is its own affair, also where a shell says so of what is missing. */
static void status_127_is_an_exit(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition, "/no/such");
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
    assert_true(now_milliseconds() - before < 8000);
    assert_false(look(world)->running);
}

static void broken_init_says_why(void **state)
{
    struct world *world = *state;
    assert_int_equal(unlink(in_guest(world, "/sbin/init")), 0);
    define(world, definition_of(world, false));
    const struct container_start reference = {.lxc_name = world->name};
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
    const struct container_start reference = {.lxc_name = world->name};
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
    const struct container_start asked = {.lxc_name = world->name};
    assert_int_equal(container_effects.define(&world->paths, definition_of(world, false), &world->call,
                                              &defined, &world->error),
                     -EPERM);
    assert_int_equal(container_effects.start(&world->paths, &asked, &world->call, &started, &world->error),
                     -EPERM);
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

static int run_ip(const char *const *arguments)
{
    pid_t child = fork();
    if (child == 0) {
        execv("/usr/sbin/ip", (char *const *)arguments);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

static void nics_are_there_before_init(void **state)
{
    struct world *world = *state;
    const char *bridge = arena_printf(world->arena, "fpc%sb", world->paths.tag);
    const char *port = arena_printf(world->arena, "fpc%sp", world->paths.tag);
    const char *const add[] = {"ip", "link", "add", bridge, "type", "bridge", NULL};
    const char *const drop_it[] = {"ip", "link", "delete", bridge, NULL};
    struct container_definition *definition = definition_of(world, false);
    struct nic *nic = described_new(world->arena, &nic_table);
    *nic = (struct nic){.ifname = port,
                        .index = 0,
                        .bridge = bridge,
                        .mac = "02:fc:00:00:00:01",
                        .address = "10.99.0.2/24",
                        .gateway = "10.99.0.1"};
    *arena_append(world->arena, definition->nics.items, definition->nics.count) = nic;
    command_of(world, definition,
               "set -e; ip address show dev eth0 | grep -q 02:fc:00:00:00:01\n"
               "ip address show dev eth0 | grep -q 'inet 10.99.0.2/24'\n"
               "ip route | grep -q 'default via 10.99.0.1'\n"
               "ip link | grep -q eth1 && exit 5\n"
               "exit 4");
    define(world, definition);
    assert_int_equal(run_ip(add), 0);
    await_exit(world, start(world).init_pid);
    int deleted = run_ip(drop_it);
    assert_int_equal(look(world)->exit_status, 4);
    assert_int_equal(deleted, 0);
    char *left = arena_printf(world->arena, "/sys/class/net/%s", port);
    assert_true(access(left, F_OK) < 0);
}

/* What a command finds: a search path, its environment, no descriptor of ours, every signal at its default. */
static void command_starts_clean(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition,
               "grep -q PATH=/usr/local/sbin: /proc/self/environ || exit 10\n"
               "cat /dev/null || exit 11\n"
               "grep -q '^SigIgn:.0000000000000000' /proc/self/status || exit 12\n"
               "grep -q '^SigBlk:.0000000000000000' /proc/self/status || exit 13\n"
               "set -- /proc/$$/fd/*; test $# -le 4 || exit 14\n"
               "test $(umask) = 0022 || exit 15\n"
               "exit 20");
    define(world, definition);
    /* Ignored above, also the two that the C library keeps from us: by the kernel's own call. */
    unsigned long ignored[8] = {(unsigned long)SIG_IGN}, before[2][8];
    for (int number = 32; number <= 33; number++)
        syscall(SYS_rt_sigaction, number, ignored, before[number - 32], (size_t)8);
    umask(022);
    await_exit(world, start(world).init_pid);
    for (int number = 32; number <= 33; number++)
        syscall(SYS_rt_sigaction, number, before[number - 32], NULL, (size_t)8);
    assert_int_equal(look(world)->exit_status, 20);
}

static bool appears(const char *path)
{
    for (int64_t until = now_milliseconds() + 10000; now_milliseconds() < until; poll(NULL, 0, 10))
        if (access(path, F_OK) == 0)
            return true;
    return false;
}

/* As init has ended, the monitor's only child may be a helper (here a hook; AppArmor's parser in the field): it is not
 * taken for the init, and the monitor is left to its end, however long the helper takes. */
static void helper_of_a_monitor_is_no_init(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition, "exec sleep 1000");
    define(world, definition);
    char *hook = arena_printf(world->arena, "%s/hook", world->root);
    char *began = arena_printf(world->arena, "%s/began", world->root);
    char *ended = arena_printf(world->arena, "%s/ended", world->root);
    char *config = arena_printf(world->arena, "%s/%s/config", world->paths.lxc, world->name);
    /* Longer than a monitor may go without an init. */
    write_text(hook, arena_printf(world->arena, "#!/bin/sh\n: >%s\n/bin/sleep 4\n: >%s\n", began, ended));
    assert_int_equal(chmod(hook, 0755), 0);
    FILE *file = fopen(config, "ae");
    assert_non_null(file);
    fprintf(file, "lxc.hook.stop = %s\n", hook);
    assert_int_equal(fclose(file), 0);
    struct container_started started = start(world);
    assert_int_equal(look(world)->init_pid, started.init_pid);
    assert_int_equal(kill((pid_t)started.init_pid, SIGKILL), 0);
    assert_true(appears(began));
    struct observed_container *seen = look(world);
    assert_true(seen->running && seen->monitor_pid > 0);
    assert_int_equal(seen->init_pid, 0);
    stop(world, 0);
    assert_true(access(ended, F_OK) == 0);
    assert_false(look(world)->running);
}

/* What a killed monitor leaves of its AppArmor profile goes with the container; a folder of somebody else's stays. */
static void profile_goes_with_its_container(void **state)
{
    struct world *world = *state;
    char *folder = arena_printf(world->arena, "%s/%s", world->paths.lxc, world->name);
    define(world, definition_of(world, false));
    make_folders(arena_printf(world->arena, "%s/apparmor", folder));
    write_text(arena_printf(world->arena, "%s/apparmor/lxc-x", folder), "profile \"lxc-x\" {}\n");
    destroy(world);
    assert_true(access(folder, F_OK) < 0);
    define(world, definition_of(world, false));
    make_folders(arena_printf(world->arena, "%s/apparmor/other", folder));
    destroy(world);
    assert_true(access(arena_printf(world->arena, "%s/apparmor/other", folder), F_OK) == 0);
}

static void reads_until(int terminal, const char *wanted, char *text, size_t size)
{
    size_t length = 0;
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    while (length + 1 < size && poll(&ready, 1, 10000) > 0) {
        ssize_t got = read(terminal, text + length, size - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        if (strstr(text, wanted))
            return;
    }
    fail_msg("\"%s\" did not come, but: %s", wanted, text);
}

/* At a terminal the program gets one of the container's own. */
static void exec_has_a_terminal(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    start(world);
    int terminal;
    char text[4096] = "";
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0) {
        char *argv[] = {
            (char *)"/bin/sh", (char *)"-c",
            (char
                 *)"test -t 0 && test -t 1 && echo is-a-$((1+1))-terminal; read word; echo got=$word; exit 9",
            NULL};
        struct error error = {0};
        int result = container_exec(&world->paths, world->name, argv, &error);
        _exit(result < 0 ? 255 : result);
    }
    assert_true(child > 0);
    reads_until(terminal, "is-a-2-terminal", text, sizeof(text));
    assert_int_equal(write(terminal, "word\n", 5), 5);
    reads_until(terminal, "got=word", text, sizeof(text));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(terminal);
    assert_int_equal(WEXITSTATUS(status), 9);
}

static void frozen_is_killed(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    start(world);
    const char *files[] = {"/sys/fs/cgroup/freezer/lxc.payload.%s/freezer.state",
                           "/sys/fs/cgroup/lxc.payload.%s/cgroup.freeze"};
    const char *values[] = {"FROZEN", "1"};
    int frozen = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[256];
        snprintf(path, sizeof(path), files[i], world->name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        frozen += fd >= 0 && write(fd, values[i], strlen(values[i])) > 0;
    }
    assert_int_equal(frozen, 1);
    stop(world, 0);
    assert_false(look(world)->running);
}

static void cancelled_start_leaves_nothing(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    const struct container_start reference = {.lxc_name = world->name};
    struct container_started started = {0};
    for (int milliseconds = 1; milliseconds < 40; milliseconds += 3) {
        struct call call = world->call;
        call.deadline = now_milliseconds() + milliseconds;
        int result = container_effects.start(&world->paths, &reference, &call, &started, &world->error);
        assert_true(result == 0 || result == -ETIMEDOUT);
        struct observed_container *seen = look(world);
        assert_true(seen->running == (result == 0));
        assert_false(seen->leftover_cgroups);
        stop(world, 0);
    }
}

/* One that names the place of the root, on which it was mounted then, and is not written anew. */
static void config_of_an_earlier_release(void **state)
{
    struct world *world = *state;
    char path[CONTAINER_PATH_SIZE], line[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    define(world, definition_of(world, false));
    container_path(&world->paths, world->name, "config", path);
    assert_true(buffer_read_file(&text, AT_FDCWD, path, 65536, NULL) >= 0);
    snprintf(line, sizeof(line), "lxc.rootfs.path = dir:%s/" PATHS_ROOT "\n", world->place);
    char *found = strstr(text.bytes, line);
    assert_non_null(found);
    found[strlen(line) - sizeof("/" PATHS_ROOT)] = '\n';
    memmove(found + strlen(line) - strlen("/" PATHS_ROOT), found + strlen(line),
            strlen(found + strlen(line)) + 1);
    write_text(path, text.bytes);
    assert_true(start(world).init_pid > 0);
    stop(world, 0);
    const struct container_reference reference = {.lxc_name = world->name};
    assert_ok(container_effects.destroy(&world->paths, &reference, &world->call, &world->error));
}

/* A monitor that lost its init and does not end: stopped by hand here, so that it cannot. */
static void stuck_monitor_is_killed(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    struct container_started started = start(world);
    int64_t monitor = look(world)->monitor_pid;
    assert_int_equal(kill((pid_t)monitor, SIGSTOP), 0);
    assert_int_equal(kill((pid_t)started.init_pid, SIGKILL), 0);
    await_end(started.init_pid);
    struct observed_container *seen = look(world);
    assert_true(seen->running && !seen->init_pid);
    stop(world, 0);
    seen = look(world);
    assert_true(!seen->running);
    assert_true(start(world).init_pid > 0);
}

/* More processors than this machine has, every other one: as a kernel with 4,096 of them would tell. */
static void long_list_is_read_whole(void **state)
{
    struct world *world = *state;
    char folder[] = "/tmp/fps-list-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/lxc.payload.x", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/lxc.payload.x/cpuset.cpus", folder);
    _cleanup_buffer_ struct buffer list = {0};
    for (int number = 0; number < 4096; number += 2)
        buffer_printf(&list, "%s%d", number ? "," : "", number);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", list.bytes);
    fclose(file);
    struct limit_folders folders;
    for (size_t i = 0; i < LIMIT_SOURCES; i++)
        folders.of[i] = (struct limit_folder){.fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct limits *said = described_new(world->arena, &limits_table);
    struct limits *seen = described_new(world->arena, &limits_table);
    said->cpuset = list.bytes;
    field_mark(&limits_table, said, offsetof(struct limits, cpuset));
    assert_true(limits_by_name(&folders, "x", said, world->arena, seen));
    assert_string_equal(seen->cpuset, list.bytes);
    limit_folders_close(&folders);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lxc.payload.x", folder);
    rmdir(path);
    rmdir(folder);
}

int main(void)
{
#define CASE(test, make) cmocka_unit_test_setup_teardown(test, make, teardown)
    const struct CMUnitTest tests[] = {
        CASE(lifecycle_unprivileged, setup_unprivileged),
        CASE(lifecycle_privileged, setup_privileged),
        CASE(deep_root, setup_deep),
        CASE(groups_are_found_elsewhere, setup_unprivileged),
        CASE(known_init_is_verified, setup_unprivileged),
        CASE(limits_change_live, setup_unprivileged),
        CASE(long_list_is_read_whole, setup_unprivileged),
        CASE(command_leaves_its_status, setup_unprivileged),
        CASE(command_is_stopped, setup_unprivileged),
        CASE(command_that_cannot_run_fails_the_start, setup_unprivileged),
        CASE(status_127_is_an_exit, setup_unprivileged),
        CASE(deaf_init_is_not_waited_for, setup_unprivileged),
        CASE(broken_init_says_why, setup_unprivileged),
        CASE(missing_bridge_says_why, setup_unprivileged),
        CASE(foreign_is_untouched, setup_unprivileged),
        CASE(older_generation_is_refused, setup_unprivileged),
        CASE(control_characters_are_refused, setup_unprivileged),
        CASE(killed_monitor_is_cleaned_up, setup_unprivileged),
        CASE(restart_waits_for_the_monitor, setup_unprivileged),
        CASE(nics_are_there_before_init, setup_unprivileged),
        CASE(command_starts_clean, setup_unprivileged),
        CASE(exec_has_a_terminal, setup_unprivileged),
        CASE(frozen_is_killed, setup_unprivileged),
        CASE(config_of_an_earlier_release, setup_unprivileged),
        CASE(stuck_monitor_is_killed, setup_unprivileged),
        CASE(helper_of_a_monitor_is_no_init, setup_unprivileged),
        CASE(profile_goes_with_its_container, setup_unprivileged),
        CASE(cancelled_start_leaves_nothing, setup_unprivileged),
    };
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0 || access(small_init(), X_OK) < 0) {
        puts("1..1\nok 1 - container effects # SKIP needs root, /bin/busybox and fpsync-init");
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    cmocka_set_test_filter(getenv("FPSYNC_TEST"));
    return cmocka_run_group_tests_name("container effects", tests, NULL, NULL);
}
