/* Containers that LXC had before: what is read from a config and written again means the same to liblxc, key by key; the
 * mark comes and goes without another byte. Real liblxc, in a root below /tmp; nothing is started. */
#include "tests/unit/container_world.h"

#include <ctype.h>
#include <lxc/lxccontainer.h>

#define CONFIG_LIMIT (1024 * 1024)

static const char *const configs[] = {
    /* quotes, blanks, comments, and what an include says taken back */
    "# mine\nlxc.include = /usr/share/lxc/config/common.conf\n  lxc.hook.mount=\nlxc.hook.post-stop =\n"
    "lxc.cap.drop =\nlxc.cap.drop = sys_time  net_raw\nlxc.uts.name=\"web\"\n"
    "lxc.rootfs.path = dir:/srv/web root\nlxc.net.0.type = empty\nlxc.environment = PATH\nlxc.environment = "
    "A=b c\n"
    "lxc.environment = EMPTY=\nlxc.signal.halt = SIGUSR1\n",
    /* no network at all, two ranges of ids, a capability that there is not, numbers for signals */
    "lxc.rootfs.path = /srv/two\nlxc.uts.name = Two_Names\nlxc.idmap = u 0 200000 1000\n"
    "lxc.idmap = u 1000 1000 1\nlxc.idmap = g 0 200000 65536\nlxc.cap.keep = chown kill\n"
    "lxc.signal.halt = 10\nlxc.group = onboot\nlxc.start.auto = 1\nlxc.tty.max = 2",
    /* limits of both versions, interfaces of every kind, mounts and hooks in order */
    "lxc.rootfs.path = overlay:/srv/lower:/srv/upper\nlxc.net.0.type = veth\nlxc.net.0.link = br0\n"
    "lxc.net.0.flags = up\nlxc.net.0.ipv4.address = 10.1.2.3/24\nlxc.net.1.type = macvlan\n"
    "lxc.net.1.link = eth0\nlxc.net.1.macvlan.mode = bridge\nlxc.cgroup.memory.limit_in_bytes = 64M\n"
    "lxc.cgroup.cpu.cfs_quota_us = 50000\nlxc.cgroup.cpu.cfs_period_us = 100000\nlxc.cgroup.pids.max = 50\n"
    "lxc.cgroup.devices.allow = c 10:200 rwm\nlxc.mount.entry = /a a none bind 0 0\n"
    "lxc.mount.entry = /b b none bind 0 0\nlxc.hook.start = /bin/true\nlxc.prlimit.nofile = 100:200\n",
    /* lines above an include stay above it */
    "lxc.rootfs.path = /srv/four\nlxc.cap.drop = sys_admin\nlxc.environment = EARLY=1\n"
    "lxc.include = /usr/share/lxc/config/userns.conf\nlxc.idmap = u 0 300000 65536\n"
    "lxc.idmap = g 0 300000 65536\nlxc.environment = LATE=2\nlxc.net.0.type = empty\n",
    /* mounts that depend on each other */
    "lxc.rootfs.path = /srv/five\nlxc.mount.entry = /x srv/x none bind 0 0\n"
    "lxc.mount.entry = tmpfs srv/y tmpfs size=1M 0 0\nlxc.mount.entry = /z srv/y/z none bind,ro 0 0\n"
    "lxc.mount.entry = /w srv/w none bind,noexec 0 0\nlxc.mount.entry = tmpfs srv/x/over tmpfs rw 0 0\n"
    "lxc.net.0.type = empty\n",
};

#define DEBIAN_TAIL                                                                                          \
    "lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\nlxc.rootfs.path = dir:/srv/six\n"           \
    "lxc.uts.name = six\nlxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.flags = up\n"             \
    "lxc.net.0.hwaddr = 00:16:3E:12:34:56\n"
/* As lxc-create writes them on Debian, by a template of images and by one that builds. */
static const char *const ordinary[] = {
    "# Template used to create this container: /usr/share/lxc/templates/lxc-download\n"
    "lxc.include = /usr/share/lxc/config/common.conf\nlxc.include = /usr/share/lxc/config/userns.conf\n"
    "lxc.arch = linux64\nlxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n" DEBIAN_TAIL,
    "lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.flags = up\n"
    "lxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\nlxc.rootfs.path = /srv/seven\n"
    "lxc.include = /usr/share/lxc/config/common.conf\nlxc.tty.max = 4\nlxc.pty.max = 1024\nlxc.arch = amd64\n"
    "lxc.uts.name = seven\nlxc.start.auto = 1\n",
};

static const char *path_of(struct world *world, const char *file)
{
    return arena_printf(world->arena, "%s/%s/%s", world->paths.lxc, world->name, file);
}

static void put_config(struct world *world, const char *text)
{
    make_folders(path_of(world, ""));
    write_text(path_of(world, "config"), text);
}

static char *get_config(struct world *world)
{
    _cleanup_buffer_ struct buffer text = {0};
    assert_ok(buffer_read_file(&text, AT_FDCWD, path_of(world, "config"), CONFIG_LIMIT, &world->error));
    return arena_strdup(world->arena, text.length ? text.bytes : "");
}

static int by_line(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A bind makes its place where that is missing, and unless one covers another their order says nothing. */
static void normalize_mounts(char *value)
{
    static const char *const makes[] = {",create=dir", ",create=file"};
    char *lines[64], copy[8192], *rest = copy;
    size_t count = 0;
    for (size_t i = 0; i < 2; i++)
        for (char *at; (at = strstr(value, makes[i]));)
            memmove(at, at + strlen(makes[i]), strlen(at + strlen(makes[i])) + 1);
    snprintf(copy, sizeof(copy), "%s", value);
    for (char *line = strsep(&rest, "\n"); line && count < 64; line = strsep(&rest, "\n"))
        lines[count++] = line;
    qsort(lines, count, sizeof(*lines), by_line);
    *value = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(strcat(value, lines[i]), "\n");
}

/* All that liblxc makes of the file, where lines may stand before fields; for limits, what it has for each of their
 * files. */
static char *meaning(struct world *world)
{
    static const char *const keys[] = {"lxc.rootfs.path",
                                       "lxc.uts.name",
                                       "lxc.idmap",
                                       "lxc.cap.drop",
                                       "lxc.cap.keep",
                                       "lxc.environment",
                                       "lxc.signal.halt",
                                       "lxc.mount.entry",
                                       "lxc.hook.start",
                                       "lxc.hook.mount",
                                       "lxc.tty.max",
                                       "lxc.start.auto",
                                       "lxc.pty.max",
                                       "lxc.hook.post-stop",
                                       "lxc.mount.auto",
                                       "lxc.net.0.type",
                                       "lxc.net.0.link",
                                       "lxc.net.0.flags",
                                       "lxc.net.0.ipv4.address",
                                       "lxc.net.1.type",
                                       "lxc.net.1.link",
                                       "lxc.net.1.macvlan.mode",
                                       "lxc.prlimit.nofile",
                                       "lxc.cgroup.memory.limit_in_bytes",
                                       "lxc.cgroup.devices.allow",
                                       "lxc.arch",
                                       "lxc.apparmor.profile",
                                       "lxc.apparmor.allow_nesting",
                                       "lxc.tty.dir",
                                       "lxc.cgroup2.devices.allow",
                                       "lxc.net.0.hwaddr",
                                       "lxc.seccomp.profile"};
    _cleanup_buffer_ struct buffer out = {0};
    struct lxc_container *lxc = lxc_container_new(world->name, world->paths.lxc);
    assert_non_null(lxc);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char value[8192] = "";
        lxc->get_config_item(lxc, keys[i], value, sizeof(value));
        if (strcmp(keys[i], "lxc.rootfs.path") == 0 && strncmp(value, "dir:", 4) == 0)
            memmove(value, value + 4, strlen(value + 4) + 1);
        if (strcmp(keys[i], "lxc.net.0.type") == 0 && !*value) /* a namespace with nothing in it, too */
            snprintf(value, sizeof(value), "empty");
        if (strcmp(keys[i], "lxc.mount.entry") == 0)
            normalize_mounts(value);
        if (strcmp(keys[i], "lxc.net.0.hwaddr") == 0)
            for (char *at = value; *at; at++)
                *at = (char)tolower((unsigned char)*at);
        if (strcmp(value, "67108864") == 0)
            snprintf(value, sizeof(value), "64M");
        buffer_printf(&out, "%s: %s\n", keys[i], value);
    }
    lxc_container_put(lxc);
    return arena_strdup(world->arena, out.bytes);
}

static struct container_found *find(struct world *world)
{
    struct container_found *found;
    assert_ok(container_view.read_found(&world->paths, world->paths.lxc, world->name, &world->call, &found,
                                        &world->error));
    return found;
}

static struct container_adopted adopt(struct world *world)
{
    struct container_adopt request = {.lxc_name = world->name, .uid = UID, .generation = 1};
    struct container_adopted adopted = {0};
    assert_ok(container_effects.adopt(&world->paths, &request, &world->call, &adopted, &world->error));
    return adopted;
}

/* As the planner hands it on: interfaces as lines, and a host name that was not said is the container's. */
static void define_again(struct world *world, const struct container_found *found)
{
    struct container_definition *definition = found->definition;
    struct container_defined defined;
    const bool lines = !found->nics_say_all || definition->nics.count;
    definition->uid = UID;
    definition->generation = 2;
    definition->nics = (struct list){0};
    for (size_t i = 0; lines && i < found->nets.count; i++)
        *arena_append(world->arena, definition->lxc.items, definition->lxc.count) = found->nets.items[i];
    assert_ok(container_effects.define(&world->paths, definition, &world->call, &defined, &world->error));
}

static void written_again_it_means_the_same(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
        put_config(world, configs[i]);
        char *before = meaning(world);
        struct container_found *found = find(world);
        if (!found->definition->hostname) /* liblxc has none then, and we name what it would take */
            before = NULL;
        adopt(world);
        define_again(world, found);
        char *after = meaning(world);
        if (before)
            assert_string_equal(after, before);
        found = find(world); /* and reads the same once more */
        assert_true(found->definition->adopted);
        char *text = get_config(world);
        define_again(world, found);
        assert_string_equal(get_config(world), text);
    }
}

/* With no line that would have to be permitted. */
static void ordinary_ones_need_no_line(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(ordinary) / sizeof(*ordinary); i++) {
        put_config(world, ordinary[i]);
        char *before = meaning(world);
        struct container_found *found = find(world);
        assert_int_equal(found->definition->lxc.count, 0);
        assert_true(found->nics_say_all);
        assert_int_equal(found->definition->nics.count, 1);
        adopt(world);
        define_again(world, found);
        assert_string_equal(meaning(world), before);
    }
}

static void mounts_keep_their_order(void **state)
{
    struct world *world = *state;
    put_config(world, configs[4]);
    const struct container_definition *definition = find(world)->definition;
    adopt(world);
    assert_int_equal(definition->binds.count, 1);
    assert_string_equal(((struct container_bind *)definition->binds.items[0])->path, "/srv/y/z");
    assert_int_equal(definition->lxc.count, 4);
}

static void mark_comes_and_goes(void **state)
{
    struct world *world = *state;
    const struct container_reference reference = {.lxc_name = world->name};
    put_config(world, configs[0]);
    assert_int_equal(chmod(path_of(world, "config"), 0640), 0);
    struct container_adopted first = adopt(world), again = adopt(world);
    assert_string_equal(first.config_digest, again.config_digest);
    struct observed_container seen;
    assert_ok(container_look(&world->paths, world->name, world->arena, &seen, &world->error));
    assert_true(seen.ours);
    assert_string_equal(seen.uid, UID);
    assert_string_equal(seen.config_digest, first.config_digest);
    assert_int_equal(access(path_of(world, "config.adopted"), F_OK), 0);
    struct container_adopt other = {.lxc_name = world->name, .uid = "feedface", .generation = 1};
    assert_int_equal(container_effects.adopt(&world->paths, &other, &world->call, &first, &world->error),
                     -EPERM);
    assert_ok(container_effects.release(&world->paths, &reference, &world->call, &world->error));
    assert_string_equal(get_config(world), configs[0]);
    assert_int_equal(access(path_of(world, "config.adopted"), F_OK), -1);
    struct stat status;
    assert_int_equal(stat(path_of(world, "config"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_ok(container_effects.release(&world->paths, &reference, &world->call, &world->error));
    assert_string_equal(get_config(world), configs[0]);
    adopt(world); /* for the teardown to be allowed */
}

/* Changed while it was adopted, so that its owner's words are not put back: they stay beside it, whatever comes. */
static void what_its_owner_wrote_is_never_lost(void **state)
{
    struct world *world = *state;
    const struct container_reference reference = {.lxc_name = world->name};
    put_config(world, configs[0]);
    for (int i = 0; i < 3; i++) {
        adopt(world);
        FILE *config = fopen(path_of(world, "config"), "a");
        assert_non_null(config);
        assert_true(fprintf(config, "lxc.environment = ROUND=%d\n", i) > 0);
        assert_int_equal(fclose(config), 0);
        assert_ok(container_effects.release(&world->paths, &reference, &world->call, &world->error));
        assert_string_not_equal(get_config(world), configs[0]);
    }
    _cleanup_buffer_ struct buffer first = {0};
    assert_ok(
        buffer_read_file(&first, AT_FDCWD, path_of(world, "config.adopted.first"), 65536, &world->error));
    assert_string_equal(first.bytes, configs[0]);
    adopt(world); /* for the teardown to be allowed */
}

static void interfaces_keep_their_ends(void **state)
{
    struct world *world = *state;
    put_config(world, "lxc.rootfs.path = /srv/x\nlxc.net.0.type = veth\nlxc.net.0.link = br0\n"
                      "lxc.net.0.veth.pair = old\nlxc.net.0.hwaddr = 02:00:00:xx:xx:xx\n");
    struct nic *nic = described_new(world->arena, &nic_table);
    nic->ifname = "fpp01234567";
    nic->mac = "02:00:00:00:00:01";
    struct container_adopt request = {.lxc_name = world->name, .uid = UID, .generation = 1};
    *arena_append(world->arena, request.nics.items, request.nics.count) = nic;
    struct container_adopted adopted;
    assert_ok(container_effects.adopt(&world->paths, &request, &world->call, &adopted, &world->error));
    const char *text = get_config(world);
    assert_null(strstr(text, "old"));
    assert_null(strstr(text, "xx:xx"));
    assert_non_null(strstr(text, "lxc.net.0.veth.pair = fpp01234567\n"));
    assert_non_null(strstr(text, "lxc.net.0.hwaddr = 02:00:00:00:00:01\n"));
    nic->mac = "02:00:00:00:00:01\nlxc.hook.start = /bin/sh";
    put_config(world, configs[1]);
    assert_int_equal(container_effects.adopt(&world->paths, &request, &world->call, &adopted, &world->error),
                     -EINVAL);
    assert_string_equal(get_config(world), configs[1]);
    nic->mac = "02:00:00:00:00:01";
    assert_ok(container_effects.adopt(&world->paths, &request, &world->call, &adopted, &world->error));
}

static void links_are_not_followed(void **state)
{
    struct world *world = *state;
    put_config(world, configs[1]);
    write_text(path_of(world, "elsewhere"), configs[0]);
    assert_int_equal(unlink(path_of(world, "config")), 0);
    assert_int_equal(symlink(path_of(world, "elsewhere"), path_of(world, "config")), 0);
    struct container_adopt request = {.lxc_name = world->name, .uid = UID, .generation = 1};
    struct container_adopted adopted;
    assert_int_equal(container_effects.adopt(&world->paths, &request, &world->call, &adopted, &world->error),
                     -ELOOP);
    assert_int_equal(unlink(path_of(world, "config")), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_unprivileged, teardown)
    const struct CMUnitTest tests[] = {
        CASE(written_again_it_means_the_same),
        CASE(ordinary_ones_need_no_line),
        CASE(mounts_keep_their_order),
        CASE(mark_comes_and_goes),
        CASE(interfaces_keep_their_ends),
        CASE(links_are_not_followed),
        CASE(what_its_owner_wrote_is_never_lost),
    };
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0 || access(small_init(), X_OK) < 0) {
        puts("1..1\nok 1 - adopted containers # SKIP needs root, /bin/busybox and fpsync-init");
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("adopted containers", tests, NULL, NULL);
}
