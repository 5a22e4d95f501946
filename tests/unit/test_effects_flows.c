/* Which flows end when rules change, without a kernel that tracks any. */
#include "tests/unit/network_world.h"

#include "drivers/network/flows_judge.h"

static struct arena *arena;

static struct flow_side side(const char *address, int port)
{
    struct flow_side made = {.port = (uint16_t)port};
    assert_true(inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, made.address) == 1);
    return made;
}

/* Sent to `to` by a client, and led to a target (NULL: not). */
static struct flow sent(const char *to, int port, const char *target, int guest, bool answered)
{
    const bool is6 = strchr(to, ':');
    const char *client = is6 ? "fd99::2" : "198.18.0.2";
    return (struct flow){.is6 = is6,
                         .led = target,
                         .answered = answered,
                         .from = side(client, 4000),
                         .to = side(to, port),
                         .answer_from = target ? side(target, guest) : side(to, port),
                         .answer_to = side(client, 4000)};
}

static struct rule_forward *udp(const char *address, int host, const char *target, int guest)
{
    return rule_forward(arena, address, host, "udp", target, guest);
}

static struct rule_forward *shared(const char *first, const char *second)
{
    struct rule_forward *forward = udp(NULL, 700, first, 70);
    forward->shared.items = arena_array_of(arena, const char *, 2);
    forward->shared.items[0] = first;
    forward->shared.items[1] = second;
    forward->shared.count = 2;
    return forward;
}

static struct rule_forward *row(const char *target)
{
    struct rule_forward *forward = udp(NULL, 1000, target, 1000);
    forward->count = 1001;
    return forward;
}

static struct rules *with(struct rule_forward *first, struct rule_forward *second)
{
    struct rules *rules = rules_new(arena);
    if (first)
        add(arena, &rules->forwards, first);
    if (second)
        add(arena, &rules->forwards, second);
    return rules;
}

static bool ends(const struct rules *before, const struct rules *after, struct flow flow)
{
    struct error error;
    struct judge *judge = judge_new(before, after, arena);
    bool goes = judge_ends(&flow, judge);
    assert_int_equal(judge_close(judge, &error), 0);
    return goes;
}

#define A  "10.30.0.10"
#define B  "10.30.0.11"
#define ME "127.0.0.1"

static void test_what_was_led_elsewhere_ends(void **state)
{
    (void)state;
    struct rules *none = with(NULL, NULL), *a = with(udp(NULL, 53, A, 5353), NULL);
    struct rules *b = with(udp(NULL, 53, B, 5353), NULL), *other = with(udp(NULL, 53, A, 5354), NULL);
    struct flow flow = sent(ME, 53, A, 5353, true);
    assert_false(ends(a, a, flow));
    assert_true(ends(a, b, flow));
    assert_true(ends(a, none, flow));
    assert_true(ends(a, other, flow));
    assert_false(ends(none, b, flow)); /* somebody else led it */
    assert_false(
        ends(a, none, sent("192.0.2.1", 53, A, 5353, true))); /* and what was not sent to this host */
    assert_false(ends(a, none, sent(ME, 53, A, 5354, true)));
    assert_false(ends(a, none, sent(ME, 54, A, 5353, true)));
}

static void test_the_rule_that_leads_is_the_narrowest(void **state)
{
    (void)state;
    struct rule_forward *all = udp(NULL, 53, A, 53), *mine = udp(ME, 53, B, 53);
    assert_true(ends(with(all, NULL), with(all, mine), sent(ME, 53, A, 53, true)));
    assert_false(ends(with(all, NULL), with(all, mine), sent("127.0.0.2", 53, A, 53, true)));
    assert_true(ends(with(all, mine), with(all, NULL), sent(ME, 53, B, 53, true)));
    assert_false(ends(with(mine, NULL), with(NULL, NULL), sent("127.0.0.2", 53, B, 53, true)));
}

static void test_ports_in_a_row_and_sets(void **state)
{
    (void)state;
    assert_false(ends(with(row(A), NULL), with(row(A), NULL), sent(ME, 2000, A, 2000, true)));
    assert_true(ends(with(row(A), NULL), with(row(B), NULL), sent(ME, 2000, A, 2000, true)));
    assert_false(ends(with(row(A), NULL), with(row(B), NULL), sent(ME, 2001, A, 2001, true)));
    struct rules *both = with(shared(A, B), NULL), *one = with(udp(NULL, 700, B, 70), NULL);
    assert_true(ends(both, one, sent(ME, 700, A, 70, true)));
    assert_false(ends(both, one, sent(ME, 700, B, 70, true)));
    assert_false(ends(one, both, sent(ME, 700, B, 70, true)));
}

static void test_who_came_before_a_port_is_led(void **state)
{
    (void)state;
    struct rules *none = with(NULL, NULL), *a = with(udp(NULL, 53, A, 5353), NULL);
    assert_true(ends(none, a, sent(ME, 53, NULL, 0, false)));
    assert_false(ends(none, a, sent(ME, 53, NULL, 0, true))); /* a program of the host serves it */
    assert_false(ends(none, a, sent(ME, 54, NULL, 0, false)));
    assert_false(
        ends(none, a, sent("192.0.2.1", 53, NULL, 0, false))); /* a guest's own question to somebody */
    assert_false(ends(none, a, sent("::1", 53, NULL, 0, false)));
    assert_true(ends(none, with(udp(NULL, 53, "fd00::10", 53), NULL), sent("::1", 53, NULL, 0, false)));
}

/* A guest's late answer, under the host's address. */
static void test_what_began_as_an_answer_ends(void **state)
{
    (void)state;
    struct flow flow = {.sourced = true,
                        .from = side(A, 53),
                        .to = side("198.18.0.2", 4000),
                        .answer_from = side("198.18.0.2", 4000),
                        .answer_to = side(ME, 53)};
    struct rules *none = with(NULL, NULL), *a = with(udp(NULL, 53, A, 53), NULL);
    struct rules *b = with(udp(NULL, 53, B, 53), NULL);
    assert_true(ends(a, b, flow));
    assert_false(ends(a, a, flow));
    assert_false(ends(a, none, flow)); /* it may send to whom it likes */
    assert_false(ends(b, b, flow));
}

static void test_questions_follow_their_resolver(void **state)
{
    (void)state;
    struct rules *none = with(NULL, NULL), *first = with(NULL, NULL), *second = with(NULL, NULL);
    add(arena, &first->askers, rule_asker(arena, "front", A, "10.30.0.1", "127.64.1.2"));
    add(arena, &second->askers, rule_asker(arena, "front", A, "10.30.0.1", "127.64.9.9"));
    struct flow flow = sent("10.30.0.1", 53, "127.64.1.2", 53, true);
    flow.from = side(A, 4000);
    assert_false(ends(first, first, flow));
    assert_true(ends(first, second, flow));
    assert_true(ends(first, none, flow));
    assert_false(ends(second, none, flow));
    struct flow plain =
        sent("10.30.0.1", 53, NULL, 0, true); /* by the resolver of its one network, until now */
    plain.from = side(A, 4000);
    assert_true(ends(none, first, plain));
    assert_false(ends(first, none, plain));
    plain.from = side(B, 4000);
    assert_false(ends(none, first, plain));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_led_elsewhere_ends),
        cmocka_unit_test(test_the_rule_that_leads_is_the_narrowest),
        cmocka_unit_test(test_ports_in_a_row_and_sets),
        cmocka_unit_test(test_who_came_before_a_port_is_led),
        cmocka_unit_test(test_what_began_as_an_answer_ends),
        cmocka_unit_test(test_questions_follow_their_resolver),
    };
    arena = arena_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failed;
}
