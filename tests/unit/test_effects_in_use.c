/* What keeps a layer or an image from being removed, on the real kernel: overlays that are mounted where only others see them,
 * and none that merely say so. Needs root. */
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
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/image/image.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BASE   0x70000000

static struct arena *arena;
static struct paths paths;
static struct call call;
static struct error error;
static char root[64];
static pid_t other; /* a process in a mount namespace of its own */

#define assert_done(call_)                                                                                   \
    do {                                                                                                     \
        error = (struct error){0};                                                                           \
        if ((call_) < 0)                                                                                     \
            fail_msg("%s: %s", #call_, error.text);                                                          \
    } while (0)

static const char *in_store(const char *below)
{
    return arena_printf(arena, "%s/var/lib/fpsync/%s", root, below);
}

static bool make_path(const char *path)
{
    char part[512];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", slash ? (int)(slash - path) : (int)strlen(path), path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return false;
        if (!slash)
            return true;
    }
}

static void make_image(const char *digest)
{
    assert_true(make_path(in_store(arena_printf(arena, "images/%s/root/etc", digest))));
    int fd = open(in_store(arena_printf(arena, "images/%s/complete", digest)), O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0 && write(fd, "bytes 1\n", 8) == 8);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    call = (struct call){.arena = arena, .cancel = -1};
    strcpy(root, "/tmp/fpsu-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0711) < 0 || paths_make(root, arena, &paths, &error) < 0)
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
    umount2(arena_printf(arena, "%s/run/fpsync/mounts/web/root", root), MNT_DETACH);
    int result = tree_remove(AT_FDCWD, root, &error);
    arena_free(arena);
    return result;
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
    return mount(arena_printf(arena, "%s/run/fpsync/mounts/web/root", root),
                 arena_printf(arena, "%s/kept", root), NULL, MS_BIND, NULL) == 0;
}

static void lose_the_mount(int64_t disk)
{
    struct root_reference *reference = described_new(arena, &root_reference_table);
    reference->lxc_name = "web";
    assert_done(storage_effects.mount_root(&paths, web(disk), &call, &error));
    assert_int_equal(mkdir(arena_printf(arena, "%s/kept", root), 0755), 0);
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

static void test_mounted_elsewhere_in_a_file(void **state)
{
    (void)state;
    if (access("/sbin/mkfs.ext4", X_OK) < 0)
        skip();
    lose_the_mount(16 << 20);
    assert_int_equal(delete_layer("web"), -EBUSY);
    assert_int_equal(remove_image(DIGEST), -EBUSY);
    end_other();
    for (int tries = 0; delete_layer("web") == -EBUSY && tries < 100; tries++)
        usleep(10000); /* the device goes a moment after the last mount */
    assert_int_equal(access(in_store("layers/web"), F_OK), -1);
}

/* What a guest's root can do: folders that are called like the store's. */
static bool forge(void)
{
    const char *image = in_store("images/" DIGEST "/root"), *upper = in_store("layers/web/upper"),
               *work = in_store("layers/web/work");
    return mount("none", root, "tmpfs", 0, NULL) == 0 && make_path(image) && make_path(upper) &&
           make_path(work) && make_path(arena_printf(arena, "%s/m", root)) &&
           mount("fpsync", arena_printf(arena, "%s/m", root), "overlay", 0,
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
        print_message("SKIP: removes what may be mounted, which needs root\n");
        return 0;
    }
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return cmocka_run_group_tests_name("in_use", tests, NULL, NULL);
}
