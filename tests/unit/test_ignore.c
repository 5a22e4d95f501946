/* Patterns of what is left out of a context, against what the reference and moby's matcher say of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "specs/ignore.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"a", "a", true},
        {"a", "a/b", false},
        {"*", "a", true},
        {"*", "a/b", false},
        {"*", "", true},
        {"a*c", "abbc", true},
        {"a*c", "a/c", false},
        {"a*", "a", true},
        {"*a*b*", "xaybz", true},
        {"*a*b*", "xbya", false},
        {"?", "a", true},
        {"?", "/", false},
        {"?", "ä", true},
        {"?", "ab", false},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[^a-c]x", "dx", true},
        {"[^a-c]", "/", false},
        {"[\\]]", "]", true},
        {"[ä-ü]", "ö", true},
        {"a\\*", "a*", true},
        {"a\\*", "ab", false},
        {"**", "a/b/c", true},
        {"**", "", true},
        {"**/x", "x", true},
        {"**/x", "a/b/x", true},
        {"**/x", "ax", false},
        {"**/*.o", "a/b.o", true},
        {"**/*.o", "b.o", true},
        {"**/*.o", "b.o/c", false},
        {"a/**", "a/b/c", true},
        {"a/**", "a", false},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b", "a/xb", false},
        {"**x", "ax", true},
        {"**x", "a/bx", true},
        {"a**", "ab/c", true},
        {"a**b", "ab", true},
        {"a**/**b", "ax/b", true},
        {"a**b", "axb", false}, /* "**" before a name is folders, with their '/' */
        {"**/a/**/b/**", "x/a/y/b/z", true},
    };
    _cleanup_arena_ struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct glob *glob = glob_read(arena, cases[i].pattern, true);
        assert_non_null(glob);
        if (glob_matches(glob, cases[i].path) != cases[i].matches)
            fail_msg("%s against %s", cases[i].pattern, cases[i].path);
    }
    assert_true(glob_matches(glob_read(arena, "a**b", false), "axb"));
    assert_false(glob_matches(glob_read(arena, "**/b", false), "b"));
}

static void no_patterns(void **state)
{
    (void)state;
    static const char *const cases[] = {"[", "[]", "[a", "[a-", "[a-]", "a\\", "[-a]", "[^]", "[\\"};
    _cleanup_arena_ struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        if (glob_read(arena, cases[i], true))
            fail_msg("%s", cases[i]);
}

/* What would take a backtracking matcher longer than the machine lasts. */
static void costs_little(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    char pattern[601], path[2001];
    for (size_t i = 0; i < 600; i += 3)
        memcpy(pattern + i, "*a/", 3);
    memcpy(pattern, "**/", 3);
    pattern[600] = '\0';
    memset(path, 'a', 2000);
    path[2000] = '\0';
    const clock_t began = clock();
    assert_false(glob_matches(glob_read(arena, pattern, true), path));
    memset(pattern, '*', 600);
    for (size_t i = 2; i < 600; i += 3)
        pattern[i] = 'a';
    pattern[599] = 'b';
    assert_false(glob_matches(glob_read(arena, pattern, true), path));
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 2);
}

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
        bool out;
    } cases[] = {
        {"a\n", "a", true},
        {"a\n", "a/b/c", true},
        {"a\n", "b/a", false},
        {"a/\n", "a", true},
        {"/a\n", "a", true},
        {"./a/../b\n", "b", true},
        {"# a\n", "a", false},
        {"  a  \r\n\n", "a", true},
        {" # a\n", "# a", true},
        {"*\n!a\n", "a", false},
        {"*\n!a\n", "b", true},
        {"*\n!a\n", "a/b", false},
        {"*\n!a/b\n", "a/b", false},
        {"*\n!a/b\n", "a/c", true},
        {"a\n!a\na\n", "a", true},
        {"*.md\n!README*.md\nREADME-x.md\n", "README-x.md", true},
        {"*.md\n!README*.md\n", "README.md", false},
        {"! a\n", "a", false},
        {"a\n! a\n", "a", false},
        {"a\n!a/b\na/b/c\n", "a/b/c/d", true},
        {"a\n!a/b\na/b/c\n", "a/b/d", false},
        {"\xef\xbb\xbf"
         "a\n",
         "a", true},
        {"**/node_modules", "x/y/node_modules/z", true},
        {"", "a", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct problems problems = {.arena = arena};
        struct ignore ignore = {0};
        assert_true(
            ignore_read(&ignore, ".dockerignore", cases[i].text, strlen(cases[i].text), arena, &problems));
        struct ignore_memory memory = {0};
        if ((ignore_find_alone(&ignore, cases[i].path) != NULL) != cases[i].out)
            fail_msg("%s against %s", cases[i].text, cases[i].path);
        static const char *const others[] = {"a",    "a/b", "a/b/c",     "ab",
                                             "a/bc", "x/y", "a/b/c/d/e", "README.md"};
        for (size_t j = 0; j < COUNT(others) * COUNT(others); j++) {
            const char *path = others[j % COUNT(others)];
            ignore_find_next(&ignore, &memory, others[j / COUNT(others)]);
            assert_ptr_equal(ignore_find_next(&ignore, &memory, path), ignore_find_alone(&ignore, path));
            assert_int_equal(ignore_find_next(&ignore, &memory, cases[i].path) != NULL, cases[i].out);
        }
    }
}

static void says(const char *text, size_t size, const char *message, uint32_t line)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems = {.arena = arena};
    struct ignore ignore = {0};
    assert_false(ignore_read(&ignore, ".dockerignore", text, size, arena, &problems));
    assert_string_equal(problems.items[0].message, message);
    assert_int_equal(problems.items[0].place.line, line);
}

static void broken_files(void **state)
{
    (void)state;
    says("a\n!\n", 4, "expected a pattern behind '!'", 2);
    says("a\n\n[b\n", 6, "'[b' is no pattern, or longer than 1024 bytes", 3);
    says("a\0b", 3, "it is larger than 1024 KiB, or no text", 0);
    char *many = malloc(2 * (IGNORE_PATTERNS + 5));
    for (size_t i = 0; i < IGNORE_PATTERNS + 5; i++)
        memcpy(many + 2 * i, "a\n", 2);
    says(many, 2 * (IGNORE_PATTERNS + 5), "there are more than 4096 patterns", IGNORE_PATTERNS + 1);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs), cmocka_unit_test(no_patterns),  cmocka_unit_test(costs_little),
        cmocka_unit_test(files), cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
