/* What keeps a layer or an image from being removed, on the real kernel: overlays that are mounted where only others see them,
 * and none that merely say so. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/image/image.h"
#include "tests/unit/storage_world.h"

#define PATIENCE 10000 /* milliseconds */

static pid_t other; /* a process in a mount namespace of its own */

static const char *in_store(const char *below)
{
    return at(arena_printf(arena, "var/lib/fpsync/%s", below));
}

static void make_image(const char *digest)
{
    assert_true(make_path(in_store(arena_printf(arena, "images/%s/root/etc", digest))));
    make_file(in_store(arena_printf(arena, "images/%s/complete", digest)), "bytes 1\n");
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

static void end_other(void)
{
    if (other > 0 && kill(other, SIGKILL) == 0)
        waitpid(other, NULL, 0);
    other = 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_other();
    return world_end();
}

/* Who sees all that is mounted now, and what it mounts itself. */
static void begin_other(bool (*does)(void))
{
    int ready[2];
    char answer = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    other = fork();
    if (other == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !does() ||
            write(ready[1], "y", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &answer, 1), 1);
    close(ready[0]);
}

static struct root_mount *web(int64_t disk)
{
    struct root_mount *mount = described_new(arena, &root_mount_table);
    mount->lxc_name = "web";
    mount->digest = DIGEST;
    mount->layer = "web";
    mount->id_base = BASE;
    mount->disk = disk;
    return mount;
}

static int delete_layer(const char *layer)
{
    struct data_reference *data = described_new(arena, &data_reference_table);
    data->file = layer;
    error = (struct error){0};
    return storage_effects.delete_layer(&paths, data, &call, &error);
}

static int remove_image(const char *digest)
{
    struct image_reference *image = described_new(arena, &image_reference_table);
    image->digest = digest;
    error = (struct error){0};
    return image_effects.remove(&paths, image, &call, &error);
}

/* Else it would go with the folder that it is mounted on. */
static bool keep(void)
{
    return mount(at("run/fpsync/mounts/web/root"), at("kept"), NULL, MS_BIND, NULL) == 0;
}

static void lose_the_mount(int64_t disk)
{
    struct root_reference *reference = described_new(arena, &root_reference_table);
    reference->lxc_name = "web";
    assert_done(storage_effects.mount_root(&paths, web(disk), &call, &error));
    assert_int_equal(mkdir(at("kept"), 0755), 0);
    begin_other(keep);
    assert_done(storage_effects.unmount_root(&paths, reference, &call, &error));
}

static void freeze(const char *token)
{
    struct data_change *change = described_new(arena, &data_change_table);
    struct data_changed changed = {0};
    change->file = "web";
    change->token = token;
    change->image = DIGEST;
    assert_done(storage_effects.change_layer(&paths, change, &call, &changed, &error));
}

static void test_mounted_elsewhere(void **state)
{
    (void)state;
    lose_the_mount(0);
    assert_int_equal(delete_layer("web"), -EBUSY);
    assert_int_equal(remove_image(DIGEST), -EBUSY);
    assert_int_equal(remove_image(OTHER), 0);
    end_other();
    assert_int_equal(delete_layer("web"), 0);
    assert_int_equal(remove_image(DIGEST), 0);
}

static void test_mounted_elsewhere_and_frozen(void **state)
{
    (void)state;
    lose_the_mount(0);
    assert_int_equal(mkdir(in_store("layers/web/upper/kept"), 0700), 0);
    freeze("one");
    assert_int_equal(access(in_store("layers/web/frozen/1"), F_OK), 0);
    assert_int_equal(delete_layer("web"), -EBUSY);
    end_other();
    assert_int_equal(delete_layer("web"), 0);
}

/* The device goes a moment after the last mount of it, and the kernel says so. */
static int delete_when_free(const char *layer, int events)
{
    char event[4096];
    struct pollfd heard = {.fd = events, .events = POLLIN};
    int result;
    while ((result = delete_layer(layer)) == -EBUSY && poll(&heard, 1, PATIENCE) > 0)
        if (recv(events, event, sizeof(event), 0) < 0 && errno != ENOBUFS)
            break;
    return result;
}

static void test_mounted_elsewhere_in_a_file(void **state)
{
    (void)state;
    if (access("/sbin/mkfs.ext4", X_OK) < 0)
        skip();
    lose_the_mount(16 << 20);
    assert_int_equal(delete_layer("web"), -EBUSY);
    assert_int_equal(remove_image(DIGEST), -EBUSY);
    struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    assert_true(events >= 0 && bind(events, (struct sockaddr *)&all, sizeof(all)) == 0);
    end_other();
    assert_int_equal(delete_when_free("web", events), 0);
    close(events);
    assert_int_equal(access(in_store("layers/web"), F_OK), -1);
}

/* What a guest's root can do: folders that are called like the store's. */
static bool forge(void)
{
    const char *image = in_store("images/" DIGEST "/root"), *upper = in_store("layers/web/upper"),
               *work = in_store("layers/web/work");
    return mount("none", root, "tmpfs", 0, NULL) == 0 && make_path(image) && make_path(upper) &&
           make_path(work) && make_path(at("m")) &&
           mount("fpsync", at("m"), "overlay", 0,
                 arena_printf(arena, "lowerdir=%s,upperdir=%s,workdir=%s", image, upper, work)) == 0;
}

static void test_forged(void **state)
{
    (void)state;
    struct data_reference *data = described_new(arena, &data_reference_table);
    data->file = "web";
    assert_done(storage_effects.create_layer(&paths, data, &call, &error));
    assert_int_equal(mkdir(in_store("layers/web/upper/kept"), 0700), 0);
    begin_other(forge);
    struct data_rename *rename = described_new(arena, &data_rename_table);
    rename->from = "web";
    rename->to = "was_web";
    assert_done(storage_effects.rename_layer(&paths, rename, &call, &error));
    const char *upper = in_store("layers/was_web/upper");
    assert_int_equal(access(arena_printf(arena, "%s/kept", upper), F_OK), 0);
    assert_int_equal(access(in_store("layers/was_web/probe"), F_OK), -1);
    assert_int_equal(listxattr(upper, NULL, 0), 0);
    rename->from = "was_web";
    rename->to = "web";
    assert_done(storage_effects.rename_layer(&paths, rename, &call, &error));
    assert_int_equal(remove_image(DIGEST), 0);
    assert_int_equal(delete_layer("web"), 0);
    assert_int_equal(access(in_store("layers/web"), F_OK), -1);
}

/* By its own layer, too, which it does stand on: of that the host knows the mount. */
static void test_forged_by_its_own_layer(void **state)
{
    (void)state;
    struct root_mount *own = web(0);
    own->digest = OTHER;
    assert_done(storage_effects.mount_root(&paths, own, &call, &error));
    begin_other(forge);
    assert_int_equal(remove_image(OTHER), -EBUSY);
    assert_int_equal(remove_image(DIGEST), 0);
    assert_int_equal(delete_layer("web"), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mounted_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mounted_elsewhere_and_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mounted_elsewhere_in_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged_by_its_own_layer, set_up, tear_down),
    };
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
        puts("1..1\nok 1 # SKIP needs root: overlays are mounted");
        return 0;
    }
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return cmocka_run_group_tests_name("in_use", tests, NULL, NULL);
}
