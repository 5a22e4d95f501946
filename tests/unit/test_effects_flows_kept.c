/* What rules led, as it is kept in a file from one change to the next: changes that fail, and such as end too early. */
#include "tests/unit/network_world.h"

static struct world world;
static char said[256];

static struct rules *leading(struct rule_forward *more)
{
    struct rules *rules = rules_new(world.arena);
    add(world.arena, &rules->networks, rule_network(world.arena, "front", "10.30.0.0/24"));
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 53, "udp", "10.30.0.10", 5353));
    if (more)
        add(world.arena, &rules->forwards, more);
    return rules;
}

static struct rule_forward *another(void)
{
    return rule_forward(world.arena, NULL, 54, "udp", "10.30.0.10", 54);
}

/* Two targets of one port: the kernel itself refuses. */
static struct rules *refused(void)
{
    struct rules *rules = leading(another());
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 53, "udp", "10.30.0.99", 5353));
    return rules;
}

static int set_rules(const struct rules *rules)
{
    return network_effects.set_rules(&world.paths, rules, &world.call, &world.error);
}

static void delete_rules(void)
{
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
}

static struct observed_network look(void)
{
    struct observed_network seen = {0};
    must(network_view.dump(&world.paths, &world.call, &seen, &world.error), &world);
    return seen;
}

static const char *file(const char *name)
{
    return arena_printf(world.arena, "%s/%s", world.paths.networks, name);
}

static off_t size_of(const char *name)
{
    struct stat status;
    return stat(file(name), &status) == 0 ? status.st_size : -1;
}

static void keep_progress(void *context, const char *line)
{
    (void)context;
    snprintf(said, sizeof(said), "%s", line);
}

static void test_changes_that_fail_add_nothing(void **state)
{
    (void)state;
    must(set_rules(leading(NULL)), &world);
    const off_t settled = size_of("flows");
    assert_true(settled > 0 && size_of("flows-outstanding") < 0);
    for (int attempt = 0; attempt < 6; attempt++) {
        assert_true(set_rules(refused()) < 0);
        assert_int_equal(size_of("flows"), settled);
        assert_in_range(size_of("flows-outstanding"), settled, 4 * settled);
    }
    must(set_rules(leading(NULL)), &world);
    assert_int_equal(size_of("flows"), settled);
    assert_int_equal(size_of("flows-outstanding"), -1);
    delete_rules();
    assert_int_equal(size_of("flows"), -1);
}

static void test_what_cannot_be_read_is_written_anew(void **state)
{
    (void)state;
    must(set_rules(leading(NULL)), &world);
    const off_t settled = size_of("flows");
    static const char *const names[] = {"flows", "flows-outstanding"};
    for (size_t i = 0; i < 2; i++) {
        int fd = open(file(names[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(fd >= 0 && ftruncate(fd, 65 * 1024 * 1024) == 0);
        close(fd);
        must(set_rules(leading(NULL)), &world);
        assert_int_equal(size_of("flows"), settled);
        assert_int_equal(size_of("flows-outstanding"), -1);
    }
    delete_rules();
}

static void test_rules_stand_whether_flows_end_or_not(void **state)
{
    (void)state;
    must(set_rules(leading(another())), &world);
    assert_int_equal(mkdir(file("flows.new"), 0700), 0); /* in the way of what is written at the end */
    world.call.progress = keep_progress;
    must(set_rules(leading(NULL)), &world);
    assert_non_null(strstr(said, "flows"));
    assert_true(look().rules_present && look().flows_left);
    assert_true(size_of("flows-outstanding") > 0);
    assert_int_equal(rmdir(file("flows.new")), 0);
    *said = '\0';
    must(set_rules(leading(NULL)), &world);
    assert_string_equal(said, "");
    assert_int_equal(size_of("flows-outstanding"), -1);
    assert_true(look().rules_present && !look().flows_left);
    delete_rules();
}

static void test_what_a_deletion_left_is_seen(void **state)
{
    (void)state;
    must(set_rules(leading(NULL)), &world);
    assert_false(look().flows_left);
    run(NULL, "nft", "delete", "table", "ip", world.paths.nft_table);
    run(NULL, "nft", "delete", "table", "bridge", world.paths.nft_table);
    assert_true(look().flows_left);
    delete_rules();
    assert_false(look().flows_left);
    assert_int_equal(size_of("flows"), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_that_fail_add_nothing),
        cmocka_unit_test(test_what_cannot_be_read_is_written_anew),
        cmocka_unit_test(test_rules_stand_whether_flows_end_or_not),
        cmocka_unit_test(test_what_a_deletion_left_is_seen),
    };
    world_enter_namespaces();
    run(NULL, "ip", "link", "set", "lo", "up");
    world_open(&world);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_close(&world);
    return failed;
}
