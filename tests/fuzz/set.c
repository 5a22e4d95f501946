#include "tests/fuzz/set.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "tests/fuzz/fuzz.h"

/* The loader takes stdin under the name "-". */
int set_load(const void *text, size_t size, struct arena *arena, struct spec_set *set,
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

static void encode_set(const struct object_set *set, struct buffer *out)
{
    for (size_t i = 0; i < set->count; i++) {
        buffer_text(out, set->items[i]->id);
        fields_encode(kind_table(set->items[i]->kind), set->items[i]->body, out);
    }
}

void set_check_printed(const struct object_set *set, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0}, before = {0}, after = {0};
    struct spec_set again;
    struct problems problems = {0};
    specs_print(set, &text);
    if (set_load(text.bytes, text.length, arena, &again, &problems) < 0) {
        fprintf(stderr, "%s", text.bytes);
        for (size_t i = 0; i < problems.count; i++)
            fprintf(stderr, "%u: %s\n", problems.items[i].place.line, problems.items[i].message);
        MUST(false);
    }
    encode_set(set, &before);
    encode_set(&again.objects, &after);
    MUST(before.length == after.length);
    MUST(!before.length || memcmp(before.bytes, after.bytes, before.length) == 0);
}

void set_check_problems(const struct problems *problems)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < problems->count; i++)
        problem_print(&problems->items[i], &text);
    for (size_t i = 0; i < text.length; i++)
        MUST((unsigned char)text.bytes[i] >= 0x20 || text.bytes[i] == '\n');
    json_free(problems_to_json(problems));
}
