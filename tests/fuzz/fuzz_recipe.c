/* A recipe, and behind a NUL the patterns of an ignore file: read, its variables expanded, a build made of it without a
 * context, and that compared with itself and with nothing. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/build.h"
#include "specs/ignore.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/set.h"

static int find(void *context, const char *reference, struct build_base *base, struct error *error)
{
    (void)context;
    (void)error;
    base->name = reference;
    base->digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    return 0;
}

static void build_it(const struct recipe *recipe, struct arena *arena)
{
    struct problems problems = {.arena = arena};
    struct build *build;
    struct pair given = {.key = "A", .value = "b c"};
    const struct pairs arguments = {.items = &given, .count = 1};
    const struct build_request request = {
        .recipe = recipe, .file = "Recipe", .arguments = &arguments, .architecture = "amd64", .find = find};
    const bool fine = build_make(&request, arena, &problems, &build);
    MUST(fine == (!recipe->is_broken && problems.count == 0));
    set_check_problems(&problems);
    if (!fine)
        return;
    struct changes none = {0}, all = {0};
    MUST(build->is_known);
    for (size_t i = 0; i < build->count; i++)
        MUST(build->steps[i].key && strlen(build->steps[i].key) == 64);
    build_changes("Recipe", (struct place){.file = "Recipe"}, build->made_of, build, arena, &none);
    MUST(none.count == 0);
    build_changes("Recipe", (struct place){.file = "Recipe"}, "", build, arena, &all);
    MUST(all.count >= build->part_count);
    const char *text = image_config_to_text(arena, build->config);
    struct image_config *again;
    struct error error = {0};
    MUST(image_config_parse(arena, text, &again, &error) == 0);
    MUST(strcmp(image_config_to_text(arena, again), text) == 0);
}

static void ignore_it(const char *text, size_t size, struct arena *arena)
{
    struct problems problems = {.arena = arena};
    struct ignore ignore = {0};
    const bool fine = ignore_read(&ignore, ".dockerignore", text, size, arena, &problems);
    MUST(fine == (problems.count == 0));
    set_check_problems(&problems);
    static const char *const paths[] = {"a", "a/b.c", "a/b.c/d", "a/b.c/e", ".git/config", "b", "b/b.c"};
    struct ignore_memory *memory = arena_new_of(arena, struct ignore_memory);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        MUST(ignore_find_next(&ignore, memory, paths[i]) == ignore_find_alone(&ignore, paths[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems = {.arena = arena};
    struct recipe *recipe;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t length = nul ? (size_t)(nul - data) : size;
    const struct recipe_piece piece = {
        .text = (const char *)data, .length = length, .place = {"Recipe", 1, 1}};
    const bool fine = recipe_read(&piece, 1, arena, &problems, &recipe);
    MUST(fine == (problems.count == 0));
    set_check_problems(&problems);
    MUST(recipe->is_broken == !fine);
    build_it(recipe, arena);
    if (nul)
        ignore_it((const char *)nul + 1, size - length - 1, arena);
    return 0;
}
