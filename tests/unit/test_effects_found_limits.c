/* Lines of control groups that become limits, on hosts of either version, whatever this one has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/container/internal.h"
#include "drivers/container/view_found.h"
#include "specs/lxc_control.h"

#define MIB (INT64_C(1) << 20)

static struct arena *arena;

static const struct container_definition *read_lines(bool unified, const char *const lines[][2], size_t count)
{
    struct hierarchy memory = {
        .mount = "/nowhere", .root = "/", .controllers = "memory", .folder = "/", .unified = unified};
    const struct hierarchies hierarchies = {.items = &memory, .count = 1};
    struct container_definition *definition = described_new(arena, &container_definition_table);
    struct found_limits said = {0};
    for (size_t i = 0; i < count; i++)
        assert_true(found_limits_take(&said, lines[i][0], lines[i][1], arena));
    found_limits_end(&said, &hierarchies, definition, arena);
    return definition;
}
#define READ(unified, ...)                                                                                   \
    read_lines(unified, (const char *const[][2]){__VA_ARGS__},                                               \
               sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(const char *[2]))

/* That is in force as it stands: lines, and a field that says nothing beside them. */
static void assert_left_to_lines(const struct container_definition *definition, size_t lines)
{
    assert_int_equal(definition->lxc.count, lines);
    assert_true(lxc_lines_limit(&definition->lxc, definition->limits, field_by_key(&limits_table, "swap")));
}

static void test_swap_of_version_2(void **state)
{
    (void)state;
    const struct container_definition *seen = READ(true, {"lxc.cgroup2.memory.swap.max", "64M"});
    assert_true(seen->limits->swap == 64 * MIB && !seen->lxc.count);
    seen = READ(true, {"lxc.cgroup2.memory.swap.max", "64M"}, {"lxc.cgroup2.memory.swap.max", "max"});
    assert_true(seen->limits->swap == INT64_MAX && !seen->lxc.count);
    seen = READ(true, {"lxc.cgroup2.memory.max", "64M"});
    assert_true(seen->limits->memory == 64 * MIB && seen->limits->swap == INT64_MAX && !seen->lxc.count);
    /* The kernel reads numbers to the base of sixteen, too. */
    assert_left_to_lines(READ(true, {"lxc.cgroup2.memory.swap.max", "0x4000000"}), 1);
    seen = READ(true, {"lxc.cgroup2.memory.swap.max", "64M"}, {"lxc.cgroup2.memory.swap.max", "0x4000000"});
    assert_left_to_lines(seen, 2);
    assert_true(seen->limits->swap == INT64_MAX); /* no swap at all would be a limit, too */
}

static void test_swap_of_version_1(void **state)
{
    (void)state;
    const char *memory = "lxc.cgroup.memory.limit_in_bytes", *both = "lxc.cgroup.memory.memsw.limit_in_bytes";
    const struct container_definition *seen = READ(false, {memory, "64M"}, {both, "96M"});
    assert_true(seen->limits->memory == 64 * MIB && seen->limits->swap == 32 * MIB && !seen->lxc.count);
    seen = READ(false, {memory, "64M"});
    assert_true(seen->limits->swap == INT64_MAX && !seen->lxc.count);
    seen = READ(false, {memory, "64M"}, {both, "96M"}, {both, "0x6000000"});
    assert_left_to_lines(seen, 2);
    assert_true(seen->limits->memory == 64 * MIB);
    assert_left_to_lines(READ(false, {memory, "64M"}, {both, "32M"}), 1);
    assert_left_to_lines(READ(false, {both, "32M"}), 1);
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_swap_of_version_2, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swap_of_version_1, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
