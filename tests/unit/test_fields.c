/* The machinery of tables: presence, encoding, damage, unknown fields, differences, printing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "lib/fields.h"
#include "lib/map.h"

struct leaf {
    struct described described;
    const char *name;
    int64_t weight;
};
static const struct field leaf_rows[] = {
    {.id = 1, .key = "name", .type = FIELD_TEXT, .offset = offsetof(struct leaf, name), .class = CLASS_LIVE},
    {.id = 2,
     .key = "weight",
     .type = FIELD_NUMBER,
     .offset = offsetof(struct leaf, weight),
     .standard = "5",
     .class = CLASS_RESTART},
};
static const struct table leaf_table = {.name = "leaf", .size = sizeof(struct leaf), TABLE_ROWS(leaf_rows)};

struct tree {
    struct described described;
    const char *title;
    bool green;
    int64_t size, rest;
    struct texts words;
    struct pairs env;
    struct list leaves;
    struct leaf *root;
    struct bytes raw;
    const char *secret;
};
static const struct field tree_rows[] = {
    {.id = 1,
     .key = "title",
     .type = FIELD_TEXT,
     .offset = offsetof(struct tree, title),
     .class = CLASS_RECREATE},
    {.id = 2, .key = "green", .type = FIELD_BOOL, .offset = offsetof(struct tree, green), .standard = "true"},
    {.id = 3,
     .key = "size",
     .type = FIELD_NUMBER,
     .form = FORM_SIZE,
     .offset = offsetof(struct tree, size),
     .standard = "1KiB",
     .class = CLASS_LIVE},
    {.id = 4,
     .key = "rest",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     .offset = offsetof(struct tree, rest)},
    {.id = 5,
     .key = "words",
     .type = FIELD_TEXTS,
     .offset = offsetof(struct tree, words),
     .class = CLASS_RESTART},
    {.id = 6,
     .key = "env",
     .type = FIELD_PAIRS,
     .offset = offsetof(struct tree, env),
     .class = CLASS_RESTART},
    {.id = 7,
     .key = "leaves",
     .type = FIELD_LIST,
     .offset = offsetof(struct tree, leaves),
     .nested = &leaf_table,
     .class = CLASS_LIVE},
    {.id = 8,
     .key = "root",
     .type = FIELD_STRUCT,
     .offset = offsetof(struct tree, root),
     .nested = &leaf_table},
    {.id = 9, .key = "raw", .type = FIELD_BYTES, .offset = offsetof(struct tree, raw)},
    {.id = 10,
     .key = "secret",
     .type = FIELD_TEXT,
     .offset = offsetof(struct tree, secret),
     .flags = FIELD_SENSITIVE},
};
static const struct table tree_table = {.name = "tree", .size = sizeof(struct tree), TABLE_ROWS(tree_rows)};
#define MARK(object, member) field_mark(&tree_table, (object), offsetof(struct tree, member))

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

static struct leaf *leaf(const char *name, int64_t weight)
{
    struct leaf *new = described_new(arena, &leaf_table);
    new->name = name;
    new->weight = weight;
    field_mark(&leaf_table, new, offsetof(struct leaf, name));
    field_mark(&leaf_table, new, offsetof(struct leaf, weight));
    return new;
}

static struct tree *full_tree(void)
{
    static const char *words[] = {"a", "", "c d"};
    static struct pair env[] = {{.key = "A", .value = "1"}, {.key = "DB_PASSWORD", .value = "hidden"}};
    struct tree *tree = described_new(arena, &tree_table);
    tree->title = "oak";
    tree->green = false;
    tree->size = 4096;
    tree->rest = 1500;
    tree->words = (struct texts){.items = words, .count = 3};
    tree->env = (struct pairs){.items = env, .count = 2};
    *arena_append(arena, tree->leaves.items, tree->leaves.count) = leaf("x", 1);
    *arena_append(arena, tree->leaves.items, tree->leaves.count) = leaf("y", 5);
    tree->root->weight = 9;
    field_mark(&leaf_table, tree->root, offsetof(struct leaf, weight));
    tree->raw = (struct bytes){.data = "\0\1\2", .size = 3};
    tree->secret = "hidden";
    tree->described.present = (1u << tree_table.count) - 1;
    return tree;
}

static struct changes diff(const struct tree *old, const struct tree *new)
{
    struct changes changes = {0};
    fields_diff(&tree_table, old, new, arena, &changes);
    return changes;
}

static void a_new_object_holds_defaults(void **state)
{
    (void)state;
    const struct tree *tree = described_new(arena, &tree_table);
    assert_true(tree->green);
    assert_int_equal(tree->size, 1024);
    assert_int_equal(tree->root->weight, 5);
    assert_null(tree->title);
    _cleanup_buffer_ struct buffer out = {0};
    fields_encode(&tree_table, tree, &out);
    assert_int_equal(out.length, 0);
}

static void a_written_default_is_not_encoded(void **state)
{
    (void)state;
    struct tree *tree = described_new(arena, &tree_table);
    MARK(tree, green);
    MARK(tree, size);
    MARK(tree, root);
    _cleanup_buffer_ struct buffer out = {0};
    fields_encode(&tree_table, tree, &out);
    assert_int_equal(out.length, 0);
    assert_int_equal(diff(described_new(arena, &tree_table), tree).count, 0);
    MARK(tree, leaves); /* said to be empty: not the same as not said */
    fields_encode(&tree_table, tree, &out);
    assert_int_equal(out.length, 6);
    assert_int_equal(diff(described_new(arena, &tree_table), tree).count, 1);
}

static void decoding_gives_back_what_was_encoded(void **state)
{
    (void)state;
    struct tree *tree = full_tree();
    _cleanup_buffer_ struct buffer out = {0}, again = {0};
    void *decoded;
    fields_encode(&tree_table, tree, &out);
    assert_int_equal(fields_decode(&tree_table, out.bytes, out.length, arena, &decoded, NULL), 0);
    assert_int_equal(diff(tree, decoded).count, 0);
    fields_encode(&tree_table, decoded, &again);
    assert_int_equal(out.length, again.length);
    assert_memory_equal(out.bytes, again.bytes, out.length);
    const struct tree *copy = described_copy(arena, &tree_table, decoded);
    assert_int_equal(diff(tree, copy).count, 0);
    assert_ptr_not_equal(copy->root, ((struct tree *)decoded)->root);
}

/* What lies behind its arrays stays what it is. */
static void a_copy_can_be_added_to(void **state)
{
    (void)state;
    static const char *words[] = {"a", "b", "c", "d", "e", "f"};
    struct tree *tree = full_tree();
    tree->words = (struct texts){.items = words, .count = 6};
    struct tree *copy = described_copy(arena, &tree_table, tree);
    for (int i = 0; i < 3; i++)
        *arena_append(arena, copy->words.items, copy->words.count) = "more";
    assert_int_equal(copy->words.count, 9);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(copy->words.items[i], words[i]);
}

/* Every cut and every flipped byte: refused or read, never beyond the bytes (the sanitizers watch). */
static void damage_is_refused(void **state)
{
    (void)state;
    _cleanup_buffer_ struct buffer out = {0};
    struct error error;
    fields_encode(&tree_table, full_tree(), &out);
    size_t refused = 0;
    for (size_t length = 0; length < out.length; length++) {
        void *decoded, *copy = malloc(length ? length : 1);
        memcpy(copy, out.bytes, length);
        refused += fields_decode(&tree_table, copy, length, arena, &decoded, &error) == -EBADMSG;
        free(copy);
    }
    assert_true(refused > out.length / 2);
    for (size_t i = 0; i < out.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            void *decoded, *copy = malloc(out.length);
            memcpy(copy, out.bytes, out.length);
            ((unsigned char *)copy)[i] ^= (unsigned char)(1 << bit);
            fields_decode(&tree_table, copy, out.length, arena, &decoded, &error);
            free(copy);
        }
}

static void unknown_fields_survive(void **state)
{
    (void)state;
    static const unsigned char newer[] = {0x39, 0x30, 4, 0, 0, 0, 'n', 'e', 'w', '!'};
    _cleanup_buffer_ struct buffer out = {0}, again = {0};
    struct tree *tree = described_new(arena, &tree_table);
    tree->title = "oak";
    MARK(tree, title);
    fields_encode(&tree_table, tree, &out);
    buffer_add(&out, newer, sizeof(newer));
    void *decoded;
    assert_int_equal(fields_decode(&tree_table, out.bytes, out.length, arena, &decoded, NULL), 0);
    fields_encode(&tree_table, described_copy(arena, &tree_table, decoded), &again);
    assert_int_equal(out.length, again.length);
    assert_memory_equal(out.bytes, again.bytes, out.length);
}

static const struct change *change_of(const struct changes *changes, const char *field)
{
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(changes->items[i].field, field) == 0)
            return &changes->items[i];
    fail_msg("no change of %s", field);
    return NULL;
}

static void differences(void **state)
{
    (void)state;
    static struct pair env[] = {{.key = "B", .value = "2"}, {.key = "DB_PASSWORD", .value = "other"}};
    struct tree *old = full_tree(), *new = full_tree();
    new->title = "elm";
    new->size = 1024;
    new->env = (struct pairs){.items = env, .count = 2};
    new->secret = "other";
    new->leaves.items[0] = leaf("z", 5);
    ((struct leaf *)new->leaves.items[1])->weight = 6;
    struct changes changes = diff(old, new);
    assert_string_equal(change_of(&changes, "title")->old, "oak");
    assert_string_equal(change_of(&changes, "size")->old, "4KiB");
    assert_string_equal(change_of(&changes, "size")->new, "1KiB");
    assert_null(change_of(&changes, "env.B")->old);
    assert_null(change_of(&changes, "env.A")->new);
    assert_null(change_of(&changes, "env.DB_PASSWORD")->old);
    assert_string_equal(change_of(&changes, "env.DB_PASSWORD")->new, "(sensitive, changed)");
    assert_string_equal(change_of(&changes, "secret")->old, "(sensitive)");
    assert_null(change_of(&changes, "leaves.x")->new);
    assert_string_equal(change_of(&changes, "leaves.z")->new, "{name: z}");
    assert_string_equal(change_of(&changes, "leaves.y.weight")->new, "6");
    assert_int_equal(changes.count, 9);
    assert_int_equal(changes_class(&changes), CLASS_RECREATE);
    assert_int_equal(changes_class(&(struct changes){0}), CLASS_RECORD);
    assert_int_equal(diff(old, old).count, 0);
}

static void printing(void **state)
{
    (void)state;
    _cleanup_buffer_ struct buffer out = {0};
    fields_print_flow(&tree_table, full_tree(), &out);
    assert_string_equal(
        out.bytes, "{title: oak, green: false, size: 4KiB, rest: 1s500ms, words: [a, \"\", c d], "
                   "env: {A: \"1\", DB_PASSWORD: (sensitive)}, leaves: [{name: x, weight: 1}, {name: y}], "
                   "root: {weight: 9}, raw: (3 bytes), secret: (sensitive)}");
}

static void scalars_are_quoted_where_they_must_be(void **state)
{
    (void)state;
    static const char *const samples[][2] = {
        {"plain", "plain"},    {"10.30.0.0/24", "10.30.0.0/24"},
        {"512MiB", "512MiB"},  {"", "\"\""},
        {"true", "\"true\""},  {"null", "\"null\""},
        {"~", "\"~\""},        {"010", "\"010\""},
        {"1.5", "\"1.5\""},    {"0x1f", "\"0x1f\""},
        {"1e3", "\"1e3\""},    {"-x", "\"-x\""},
        {"a: b", "\"a: b\""},  {"a:b", "a:b"},
        {"a #b", "\"a #b\""},  {"a#b", "a#b"},
        {" x", "\" x\""},      {"q\"\\", "\"q\\\"\\\\\""},
        {"a\nb", "\"a\\nb\""}, {"*x", "\"*x\""},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        _cleanup_buffer_ struct buffer out = {0};
        scalar_print(samples[i][0], &out);
        assert_string_equal(out.bytes, samples[i][1]);
    }
}

static void nearest_words(void **state)
{
    (void)state;
    assert_true(text_is_near("containers", "contianers"));
    assert_true(text_is_near("image", "imgae"));
    assert_false(text_is_near("image", "volume"));
    assert_false(text_is_near("a", "b"));
    assert_int_equal(text_distance("abc", "acb"), 1);
    assert_int_equal(text_distance("", "abc"), 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_object_holds_defaults),
        TEST(a_written_default_is_not_encoded),
        TEST(decoding_gives_back_what_was_encoded),
        TEST(a_copy_can_be_added_to),
        TEST(damage_is_refused),
        TEST(unknown_fields_survive),
        TEST(differences),
        TEST(printing),
        TEST(scalars_are_quoted_where_they_must_be),
        TEST(nearest_words),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
