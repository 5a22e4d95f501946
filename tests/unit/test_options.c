/* Flags that a command does not take are refused, not swallowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "reconciler/options.h"

/* What is said of `words` after "fpsync"; NULL: nothing, they are taken. */
static const char *said_of(const char *command, bool acts, const char *const *words)
{
    static struct error error;
    struct options options;
    char *argv[8] = {(char *)"fpsync"};
    int argc = 1;
    for (; *words; words++)
        argv[argc++] = (char *)*words;
    int result = options_parse(argc, argv, &options, &error);
    result = result < 0 ? result : options_check(&options, command, acts, &error);
    options_free(&options);
    return result < 0 ? error.text : NULL;
}
#define SAID(command, ...) said_of(command, true, (const char *const[]){__VA_ARGS__, NULL})

static void refuses_what_a_command_does_not_take(void **state)
{
    (void)state;
    assert_string_equal(SAID("stop", "stop", "--dry-run", "a"),
                        "stop has no --dry-run; it is for plan, apply, down, build, gc, image, adopt");
    assert_string_equal(SAID("stop", "--dry-run", "stop", "a"),
                        "stop has no --dry-run; it is for plan, apply, down, build, gc, image, adopt");
    assert_string_equal(SAID("apply", "deploy", "--out", "x"), "apply has no --out; it is for plan");
    assert_string_equal(
        SAID("status", "ps", "-f", "x"),
        "status has no --file; it is for validate, plan, apply, down, build, export, adopt, doctor");
    assert_string_equal(SAID("plan", "plan", "--plan", "x"), "plan has no --plan; it is for apply");
}

static void takes_what_a_command_takes(void **state)
{
    (void)state;
    assert_null(SAID("apply", "apply", "--dry-run", "-f", "x", "--plan=x", "--exact", "-y"));
    assert_null(SAID("gc", "gc", "--dry-run", "--force"));
    assert_null(SAID("stop", "stop", "--timeout", "5s", "-q", "a"));
    assert_null(SAID("exec", "exec", "a", "ls", "--dry-run")); /* the guest's program */
}

static void the_environment_may_speak_to_others(void **state)
{
    (void)state;
    setenv("FPSYNC_FILE", "x", 1);
    setenv("FPSYNC_FORCE", "1", 1);
    assert_null(SAID("stop", "stop", "a"));
    setenv("FPSYNC_DRY_RUN", "1", 1);
    assert_string_equal(SAID("stop", "stop", "a"),
                        "stop has no --dry-run; it is for plan, apply, down, build, gc, image, adopt");
    assert_null(SAID("down", "down"));
    assert_null(said_of("status", false, (const char *const[]){"status", NULL}));
    unsetenv("FPSYNC_FILE");
    unsetenv("FPSYNC_FORCE");
    unsetenv("FPSYNC_DRY_RUN");
}

static void the_environment_says_yes_or_no(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int wanted; /* -1: refused */
    } cases[] = {{"1", 1},  {"true", 1}, {"Yes", 1}, {"on", 1},         {"0", 0}, {"false", 0},
                 {"no", 0}, {"off", 0},  {"", 0},    {"/bin/bash", -1}, {"2", -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *argv[] = {(char *)"fpsync", (char *)"build"};
        struct error error = {0};
        struct options options;
        setenv("FPSYNC_SHELL", cases[i].value, 1);
        const int result = options_parse(2, argv, &options, &error);
        if ((result < 0) != (cases[i].wanted < 0) || (result == 0 && options.shell != cases[i].wanted))
            fail_msg("FPSYNC_SHELL=%s: %d %d", cases[i].value, result, options.shell);
        if (result < 0)
            assert_non_null(strstr(error.text, "--shell: expected 1 or 0, found \""));
        options_free(&options);
    }
    unsetenv("FPSYNC_SHELL");
}

static void one_value_is_given_once(void **state)
{
    (void)state;
    assert_string_equal(SAID("build", "build", "./x", "-t", "a", "-t", "b"),
                        "--tag is given twice, as a and as b, and takes one value");
    assert_string_equal(SAID("build", "-t", "a", "build", "./x", "--tag=b"),
                        "--tag is given twice, as a and as b, and takes one value");
    assert_string_equal(SAID("apply", "apply", "--wait", "--wait=5s"),
                        "--wait is given twice, without a value and as 5s, and takes one value");
    assert_string_equal(SAID("image", "image", "gc", "--budget", "1G", "--budget", "2G"),
                        "--budget is given twice, as 1G and as 2G, and takes one value");
    assert_null(SAID("build", "build", "./x", "-t", "a", "--tag", "a"));
    assert_null(SAID("build", "build", "./x", "--secret", "id=a", "--secret", "id=b"));
    assert_null(SAID("plan", "plan", "-f", "a", "-f", "b"));
    assert_null(SAID("plan", "--root", "/a", "plan", "--root", "/b")); /* an alias may have the first */
    setenv("FPSYNC_TAG", "c", 1);
    assert_null(SAID("build", "build", "./x", "-t", "a"));
    unsetenv("FPSYNC_TAG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_a_command_does_not_take),
        cmocka_unit_test(takes_what_a_command_takes),
        cmocka_unit_test(the_environment_may_speak_to_others),
        cmocka_unit_test(the_environment_says_yes_or_no),
        cmocka_unit_test(one_value_is_given_once),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
