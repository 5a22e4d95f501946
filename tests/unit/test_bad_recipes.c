/* Broken recipes and what is said about them: each NAME of tests/recipes/bad is read, and what is said compared with
 * NAME.expected; FPSYNC_UPDATE_GOLDEN=1 writes those files instead. What is too large for that is made here. The last test
 * reads the sources and fails when one of their texts was never provoked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/recipe.h"
#include "specs/recipe_check.h"
#include "specs/recipe_mount.h"
#include "tests/unit/provoked.h"

#define FOLDER "tests/recipes/bad"

static bool read_bytes(const void *bytes, size_t size, struct buffer *said)
{
    struct arena *arena = arena_new();
    struct problems problems = {.arena = arena};
    struct recipe *recipe;
    const struct recipe_piece piece = {.text = bytes, .length = size, .place = {"Recipe", 1, 1}};
    const bool fine = recipe_read(&piece, 1, arena, &problems, &recipe);
    buffer_clear(said);
    buffer_text(said, "");
    problems_sort(&problems);
    for (size_t i = 0; i < problems.count; i++) {
        see(problems.items[i].message);
        problem_print(&problems.items[i], said);
    }
    for (size_t i = 0; i < recipe->warnings.count; i++) {
        see(recipe->warnings.items[i].message);
        buffer_text(said, "warning: ");
        problem_print(&recipe->warnings.items[i], said);
    }
    assert_int_equal(fine, problems.count == 0);
    arena_free(arena);
    return fine;
}

static void golden(void **state)
{
    const char *path = arena_printf(seen_arena, FOLDER "/%s", (const char *)*state);
    const char *expected = arena_printf(seen_arena, "%s.expected", path);
    _cleanup_buffer_ struct buffer text = {0}, said = {0}, wanted = {0};
    assert_int_equal(buffer_read_file(&text, AT_FDCWD, path, RECIPE_SIZE, NULL), 0);
    read_bytes(text.length ? text.bytes : "", text.length, &said);
    if (getenv("FPSYNC_UPDATE_GOLDEN")) {
        FILE *file = fopen(expected, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(said.bytes, 1, said.length, file), said.length);
        assert_int_equal(fclose(file), 0);
        return;
    }
    assert_int_equal(buffer_read_file(&wanted, AT_FDCWD, expected, 1 << 20, NULL), 0);
    assert_string_equal(said.bytes, wanted.bytes);
}

/* `count` times `piece`, behind `begin`. */
static void says(const char *begin, const char *piece, size_t count, const char *part)
{
    _cleanup_buffer_ struct buffer text = {0}, said = {0};
    buffer_text(&text, begin);
    for (size_t i = 0; i < count; i++)
        buffer_text(&text, piece);
    assert_false(read_bytes(text.bytes, text.length, &said));
    if (!strstr(said.bytes, part))
        fail_msg("expected '%s' in:\n%.2000s", part, said.bytes);
}

static void large(void **state)
{
    (void)state;
    says("FROM debian\n", "RUN x\n", RECIPE_SIZE / 6, "the recipe is larger than 1024 KiB");
    says("", "FROM debian\n", RECIPE_STAGES + 1, "Recipe:257:1: the recipe has more than 256 stages");
    says("FROM debian\n", "RUN x\n", RECIPE_INSTRUCTIONS, "the recipe has more than 4096 instructions");
    says("FROM debian\nRUN ", "a \\\n", RECIPE_LINE / 2 + 10,
         "Recipe:2:1: the instruction is longer than 256 KiB");
}

/* What a mount's variables come to. */
static const char *get(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static void expanded_mounts(void **state)
{
    (void)state;
    struct problems problems = {.arena = seen_arena}, warnings = {.arena = seen_arena};
    const struct recipe_checker checker = {seen_arena, &problems, &warnings, '\\'};
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    const struct recipe_flag flag = {.name = "mount", .value = "type=cache,target=${X:?say it}"};
    struct recipe_mount mount;
    assert_false(recipe_mount_read(&checker, &flag, &expansion, &mount));
    assert_string_equal(problems.items[0].message, "RUN --mount: target: X: say it");
    see(problems.items[0].message);
}

static void all_texts_were_provoked(void **state)
{
    (void)state;
    size_t missing = 0, found = 0;
    static const char *const sources[] = {"recipe.c", "recipe_check.c", "recipe_lines.c", "recipe_mount.c",
                                          "recipe_words.c"};
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
        missing += check_source(arena_printf(seen_arena, "specs/%s", sources[i]), &found);
    assert_true(found > 40); /* or we look at the wrong sources */
    assert_int_equal(missing, 0);
}

static int is_case(const struct dirent *entry)
{
    return !strchr(entry->d_name, '.');
}

int main(void)
{
    struct dirent **cases;
    int count = scandir(FOLDER, &cases, is_case, alphasort);
    if (count <= 0) {
        perror(FOLDER);
        return 1;
    }
    seen_arena = arena_new();
    struct CMUnitTest *tests = NULL;
    size_t total = 0;
    for (int i = 0; i < count; i++)
        *arena_append(seen_arena, tests, total) = (struct CMUnitTest){
            .name = cases[i]->d_name, .test_func = golden, .initial_state = cases[i]->d_name};
    const struct CMUnitTest others[] = {cmocka_unit_test(large), cmocka_unit_test(expanded_mounts),
                                        cmocka_unit_test(all_texts_were_provoked)};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        *arena_append(seen_arena, tests, total) = others[i];
    int failed = _cmocka_run_group_tests("bad recipes", tests, total, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(cases[i]);
    free(cases);
    arena_free(seen_arena);
    return failed;
}
