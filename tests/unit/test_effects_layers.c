/* Frozen uppers against the overlay itself, on the real kernel: whatever is done to a root, it shows the same after it
 * was frozen, merged and put on again, also when a merge was killed anywhere. What is done is drawn by lot; a failure
 * names its seed, and FPSYNC_SEED repeats it. Needs root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/guest/idmap.h"
#include "lib/buffer.h"
#include "tests/unit/storage_world.h"

#define TRIALS  12
#define ROUNDS  9 /* more than lie below a live upper, so that some are merged */
#define CHANGES 40

static void make_image(const char *digest)
{
    static const char *const folders[] = {"a", "a/b", "a/b/c", "d", "d/e", "f"};
    static const char *const files[] = {"one", "two"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *folder = at(arena_printf(arena, "var/lib/fpsync/images/%s/root/%s", digest, folders[i]));
        assert_true(make_path(folder));
        for (size_t j = 0; j < 2; j++)
            make_file(arena_printf(arena, "%s/%s", folder, files[j]), digest);
    }
    make_file(at(arena_printf(arena, "var/lib/fpsync/images/%s/complete", digest)), "bytes 1\n");
}

static int set_up(void **state)
{
    (void)state;
    if (world_begin() < 0)
        return -1;
    make_image(DIGEST);
    make_image(OTHER);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return world_end();
}

static struct root_mount *request(const char *digest)
{
    struct root_mount *mount = described_new(arena, &root_mount_table);
    mount->lxc_name = "web";
    mount->layer = "x_web";
    mount->digest = digest;
    mount->id_base = BASE;
    return mount;
}

static void put_on(const char *digest)
{
    assert_done(storage_effects.mount_root(&paths, request(digest), &call, &error));
}

static void take_off(void)
{
    struct root_reference reference = {.lxc_name = "web"};
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
}

static const char *change(const struct data_change *wanted)
{
    struct data_changed changed = {0};
    assert_done(storage_effects.change_layer(&paths, wanted, &call, &changed, &error));
    return changed.name;
}

/* ---- what a root shows ---- */

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static void show(const char *path, size_t prefix, struct buffer *out)
{
    struct stat status;
    char text[256] = "";
    if (lstat(path, &status) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    /* Not how many names it has: a lower file with one of its names hidden still counts that one. */
    buffer_printf(out, "%s %o %u:%u", path + prefix, status.st_mode, status.st_uid, status.st_gid);
    if (getxattr(path, "user.word", text, sizeof(text) - 1) > 0)
        buffer_printf(out, " word=%s", text);
    if (S_ISLNK(status.st_mode) && readlink(path, text, sizeof(text) - 1) > 0)
        buffer_printf(out, " -> %s", text);
    buffer_text(out, "\n");
    if (S_ISREG(status.st_mode)) {
        struct buffer content = {0};
        int result = buffer_read_file(&content, AT_FDCWD, path, 4096, NULL);
        buffer_printf(out, "    %d %s\n", result, content.bytes ? content.bytes : "");
        buffer_clear(&content);
    }
    struct dirent **items = NULL;
    int count = S_ISDIR(status.st_mode) ? scandir(path, &items, NULL, by_name) : 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(items[i]->d_name, ".") != 0 && strcmp(items[i]->d_name, "..") != 0)
            show(arena_printf(arena, "%s/%s", path, items[i]->d_name), prefix, out);
        free(items[i]);
    }
    free(items);
}

static char *shown(void)
{
    struct buffer text = {0};
    const char *point = at("run/fpsync/mounts/web/root");
    show(point, strlen(point), &text);
    char *copy = arena_strndup(arena, text.bytes, text.length);
    buffer_clear(&text);
    return copy;
}

/* ---- what a guest does ---- */

static unsigned draw(unsigned *seed, unsigned below)
{
    return (unsigned)rand_r(seed) % below;
}

static const char *any_path(unsigned *seed)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "one", "two"};
    char *path = arena_strdup(arena, at("run/fpsync/mounts/web/root"));
    for (unsigned depth = 1 + draw(seed, 3); depth > 0; depth--)
        path = arena_printf(arena, "%s/%s", path, names[draw(seed, 8)]);
    return path;
}

static void remove_all(const char *path)
{
    char *copy = arena_strdup(arena, path), *name = strrchr(copy, '/');
    *name++ = '\0';
    int folder = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 && unlinkat(folder, name, 0) < 0)
        tree_remove(folder, name, NULL);
    if (folder >= 0)
        close(folder);
}

/* What does not go does not matter: there is always something else. */
static void do_anything(unsigned *seed)
{
    const char *path = any_path(seed), *other = any_path(seed);
    uid_t owner = BASE + draw(seed, 100);
    int fd;
    switch (draw(seed, 12)) {
    case 0:
    case 1:
        remove_all(path);
        break;
    case 2: /* in the place of what was removed: opaque */
        remove_all(path);
        mkdir(path, 0700);
        break;
    case 3:
        remove_all(path);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            dprintf(fd, "new %u", draw(seed, 1000)), close(fd);
        break;
    case 4:
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd >= 0)
            dprintf(fd, " more %u", draw(seed, 1000)), close(fd);
        break;
    case 5:
        mkdir(path, 0755);
        break;
    case 6:
        (void)!rename(path, other);
        break;
    case 7:
        chmod(path, 0600 | draw(seed, 0100));
        break;
    case 8:
        (void)!lchown(path, owner, owner);
        break;
    case 9:
        (void)!symlink("one", path);
        break;
    case 10:
        (void)!link(path, other);
        break;
    default:
        setxattr(path, "user.word", "word", draw(seed, 4) + 1, 0);
    }
}

/* As the root of the container, whose files alone the mapped upper takes. */
static void do_much(unsigned *seed)
{
    struct identity identity;
    assert_done(identity_take(&identity, BASE, &error));
    for (unsigned i = 0; i < CHANGES; i++)
        do_anything(seed);
    identity_drop(&identity);
}

static void write_as_guest(const char *path, const char *content)
{
    struct identity identity;
    assert_done(identity_take(&identity, BASE, &error));
    make_file(path, content);
    identity_drop(&identity);
}

static unsigned first_seed(void)
{
    const char *given = getenv("FPSYNC_SEED");
    const unsigned seed =
        given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
    print_message("# FPSYNC_SEED=%u\n", seed);
    return seed;
}

static void assert_shown(unsigned seed, unsigned round, const char *before)
{
    const char *after = shown();
    if (strcmp(before, after) == 0)
        return;
    size_t same = 0;
    while (before[same] == after[same])
        same++;
    while (same > 0 && before[same - 1] != '\n')
        same--;
    fail_msg("FPSYNC_SEED=%u, round %u: was \"%.*s\", is \"%.*s\"", seed, round,
             (int)strcspn(before + same, "\n"), before + same, (int)strcspn(after + same, "\n"),
             after + same);
}

static size_t count_frozen(void)
{
    size_t count = 0;
    DIR *folder = opendir(at("var/lib/fpsync/layers/x_web/frozen"));
    for (struct dirent *item; folder && (item = readdir(folder));)
        count += item->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

static void freeze(unsigned round)
{
    const struct data_change wanted = {.file = "x_web", .token = arena_printf(arena, "round-%u", round)};
    change(&wanted);
    change(&wanted); /* asked again, it is already so */
}

/* ---- tests ---- */

static void test_frozen_and_merged_it_shows_the_same(void **state)
{
    (void)state;
    unsigned start = first_seed();
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        unsigned seed = start + trial, lot = seed;
        put_on(DIGEST);
        for (unsigned round = 0; round < ROUNDS; round++) {
            do_much(&lot);
            const char *before = shown();
            take_off();
            freeze(trial * ROUNDS + round);
            put_on(DIGEST);
            assert_shown(seed, round, before);
            assert_in_range(count_frozen(), 0, 4);
        }
        take_off();
        change(&(struct data_change){
            .file = "x_web", .token = arena_printf(arena, "t-%u", trial), .fresh = true});
    }
}

/* A folder that one layer alone has, of which a later one took something away. */
static void test_what_is_gone_is_not_listed(void **state)
{
    (void)state;
    struct identity identity;
    const char *opaque = at("run/fpsync/mounts/web/root/a/b"),
               *fresh = at("run/fpsync/mounts/web/root/fresh");
    const char *const folders[] = {opaque, fresh};
    put_on(DIGEST);
    for (unsigned round = 0; round < 8; round++) {
        assert_done(identity_take(&identity, BASE, &error));
        make_file(at(arena_printf(arena, "run/fpsync/mounts/web/root/round-%u", round)),
                  "for there is no layer without a change");
        for (size_t i = 0; i < 2; i++) {
            const char *one = arena_printf(arena, "%s/one", folders[i]);
            if (round == 0) {
                remove_all(folders[i]);
                assert_int_equal(mkdir(folders[i], 0755), 0);
                make_file(one, "one");
                make_file(arena_printf(arena, "%s/two", folders[i]), "two");
            } else if (round == 1) {
                assert_int_equal(unlink(one), 0);
            }
        }
        identity_drop(&identity);
        const char *before = shown();
        take_off();
        freeze(round);
        put_on(DIGEST);
        assert_shown(0, round, before);
    }
    take_off();
}

static void test_a_merge_may_be_killed_anywhere(void **state)
{
    (void)state;
    unsigned start = first_seed();
    size_t killed = 0;
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        unsigned seed = start + trial, lot = seed;
        put_on(DIGEST);
        for (unsigned round = 0; round < ROUNDS; round++) {
            do_much(&lot);
            const char *before = shown();
            take_off();
            pid_t pid = fork();
            if (pid == 0) {
                const struct data_change wanted = {.file = "x_web",
                                                   .token = arena_printf(arena, "k-%u-%u", trial, round)};
                struct data_changed changed = {0};
                storage_effects.change_layer(&paths, &wanted, &call, &changed, &error);
                storage_effects.mount_root(&paths, request(DIGEST), &call, &error);
                _exit(0);
            }
            nanosleep(&(struct timespec){.tv_nsec = draw(&lot, 16000) * 1000}, NULL);
            kill(pid, SIGKILL);
            int status;
            waitpid(pid, &status, 0);
            killed += WIFSIGNALED(status);
            struct root_reference reference = {.lxc_name = "web"};
            storage_effects.unmount_root(&paths, &reference, &call, &error);
            put_on(DIGEST);
            assert_shown(seed, round, before);
        }
        take_off();
        change(&(struct data_change){
            .file = "x_web", .token = arena_printf(arena, "t-%u", trial), .fresh = true});
    }
    print_message("# %zu of %d were killed before their end\n", killed, TRIALS * ROUNDS);
}

static void test_snapshots_stand(void **state)
{
    (void)state;
    unsigned lot = first_seed();
    const char *texts[6];
    put_on(DIGEST);
    for (unsigned i = 0; i < 6; i++) { /* more than the bound: none may be merged away */
        do_much(&lot);
        texts[i] = shown();
        take_off();
        const char *name = arena_printf(arena, "s%u", i);
        assert_string_equal(change(&(struct data_change){
                                .file = "x_web", .token = name, .name = name, .kept = true, .image = DIGEST}),
                            name);
        put_on(DIGEST);
    }
    for (unsigned i = 0; i < 6; i++) {
        take_off();
        const char *back = arena_printf(arena, "s%u", i), *token = arena_printf(arena, "back-%u", i);
        change(&(struct data_change){.file = "x_web", .token = token, .name = "was", .from = back});
        put_on(DIGEST);
        assert_shown(0, i, texts[i]);
        write_as_guest(at("run/fpsync/mounts/web/root/after"), "x");
    }
    take_off();
    struct observed_snapshots seen;
    assert_done(storage_view.dump_snapshots(&paths, &call, &seen, &error));
    assert_int_equal(seen.count, 12); /* six, and what six ways back replaced */
    for (size_t i = 0; i < seen.count; i++)
        assert_done(storage_effects.drop_layer_snapshot(
            &paths, &(struct data_change){.file = "x_web", .name = seen.items[i].name}, &call, &error));
    put_on(DIGEST);
    take_off();
    assert_in_range(count_frozen(), 0, 4);
}

/* A name with a dot in front is no less of a guest's. */
static void test_hidden_names_are_kept(void **state)
{
    (void)state;
    put_on(DIGEST);
    write_as_guest(at("run/fpsync/mounts/web/root/.only"), "mine");
    take_off();
    assert_string_equal(
        change(&(struct data_change){.file = "x_web", .token = "one", .name = "s", .kept = true}), "s");
    put_on(DIGEST);
    write_as_guest(at("run/fpsync/mounts/web/root/.later"), "mine");
    take_off();
    change(&(struct data_change){.file = "x_web", .token = "two", .fresh = true});
    put_on(DIGEST);
    assert_int_equal(access(at("run/fpsync/mounts/web/root/.only"), F_OK), -1);
    assert_int_equal(access(at("run/fpsync/mounts/web/root/.later"), F_OK), -1);
    take_off();
    change(&(struct data_change){.file = "x_web", .token = "three", .from = "s"});
    put_on(DIGEST);
    assert_int_equal(access(at("run/fpsync/mounts/web/root/.only"), F_OK), 0);
    assert_int_equal(access(at("run/fpsync/mounts/web/root/.later"), F_OK), -1);
    take_off();
}

/* The last change is not made twice, unless what it kept was thrown away since. */
static void test_dropped_snapshots_are_made_again(void **state)
{
    (void)state;
    const struct data_change wanted = {.file = "x_web", .token = "one", .name = "s", .kept = true};
    put_on(DIGEST);
    write_as_guest(at("run/fpsync/mounts/web/root/mine"), "mine");
    take_off();
    assert_string_equal(change(&wanted), "s");
    assert_null(change(&wanted));
    assert_done(storage_effects.drop_layer_snapshot(
        &paths, &(struct data_change){.file = "x_web", .name = "s"}, &call, &error));
    assert_string_equal(change(&wanted), "s");
    assert_int_equal(access(at("var/lib/fpsync/layers/x_web/snapshots/s"), F_OK), 0);
}

static void test_mounted_layers_are_not_changed(void **state)
{
    (void)state;
    struct data_changed changed = {0};
    put_on(DIGEST);
    write_as_guest(at("run/fpsync/mounts/web/root/mine"), "mine");
    const struct data_change wanted = {.file = "x_web", .token = "one"};
    assert_int_equal(storage_effects.change_layer(&paths, &wanted, &call, &changed, &error), -EBUSY);
    take_off();
    change(&wanted);
    put_on(OTHER);
    struct buffer text = {0};
    assert_int_equal(buffer_read_file(&text, AT_FDCWD, at("run/fpsync/mounts/web/root/a/one"), 4096, NULL),
                     0);
    assert_string_equal(text.bytes, OTHER);
    buffer_clear(&text);
    assert_int_equal(access(at("run/fpsync/mounts/web/root/mine"), F_OK), 0);
    take_off();
}

/* The record may not know yet: the change and what is written down of it are two. */
static void test_what_was_brought_back_stays_on_its_image(void **state)
{
    (void)state;
    put_on(DIGEST);
    take_off();
    make_file(at("var/lib/fpsync/layers/x_web/upper/mark"), "old");
    change(&(struct data_change){
        .file = "x_web", .token = "one", .image = DIGEST, .name = "good", .kept = true});
    change(&(struct data_change){.file = "x_web", .token = "on-other", .image = DIGEST});
    put_on(OTHER);
    take_off();
    change(&(struct data_change){
        .file = "x_web", .token = "two", .image = OTHER, .name = "before", .from = "good"});
    assert_int_equal(storage_effects.mount_root(&paths, request(OTHER), &call, &error), -ESTALE);
    put_on(DIGEST);
    take_off();
    change(&(struct data_change){
        .file = "x_web", .token = "three", .image = DIGEST, .name = "kept", .kept = true});
    assert_int_equal(storage_effects.mount_root(&paths, request(OTHER), &call, &error), -ESTALE);
    change(&(struct data_change){.file = "x_web", .token = "on-another", .image = DIGEST});
    put_on(OTHER);
    take_off();
}

static void test_names_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"../x", "X", "", "a/b", "a_b"};
    struct data_changed changed = {0};
    put_on(DIGEST);
    take_off();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct data_change name = {.file = "x_web", .name = bad[i], .kept = true};
        const struct data_change from = {.file = "x_web", .from = bad[i]};
        assert_int_equal(storage_effects.change_layer(&paths, &name, &call, &changed, &error), -EINVAL);
        assert_int_equal(storage_effects.change_layer(&paths, &from, &call, &changed, &error), -EINVAL);
        assert_int_equal(storage_effects.drop_layer_snapshot(&paths, &name, &call, &error), -EINVAL);
    }
}

/* Whether the mounted root has it, as what, whose and with which permissions. */
static const char *node_at(const char *name)
{
    struct stat status;
    if (lstat(at(arena_printf(arena, "run/fpsync/mounts/web/root/%s", name)), &status) < 0)
        return "none";
    const char *type = S_ISFIFO(status.st_mode)   ? "fifo"
                       : S_ISSOCK(status.st_mode) ? "socket"
                       : S_ISCHR(status.st_mode)  ? "character"
                       : S_ISBLK(status.st_mode)  ? "block"
                                                  : "other";
    return arena_printf(arena, "%s %o %u", type, status.st_mode & 07777, (unsigned)status.st_uid);
}

static const char *told;

static void note_progress(void *context, const char *line)
{
    (void)context;
    told = arena_strdup(arena, line);
}

static void copies_have_pipes_and_sockets_and_devices_only_where_they_may(void **state)
{
    (void)state;
    const struct {
        const char *name;
        mode_t mode;
        dev_t device;
    } nodes[] = {{"pipe", S_IFIFO | 0620, 0},
                 {"socket", S_IFSOCK | 0755, 0},
                 {"null", S_IFCHR | 0666, makedev(1, 3)},
                 {"disk", S_IFBLK | 0640, makedev(7, 200)}};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        const char *path =
            at(arena_printf(arena, "var/lib/fpsync/images/%s/root/f/%s", DIGEST, nodes[i].name));
        assert_int_equal(mknod(path, nodes[i].mode, nodes[i].device), 0);
        assert_int_equal(chmod(path, nodes[i].mode & 07777), 0);
    }
    struct root_mount *mount = request(DIGEST);
    mount->copy = true;
    told = NULL;
    call.progress = note_progress;
    assert_done(storage_effects.mount_root(&paths, mount, &call, &error));
    assert_string_equal(node_at("f/pipe"), arena_printf(arena, "fifo 620 %u", (unsigned)BASE));
    assert_string_equal(node_at("f/socket"), arena_printf(arena, "socket 755 %u", (unsigned)BASE));
    assert_string_equal(node_at("f/null"), "none");
    assert_string_equal(node_at("f/disk"), "none");
    assert_string_equal(told, "left out 2 device nodes: an unprivileged container may not have any");
    take_off();
    mount->layer = "x_privileged";
    mount->id_base = 0;
    told = NULL;
    assert_done(storage_effects.mount_root(&paths, mount, &call, &error));
    assert_string_equal(node_at("f/socket"), "socket 755 0");
    assert_string_equal(node_at("f/null"), "character 666 0");
    assert_string_equal(node_at("f/disk"), "block 640 0");
    assert_null(told);
    take_off();
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
        puts("1..1\nok 1 # SKIP needs root: overlays are mounted");
        return 0;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_have_pipes_and_sockets_and_devices_only_where_they_may, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_frozen_and_merged_it_shows_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_gone_is_not_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_merge_may_be_killed_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_snapshots_stand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hidden_names_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped_snapshots_are_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mounted_layers_are_not_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_brought_back_stays_on_its_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_checked, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
