/* YAML into trees: what scalars are, where nodes stand, merges, aliases, and the bounds that hold while reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "specs/tree.h"

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

static struct documents read_text(const char *text, struct problems *problems, bool *fine)
{
    struct documents documents = {0};
    problems->arena = arena;
    *fine = yaml_read("t.yaml", text, strlen(text), arena, problems, &documents);
    return documents;
}

static const struct node *read_one(const char *text)
{
    struct problems problems = {0};
    bool fine;
    struct documents documents = read_text(text, &problems, &fine);
    if (!fine)
        fail_msg("%s: %s", text, problems.items[0].message);
    assert_int_equal(documents.count, 1);
    return documents.roots[0];
}

static void core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scalar_kind kind;
    } samples[] = {
        {"~", SCALAR_NULL},          {"null", SCALAR_NULL},    {"", SCALAR_NULL},
        {"nUll", SCALAR_TEXT},       {"true", SCALAR_BOOL},    {"False", SCALAR_BOOL},
        {"yes", SCALAR_TEXT},        {"no", SCALAR_TEXT},      {"on", SCALAR_TEXT},
        {"off", SCALAR_TEXT},        {"y", SCALAR_TEXT},       {"0", SCALAR_INTEGER},
        {"010", SCALAR_INTEGER},     {"-12", SCALAR_INTEGER},  {"0o17", SCALAR_INTEGER},
        {"0x1F", SCALAR_INTEGER},    {"+7", SCALAR_INTEGER},   {"1_000", SCALAR_TEXT},
        {"0b1", SCALAR_TEXT},        {"1:30", SCALAR_TEXT},    {"190:20:30", SCALAR_TEXT},
        {"1.5", SCALAR_FLOAT},       {".5", SCALAR_FLOAT},     {"1e999", SCALAR_FLOAT},
        {".inf", SCALAR_FLOAT},      {"-.INF", SCALAR_FLOAT},  {".nan", SCALAR_FLOAT},
        {".", SCALAR_TEXT},          {"1.2.3.4", SCALAR_TEXT}, {"1e", SCALAR_TEXT},
        {"2026-01-01", SCALAR_TEXT}, {"'true'", SCALAR_TEXT},  {"\"1\"", SCALAR_TEXT},
        {"!!str 1", SCALAR_TEXT},    {"0x", SCALAR_TEXT},      {"<<", SCALAR_TEXT},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        const struct node *root = read_one(arena_printf(arena, "a: %s\n", samples[i].text));
        if (scalar_kind(node_get(root, "a")) != samples[i].kind)
            fail_msg("'%s' is kind %d", samples[i].text, scalar_kind(node_get(root, "a")));
    }
}

static void integers(void **state)
{
    (void)state;
    const struct node *root = read_one("[010, 0o17, 0x1F, -5, 99999999999999999999]");
    static const int64_t values[] = {10, 15, 31, -5};
    int64_t value;
    for (size_t i = 0; i < 4; i++) {
        assert_true(scalar_as_integer(root->items[i], &value));
        assert_int_equal(value, values[i]);
    }
    assert_false(scalar_as_integer(root->items[4], &value));
}

static void places(void **state)
{
    (void)state;
    const struct node *root = read_one("# comment\na:\n  - \xc3\xa4: [x, yy]\n");
    const struct node *yy = root->entries[0].value->items[0]->entries[0].value->items[1];
    assert_string_equal(yy->text, "yy");
    assert_string_equal(yy->place.file, "t.yaml");
    assert_int_equal(yy->place.line, 3);
    assert_int_equal(yy->place.column, 12); /* characters, not bytes */
}

static void merges(void **state)
{
    (void)state;
    const struct node *root = read_one("one: &one { a: 1, b: 1 }\n"
                                       "two: &two { b: 2, c: 2 }\n"
                                       "all: { c: 3, <<: [*one, *two] }\n"
                                       "nested: &n { <<: *one, d: 4 }\n"
                                       "again: { <<: *n }\n"
                                       "quoted: { \"<<\": text }\n");
    const struct node *all = node_get(root, "all");
    assert_int_equal(all->count, 3);
    assert_string_equal(node_get(all, "a")->text, "1");
    assert_string_equal(node_get(all, "b")->text, "1"); /* the first of the list wins */
    assert_string_equal(node_get(all, "c")->text, "3"); /* what is written wins */
    assert_int_equal(node_get(root, "again")->count, 3);
    assert_string_equal(node_get(node_get(root, "quoted"), "<<")->text, "text");
}

static void documents_and_aliases(void **state)
{
    (void)state;
    struct problems problems = {0};
    bool fine;
    struct documents documents = read_text("a: &x 1\nb: *x\n---\n---\nc: 2\n...\n", &problems, &fine);
    assert_true(fine);
    assert_int_equal(documents.count, 3);
    assert_ptr_equal(node_get(documents.roots[0], "a"), node_get(documents.roots[0], "b"));
    assert_int_equal(scalar_kind(documents.roots[1]), SCALAR_NULL);
    read_text("a: &x 1\n---\nb: *x\n", &problems, &fine);
    assert_false(fine); /* anchors end with their document */
    assert_int_equal(read_text("", &problems, &fine).count, 0);
    assert_true(fine);
    assert_string_equal(read_one("\xef\xbb\xbfkey: 1\r\n")->entries[0].key->text, "key");
    const struct node *twice = read_one("a: &x 1\nb: &x 2\nc: *x\n");
    assert_string_equal(node_get(twice, "c")->text, "2");
}

static void is_refused_quickly(const char *text, const char *part)
{
    struct problems problems = {0};
    bool fine;
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    read_text(text, &problems, &fine);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_false(fine);
    assert_non_null(strstr(problems.items[0].message, part));
    double seconds = (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    assert_true(seconds < 1.0);
}

static char *repeated(const char *piece, size_t count)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < count; i++)
        buffer_text(&text, piece);
    return arena_strdup(arena, text.bytes);
}

static void bounds(void **state)
{
    (void)state;
    /* libyaml alone takes minutes for these: the bound has to act while scanning. */
    is_refused_quickly(repeated("[", 500000), "nested deeper");
    is_refused_quickly(repeated("{a: ", 200000), "nested deeper");
    is_refused_quickly(repeated("- ", 400000), "nested deeper");
    is_refused_quickly(repeated("? ", 400000), "nested deeper");
    is_refused_quickly(repeated("- 1\n", 100001), "more than 100000 values");
    is_refused_quickly(repeated("a", (1 << 20) + 1), "larger than 1 MiB");
    const struct node *deep = read_one(arena_printf(arena, "%s1%s", repeated("[", 31), repeated("]", 31)));
    assert_int_equal(deep->height, 32);
    assert_int_equal(read_one(repeated("- 1\n", 99999))->count, 99999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(core_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_and_aliases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
