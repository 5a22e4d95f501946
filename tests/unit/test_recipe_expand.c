/* Variables of recipes: every form of the reference, quotes and escapes, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/recipe_expand.h"
#include "specs/recipe_pattern.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char *big; /* of $BIG */

static const char *get(void *context, const char *name)
{
    (void)context;
    static const char *const values[][2] = {
        {"V", "value"},      {"E", ""},          {"S", "a b  c"},  {"P", "/usr/local/lib.tar.gz"},
        {"Q", "it's \"q\""}, {"U", "grün/blau"}, {"D", "$V"},      {"A1_b", "long name"},
        {"STAR", "a*b*c"},   {"1", "one"},       {"12", "twelve"}, {"X", "xxabcxx"},
    };
    if (strcmp(name, "BIG") == 0)
        return big;
    for (size_t i = 0; i < COUNT(values); i++)
        if (strcmp(values[i][0], name) == 0)
            return values[i][1];
    return NULL;
}

static void expands(void **state)
{
    (void)state;
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$V", "value"},
        {"${V}", "value"},
        {"a${V}b$V-c", "avaluebvalue-c"},
        {"$NONE|${NONE}|$E|", "|||"},
        {"$A1_b.", "long name."},
        {"$", "$"},
        {"$ $, a$", "$ $, a$"},
        {"$1a $12", "onea twelve"},
        {"$@ $* $$", "  "},
        {"$D", "$V"}, /* what is in it is not expanded again */
        /* quotes and escapes */
        {"\\$V", "$V"},
        {"\\\\$V", "\\value"},
        {"'$V'", "$V"},
        {"'a\\b'", "a\\b"},
        {"\"$V\"", "value"},
        {"\"\\$V \\\" \\\\ \\n\"", "$V \" \\ \\n"},
        {"\"it's\"", "it's"},
        {"'a'\"b\"c", "abc"},
        {"a\\ b", "a b"},
        {"a\\", "a"},
        {"\"a\\\"\"", "a\""},
        {"$Q", "it's \"q\""},
        {"ä${U}ö", "ägrün/blauö"},
        /* defaults */
        {"${V:-d} ${E:-d} ${N:-d}", "value d d"},
        {"${V-d} ${E-d} ${N-d}", "value  d"},
        {"${V:+a} ${E:+a} ${N:+a}", "a  "},
        {"${V+a} ${E+a} ${N+a}", "a a "},
        {"${V:?no} ${V?no} ${E?no}", "value value "},
        {"${N:-${M:-${V}}}", "value"},
        {"${N:-a\\}b}", "a}b"},
        {"${N:-'}'}", "}"},
        {"${N:-\"$V}\"}", "value}"},
        {"${N:-}", ""},
        {"${N:-a:b-c}", "a:b-c"},
        /* begins and ends */
        {"${P#*/}", "usr/local/lib.tar.gz"},
        {"${P##*/}", "lib.tar.gz"},
        {"${P%.*}", "/usr/local/lib.tar"},
        {"${P%%.*}", "/usr/local/lib"},
        {"${P#/usr}", "/local/lib.tar.gz"},
        {"${P#nope}", "/usr/local/lib.tar.gz"},
        {"${P%nope}", "/usr/local/lib.tar.gz"},
        {"${P##*}", ""},
        {"${P%%*}", ""},
        {"${P#}", "/usr/local/lib.tar.gz"},
        {"${P%}", "/usr/local/lib.tar.gz"},
        {"${P#?usr?}", "local/lib.tar.gz"},
        {"${P%.??}", "/usr/local/lib.tar"},
        {"${P%/*.*}", "/usr/local"},
        {"${P%%/*.*}", ""},
        {"${P#*l*l}", "/lib.tar.gz"},
        {"${P##*l*l}", "ib.tar.gz"},
        {"${STAR#a\\*}", "b*c"},
        {"${STAR%\\**}", "a*b"},
        {"${STAR##*\\*}", "c"},
        {"${U#gr?n}", "/blau"},
        {"${U%?lau}", "grün/"},
        {"${N#x}|${E%x}", "|"},
        {"${P#$NONE/usr}", "/local/lib.tar.gz"},
        /* replacing */
        {"${P/l/L}", "/usr/Local/lib.tar.gz"},
        {"${P//l/L}", "/usr/LocaL/Lib.tar.gz"},
        {"${P//\\//-}", "-usr-local-lib.tar.gz"},
        {"${P/\\/*\\//:}", ":lib.tar.gz"},
        {"${X//x/}", "abc"},
        {"${X/x*x/-}", "-"},
        {"${X//?x/-}", "-ab-x"},
        {"${X/abc/$V}", "xxvaluexx"},
        {"${X//nope/-}", "xxabcxx"},
        {"${X/*/-}", "-"},
        {"${X//*/-}", "-"},
        {"${N/a/b}", ""},
        {"${X//x/\\}}", "}}abc}}"},
    };
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct error error = {0};
        const char *result;
        if (recipe_expand(&expansion, cases[i].text, arena, &result, &error) < 0)
            fail_msg("%s: %s", cases[i].text, error.text);
        if (strcmp(result, cases[i].result) != 0)
            fail_msg("%s gives '%s', not '%s'", cases[i].text, result, cases[i].result);
    }
}

static void other_escape(void **state)
{
    (void)state;
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"`$V \\$V", "$V \\value"}, {"\"`\" \\\"", "\" \\"}, {"C:\\x", "C:\\x"}, {"${STAR#a`*}", "b*c"}};
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct recipe_expansion expansion = {.escape = '`', .get = get};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *result;
        assert_int_equal(recipe_expand(&expansion, cases[i].text, arena, &result, NULL), 0);
        assert_string_equal(result, cases[i].result);
    }
}

/* Here-documents: quotes are text, escapes go, variables are expanded. */
static void documents(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct recipe_expansion expansion = {.escape = '\\', .keeps_quotes = true, .get = get};
    const char *result;
    assert_int_equal(recipe_expand(&expansion, "it's \"$V\" \\$V \\\\ '\n", arena, &result, NULL), 0);
    assert_string_equal(result, "it's \"value\" $V \\ '\n");
}

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"a b\tc", "a|b|c"},  {"$S", "a|b|c"},      {"\"$S\"", "a b  c"}, {"x$S.", "xa|b|c."},
        {"'a b' c", "a b|c"}, {"a\\ b c", "a b|c"}, {"  ", ""},           {"", ""},
        {"$E", ""},           {"a $E b", "a|b"},    {"${N:-p q}", "p|q"},
    };
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_buffer_ struct buffer out = {0};
        struct texts found = {0};
        buffer_text(&out, "");
        assert_int_equal(recipe_expand_words(&expansion, cases[i].text, arena, &found, NULL), 0);
        for (size_t j = 0; j < found.count; j++)
            buffer_printf(&out, "%s%s", j ? "|" : "", found.items[j]);
        assert_string_equal(out.bytes, cases[i].words);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"'a", "a single quote has no second one"},
        {"\"a", "a double quote has no second one"},
        {"\"a\\\"", "a double quote has no second one"},
        {"${", "a ${ has no }"},
        {"${V", "a ${ has no }"},
        {"${V:", "a ${ has no }"},
        {"${V:-", "a ${ has no }"},
        {"${V:-a", "a ${ has no }"},
        {"${}", "a ${ without a name"},
        {"${:-a}", "a ${ without a name"},
        {"${{V}}", "a ${ without a name"},
        {"${V=a}", "'=' behind a variable's name is not understood"},
        {"${V:=a}", "':=' behind a variable's name is not understood"},
        {"${V:#a}", "':#' behind a variable's name is not understood"},
        {"${V^}", "'^' behind a variable's name is not understood"},
        {"${V:2:1}", "':2' behind a variable's name is not understood"},
        {"${V/a}", "a ${NAME/ has no second /"},
        {"${V/a/b", "a ${ has no }"},
        {"${N:?}", "N: is not allowed to be unset"},
        {"${E:?}", "E: is not allowed to be empty"},
        {"${N?say $V}", "N: say value"},
        {"${V#\\a}", "'\\a' in a pattern: only *, ?, / and } can be escaped"},
        {"${V/\\a/}", "'\\a' in a pattern: only *, ?, / and } can be escaped"},
    };
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct error error = {0};
        const char *result = "untouched";
        assert_int_equal(recipe_expand(&expansion, cases[i].text, arena, &result, &error), -EINVAL);
        assert_string_equal(error.text, cases[i].said);
        assert_string_equal(result, "untouched");
    }
}

/* Whoever wrote the recipe may not want it to end. */
static void bounds(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    struct error error = {0};
    const char *result;
    big = malloc(100001);
    memset(big, 'a', 100000);
    big[100000] = '\0';
    const clock_t began = clock();
    assert_int_equal(recipe_expand(&expansion, "$BIG$BIG", arena, &result, &error), 0);
    assert_int_equal(recipe_expand(&expansion, "$BIG$BIG$BIG", arena, &result, &error), -E2BIG);
    assert_string_equal(error.text, "variables make more than 256 KiB of it");
    assert_int_equal(recipe_expand(&expansion, "${BIG//a/$BIG}", arena, &result, &error), -E2BIG);
    assert_string_equal(error.text, "its patterns take too long");
    char text[4096] = "";
    for (size_t i = 0; i < 100; i++)
        strcat(text, "${BIG##*a*a*a*b}");
    assert_int_equal(recipe_expand(&expansion, text, arena, &result, &error), -E2BIG);
    char pattern[1100] = "${BIG%";
    memset(pattern + 6, '?', 1030);
    strcpy(pattern + 1036, "}");
    assert_int_equal(recipe_expand(&expansion, pattern, arena, &result, &error), -EINVAL);
    assert_string_equal(error.text, "a pattern is longer than 1024 bytes");
    *text = '\0';
    for (size_t i = 0; i < 40; i++)
        strcat(text, "${N:-");
    for (size_t i = 0; i < 40; i++)
        strcat(text, "}");
    assert_int_equal(recipe_expand(&expansion, text, arena, &result, &error), -EINVAL);
    assert_string_equal(error.text, "variables are nested too deeply");
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 10);
    free(big);
    big = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands), cmocka_unit_test(other_escape), cmocka_unit_test(documents),
        cmocka_unit_test(words),   cmocka_unit_test(refuses),      cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
