/* The loader as a whole: what stands before the first NUL is a .env, the rest a spec file. A set that was accepted
 * is printed, and what is printed must load as the same set; a refused one has its problems told. */
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "specs/interpolate.h"
#include "specs/specs.h"
#include "tests/fuzz/fuzz.h"

static void encode_set(const struct object_set *set, struct buffer *out)
{
    for (size_t i = 0; i < set->count; i++) {
        buffer_text(out, set->items[i]->id);
        fields_encode(kind_table(set->items[i]->kind), set->items[i]->body, out);
    }
}

/* The loader takes stdin under the name "-". */
static int load(const void *text, size_t size, struct arena *arena, struct spec_set *set,
                struct problems *problems)
{
    static const char *const arguments[] = {"-"};
    const struct spec_request request = {.arguments = arguments, .count = 1, .default_directory = "/"};
    struct error error = {0};
    int fd = file_of(text, size);
    MUST(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    problems->arena = arena;
    int result = specs_load(&request, NULL, arena, set, problems, &error);
    MUST((result == 0) == (problems->count == 0));
    return result;
}

static void check_printed(const struct spec_set *set, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0}, before = {0}, after = {0};
    struct spec_set again;
    struct problems problems = {0};
    specs_print(&set->objects, &text);
    MUST(load(text.bytes, text.length, arena, &again, &problems) == 0);
    encode_set(&set->objects, &before);
    encode_set(&again.objects, &after);
    MUST(before.length == after.length);
    MUST(!before.length || memcmp(before.bytes, after.bytes, before.length) == 0);
}

static void check_problems(const struct problems *problems)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < problems->count; i++)
        problem_print(&problems->items[i], &text);
    for (size_t i = 0; i < text.length; i++)
        MUST((unsigned char)text.bytes[i] >= 0x20 || text.bytes[i] == '\n');
    json_free(problems_to_json(problems));
}

static void read_variables(const void *text, size_t size, struct arena *arena)
{
    struct problems problems = {.arena = arena};
    struct variables variables = {.problems = &problems, .arena = arena};
    variables_read(&variables, ".env", text, size);
    variables_clear(&variables);
    check_problems(&problems);
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
    if (load(data, size, arena, &set, &problems) == 0)
        check_printed(&set, arena);
    check_problems(&problems);
    return 0;
}
