/* Images that are a delta on another one, as all that read images have them. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "drivers/guest/idmap.h"
#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "tests/unit/storage_world.h"

#define ROOT_OF(digest, path) "var/lib/fpsync/images/" digest "/root" path

static void put(const char *path, const char *content)
{
    char folder[512];
    snprintf(folder, sizeof(folder), "%s", at(path));
    *strrchr(folder, '/') = '\0';
    assert_true(make_path(folder));
    make_file(at(path), content);
}

static void hide(const char *path)
{
    assert_int_equal(mknod(at(path), S_IFCHR | 0600, makedev(0, 0)), 0);
}

/* The base, and a delta that changes, hides, adds and covers. */
static int set_up(void **state)
{
    (void)state;
    if (getuid() != 0)
        return 0;
    assert_int_equal(world_begin(), 0);
    put(ROOT_OF(DIGEST, "/etc/kept"), "base");
    put(ROOT_OF(DIGEST, "/etc/changed"), "base");
    put(ROOT_OF(DIGEST, "/etc/gone"), "base");
    put(ROOT_OF(DIGEST, "/srv/data/old"), "base");
    put(ROOT_OF(DIGEST, "/usr/lib/os-release"), "ID=debian\nVERSION_ID=12\n");
    assert_int_equal(symlink("../usr/lib/os-release", at(ROOT_OF(DIGEST, "/etc/os-release"))), 0);
    make_file(at("var/lib/fpsync/images/" DIGEST "/complete"), "bytes 4\nname shop/base\n");
    put(ROOT_OF(OTHER, "/etc/changed"), "delta");
    put(ROOT_OF(OTHER, "/etc/added"), "delta");
    hide(ROOT_OF(OTHER, "/etc/gone"));
    put(ROOT_OF(OTHER, "/srv/data/new"), "delta");
    assert_int_equal(setxattr(at(ROOT_OF(OTHER, "/srv/data")), "trusted.overlay.opaque", "y", 1, 0), 0);
    put(ROOT_OF(OTHER, "/usr/lib/os-release"), "ID=debian\nVERSION_ID=13\n");
    make_file(at("var/lib/fpsync/images/" OTHER "/complete"), "bytes 4\nname shop/app\nlower " DIGEST "\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return getuid() ? 0 : world_end();
}

static void assert_text(const char *path, const char *expected)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = buffer_read_file(&text, AT_FDCWD, path, 4096, &error);
    if (!expected && result == -ENOENT)
        return;
    if (result < 0)
        fail_msg("%s", error.text);
    assert_non_null(expected);
    assert_string_equal(text.bytes ? text.bytes : "", expected);
}

/* What both show together, at the place that is prefixed to the paths. */
static void assert_merged(const char *place)
{
    assert_text(arena_printf(arena, "%s/etc/kept", place), "base");
    assert_text(arena_printf(arena, "%s/etc/changed", place), "delta");
    assert_text(arena_printf(arena, "%s/etc/added", place), "delta");
    assert_text(arena_printf(arena, "%s/etc/gone", place), NULL);
    assert_text(arena_printf(arena, "%s/srv/data/new", place), "delta");
    assert_text(arena_printf(arena, "%s/srv/data/old", place), NULL);
}

static void digest_tree(const char *digest, char text[static DIGEST_TEXT_SIZE])
{
    int64_t bytes;
    _cleanup_close_ int folder = open(at(digest), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    assert_done(image_digest(folder, &call, text, &bytes, &error));
}

static struct root_mount *mount_of(int64_t id_base)
{
    struct root_mount *request = described_new(arena, &root_mount_table);
    request->lxc_name = "web";
    request->digest = OTHER;
    request->layer = "shop_web";
    request->id_base = id_base;
    return request;
}

static void check_root_over_delta(int64_t id_base)
{
    if (getuid())
        skip();
    char base[2][DIGEST_TEXT_SIZE], delta[2][DIGEST_TEXT_SIZE];
    digest_tree(ROOT_OF(DIGEST, ""), base[0]);
    digest_tree(ROOT_OF(OTHER, ""), delta[0]);
    struct root_mount *request = mount_of(id_base);
    const struct root_reference reference = {.lxc_name = "web"};
    const char *place = at("run/fpsync/mounts/web/root");
    assert_done(storage_effects.check_root(&paths, request, &call, &error));
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_merged(place);
    make_file(arena_printf(arena, "%s/etc/kept", place), "written");
    assert_int_equal(unlink(arena_printf(arena, "%s/etc/changed", place)), 0);
    assert_int_equal(image_effects.remove(&paths, &(struct image_reference){.digest = DIGEST}, &call, &error),
                     -EBUSY);
    assert_non_null(strstr(error.text, "mounted"));
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_text(arena_printf(arena, "%s/etc/kept", place), "written");
    assert_text(arena_printf(arena, "%s/etc/changed", place), NULL);
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
    digest_tree(ROOT_OF(DIGEST, ""), base[1]);
    digest_tree(ROOT_OF(OTHER, ""), delta[1]);
    assert_string_equal(base[0], base[1]);
    assert_string_equal(delta[0], delta[1]);
}

static void test_root(void **state)
{
    (void)state;
    check_root_over_delta(BASE);
}

static void test_privileged_root(void **state)
{
    (void)state;
    check_root_over_delta(0);
}

/* Frozen uppers lie between the live one and the delta. */
static void test_root_with_frozen(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct root_mount *request = mount_of(BASE);
    const struct root_reference reference = {.lxc_name = "web"};
    const char *place = at("run/fpsync/mounts/web/root");
    for (int i = 0; i < 6; i++) {
        struct data_change *change = described_new(arena, &data_change_table);
        struct data_changed changed = {0};
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_text(arena_printf(arena, "%s/etc/added", place), "delta");
        struct identity identity = {0};
        assert_done(identity_take(&identity, BASE, &error));
        make_file(arena_printf(arena, "%s/etc/of-%d", place, i), "frozen");
        identity_drop(&identity);
        assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
        change->file = "shop_web";
        change->token = arena_printf(arena, "t%d", i);
        change->image = OTHER;
        change->name = arena_printf(arena, "s%d", i);
        change->kept = true;
        assert_done(storage_effects.change_layer(&paths, change, &call, &changed, &error));
    }
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_merged(place);
    for (int i = 0; i < 6; i++)
        assert_text(arena_printf(arena, "%s/etc/of-%d", place, i), "frozen");
    assert_int_equal(image_effects.remove(&paths, &(struct image_reference){.digest = DIGEST}, &call, &error),
                     -EBUSY);
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
    /* And a copy root of what a snapshot shows. */
    struct root_mount *copy = mount_of(BASE);
    copy->copy = true;
    copy->from = "s2";
    assert_done(storage_effects.mount_root(&paths, copy, &call, &error));
    assert_merged(place);
    assert_text(arena_printf(arena, "%s/etc/of-2", place), "frozen");
    assert_text(arena_printf(arena, "%s/etc/of-3", place), NULL);
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
}

static void test_copy_root(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct root_mount *request = mount_of(BASE);
    request->copy = true;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_merged(at("run/fpsync/mounts/web/root"));
    assert_done(
        storage_effects.unmount_root(&paths, &(struct root_reference){.lxc_name = "web"}, &call, &error));
    assert_merged(at("var/lib/fpsync/layers/shop_web/root"));
    struct stat status;
    assert_int_equal(lstat(at("var/lib/fpsync/layers/shop_web/root/etc/gone"), &status), -1);
}

static void test_volume_is_filled(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct root_mount *request = mount_of(BASE);
    struct root_volume *volume = described_new(arena, &root_volume_table);
    volume->path = "/srv/data";
    volume->file = "shop_data";
    volume->type = "dir";
    volume->fill = true;
    *arena_append(arena, request->volumes.items, request->volumes.count) = volume;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_text(at("run/fpsync/mounts/web/root/srv/data/new"), "delta");
    assert_text(at("var/lib/fpsync/volumes/shop_data/data/new"), "delta");
    assert_text(at("var/lib/fpsync/volumes/shop_data/data/old"), NULL);
    assert_done(
        storage_effects.unmount_root(&paths, &(struct root_reference){.lxc_name = "web"}, &call, &error));
}

/* Without a mount: what `plan` may look at. */
static void test_files_are_found(void **state)
{
    (void)state;
    if (getuid())
        skip();
    static const struct {
        const char *path, *content;
    } cases[] = {
        {"etc/kept", "base"},
        {"etc/changed", "delta"},
        {"/etc/added", "delta"},
        {"etc/gone", NULL},
        {"srv/data/new", "delta"},
        {"srv/data/old", NULL},
        {"etc/up/etc/kept", "base"},
        {"etc/away/kept", "base"},
        {"etc/away/changed", "delta"},
        {"etc/loop", NULL},
        {"etc/kept/below", NULL},
        {"nothing", NULL},
        {"etc/os-release", "ID=debian\nVERSION_ID=13\n"},
        {"etc/outside", "base"},
    };
    assert_int_equal(symlink("..", at(ROOT_OF(DIGEST, "/etc/up"))), 0);
    assert_int_equal(symlink("/etc", at(ROOT_OF(OTHER, "/etc/away"))), 0);
    assert_int_equal(symlink("loop", at(ROOT_OF(OTHER, "/etc/loop"))), 0);
    assert_int_equal(symlink("../../../../../../etc/kept", at(ROOT_OF(DIGEST, "/etc/outside"))), 0);
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    assert_done(image_trees_open(paths.store, OTHER, &trees, &error));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_close_ int fd = image_trees_file(&trees, cases[i].path);
        if ((fd >= 0) != (cases[i].content != NULL))
            fail_msg("%s: %d", cases[i].path, fd);
        if (fd >= 0)
            assert_text(arena_printf(arena, "/proc/self/fd/%d", fd), cases[i].content);
    }
}

static void test_systems_differ(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct observed_difference found;
    assert_true(make_path(at("var/lib/fpsync/layers/shop_web/upper")));
    assert_done(storage_view.dump_difference(&paths, "shop_web", DIGEST, OTHER, &call, &found, &error));
    assert_non_null(found.system);
    assert_non_null(strstr(found.system, "from 12 to 13"));
}

static void test_a_lower_stays(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.image_count, 2);
    assert_null(seen.images[0].lower);
    assert_string_equal(seen.images[1].lower, DIGEST);
    assert_string_equal(seen.images[1].name, "shop/app");
    const struct image_reference lower = {.digest = DIGEST}, delta = {.digest = OTHER};
    assert_int_equal(image_effects.remove(&paths, &lower, &call, &error), -EBUSY);
    assert_non_null(strstr(error.text, OTHER));
    assert_done(image_effects.remove(&paths, &delta, &call, &error));
    assert_done(image_effects.remove(&paths, &lower, &call, &error));
}

static void test_no_lower_no_root(void **state)
{
    (void)state;
    if (getuid())
        skip();
    assert_int_equal(rename(at("var/lib/fpsync/images/" DIGEST), at("var/lib/fpsync/images/.tmp-away")), 0);
    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.image_count, 0);
    assert_int_equal(storage_effects.check_root(&paths, mount_of(BASE), &call, &error), -ENOENT);
    assert_true(storage_effects.mount_root(&paths, mount_of(BASE), &call, &error) < 0);
}

/* What it is called depends on all that it is made of, and on nothing else. */
static void test_names(void **state)
{
    (void)state;
    char names[7][DIGEST_TEXT_SIZE];
    image_name_digest(NULL, DIGEST, NULL, NULL, names[0]);
    assert_string_equal(names[0], DIGEST);
    image_name_digest(OTHER, DIGEST, NULL, NULL, names[1]);
    image_name_digest(NULL, DIGEST, "{}", NULL, names[2]);
    image_name_digest(OTHER, DIGEST, "{}", NULL, names[3]);
    image_name_digest(DIGEST, OTHER, "{}", NULL, names[4]);
    image_name_digest(NULL, DIGEST, NULL, "1", names[5]);
    image_name_digest(NULL, DIGEST, NULL, "2", names[6]);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_privileged_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_root_with_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_volume_is_filled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_systems_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lower_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_lower_no_root, set_up, tear_down),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("deltas", tests, NULL, NULL);
}
