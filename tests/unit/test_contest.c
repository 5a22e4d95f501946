/* What counts as the same drift, too often, within the window; and what an earlier boot left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "reconciler/contest.h"

#define KILLED    "drift: killed"
#define UNMOUNTED "drift: volume /data unmounted"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct changes causes_of(const char *one, const char *two)
{
    struct changes causes = {0};
    for (const char *const *field = (const char *const[]){one, two, NULL}; *field; field++)
        *arena_append(arena, causes.items, causes.count) = (struct change){.field = *field};
    return causes;
}

static void note(struct list *repairs, const char *field, int64_t now)
{
    const struct changes causes = causes_of(field, NULL);
    contest_note(arena, repairs, &causes, now);
}

static const char *find(const struct list *repairs, const char *field, int64_t now)
{
    const struct changes causes = causes_of(field, NULL);
    return contest_find(repairs, &causes, now);
}

static void third_repair_contests(void **state)
{
    (void)state;
    struct list repairs = {0};
    for (int64_t at = 100; at < 300; at += 100) {
        note(&repairs, KILLED, at);
        assert_null(find(&repairs, KILLED, at));
    }
    note(&repairs, KILLED, 300);
    assert_string_equal(find(&repairs, KILLED, 300), KILLED);
    assert_null(find(&repairs, UNMOUNTED, 300));
}

/* The first of the three counts: it leaves the window, and one more repair is due. */
static void window_passes(void **state)
{
    (void)state;
    struct list repairs = {0};
    for (int64_t at = 100; at <= 300; at += 100)
        note(&repairs, KILLED, at);
    assert_non_null(find(&repairs, KILLED, 699));
    assert_null(find(&repairs, KILLED, 700));
    note(&repairs, KILLED, 700);
    assert_non_null(find(&repairs, KILLED, 799));
    assert_null(find(&repairs, KILLED, 800));
}

static void old_repairs_are_forgotten(void **state)
{
    (void)state;
    struct list repairs = {0};
    note(&repairs, KILLED, 100);
    note(&repairs, UNMOUNTED, 650);
    assert_int_equal(repairs.count, 2);
    note(&repairs, UNMOUNTED, 700);
    assert_int_equal(repairs.count, 1);
    assert_string_equal(item_key(&repaired_table, repairs.items[0]), UNMOUNTED);
}

static void earlier_boot_does_not_count(void **state)
{
    (void)state;
    struct list repairs = {0};
    for (int64_t at = 9000; at <= 9002; at++)
        note(&repairs, KILLED, at);
    assert_null(find(&repairs, KILLED, 20));
    note(&repairs, KILLED, 20);
    assert_int_equal(((struct repaired *)repairs.items[0])->second, 0);
}

static void other_causes_are_not_drift(void **state)
{
    (void)state;
    struct list repairs = {0};
    const struct changes drift = causes_of(KILLED, UNMOUNTED), mixed = causes_of(KILLED, "limits.memory");
    assert_true(contest_is_drift(&drift));
    assert_false(contest_is_drift(&mixed));
    assert_false(contest_is_drift(&(struct changes){0}));
    contest_note(arena, &repairs, &mixed, 100);
    assert_int_equal(repairs.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(third_repair_contests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(window_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_repairs_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(earlier_boot_does_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_causes_are_not_drift, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
