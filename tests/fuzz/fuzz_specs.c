/* The loader as a whole: what stands before the first NUL is a .env, the rest a spec file. A set that was accepted
 * is printed, and what is printed must load as the same set; a refused one has its problems told. */
#include <string.h>

#include "lib/error.h"
#include "specs/interpolate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/set.h"

static void read_variables(const void *text, size_t size, struct arena *arena)
{
    struct problems problems = {.arena = arena};
    struct variables variables = {.problems = &problems, .arena = arena};
    variables_read(&variables, ".env", text, size);
    variables_clear(&variables);
    set_check_problems(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    if (nul) {
        read_variables(data, (size_t)(nul - data), arena);
        size -= (size_t)(nul + 1 - data);
        data = nul + 1;
    }
    struct spec_set set;
    struct problems problems = {0};
    if (set_load(data, size, arena, &set, &problems) == 0)
        set_check_printed(&set.objects, arena);
    set_check_problems(&problems);
    return 0;
}
