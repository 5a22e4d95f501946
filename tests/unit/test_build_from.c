/* What a name in FROM is, and why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "reconciler/build_from.h"
#include "specs/alias.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct arena *arena;
static struct pair aliases[] = {{.key = "debian", .value = "bootstrap:trixie"},
                                {.key = "debian:*", .value = "bootstrap:bookworm"},
                                {.key = "debian:1*", .value = "bootstrap:bullseye"},
                                {.key = "docker.io/**", .value = "file:/srv/docker.tar"},
                                {.key = "other/base", .value = "images:alpine/3.20"}};

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *source, *why;
        enum build_from kind;
    } cases[] = {
        {"base", NULL, "image shop/base of the spec", BUILD_FROM_SPEC},
        {"shop/base", NULL, "image shop/base of the spec", BUILD_FROM_SPEC},
        {"debian", "bootstrap:trixie", "alias debian of fpsync.conf", BUILD_FROM_ALIAS},
        {"debian:latest", "bootstrap:bookworm", "alias debian:* of fpsync.conf", BUILD_FROM_ALIAS},
        {"debian:12", "bootstrap:bullseye", "alias debian:1* of fpsync.conf", BUILD_FROM_ALIAS},
        {"docker.io/library/x:1", "file:/srv/docker.tar", "alias docker.io/** of fpsync.conf",
         BUILD_FROM_ALIAS},
        {"other/base", "images:alpine/3.20", "alias other/base of fpsync.conf", BUILD_FROM_ALIAS},
        {"images:debian/12", "images:debian/12", "remote images", BUILD_FROM_SOURCE},
        {"bootstrap:bookworm", "bootstrap:bookworm", "the source that it names", BUILD_FROM_SOURCE},
        {"https://example.org/a.tar.xz", "https://example.org/a.tar.xz", "the source that it names",
         BUILD_FROM_SOURCE},
    };
    struct object base = {.kind = KIND_IMAGE, .name = "shop/base", .id = "image/shop/base"};
    struct object *items[] = {&base};
    const struct object_set desired = {.items = items, .count = 1};
    struct policy *policy = described_new(arena, &policy_table);
    policy->aliases = (struct pairs){.items = aliases, .count = COUNT(aliases)};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct build_from_request request = {
            .reference = cases[i].reference, .project = "shop", .desired = &desired, .policy = policy};
        struct build_from_choice choice;
        struct error error = {0};
        if (build_from(&request, arena, &choice, &error) < 0)
            fail_msg("%s", error.text);
        assert_int_equal(choice.kind, cases[i].kind);
        assert_string_equal(choice.why, cases[i].why);
        if (cases[i].source)
            assert_string_equal(choice.source, cases[i].source);
        else
            assert_ptr_equal(choice.image, &base);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *reference;
        int code;
    } cases[] = {{"file:/etc", -EPERM}, {"", -ENOENT}, {"a\nb", -ENOENT}, {"no name", -ENOENT}};
    const struct object_set desired = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct build_from_request request = {
            .reference = cases[i].reference, .project = "shop", .desired = &desired};
        struct build_from_choice choice;
        struct error error = {0};
        assert_int_equal(build_from(&request, arena, &choice, &error), cases[i].code);
        assert_true(error.code == cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(refusals)};
    arena = arena_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failed;
}
