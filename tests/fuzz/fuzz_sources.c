/* A folder of specs: what stands between NULs is, in this order, web.yaml, a drop-in of it, a second one, a file that may
 * be included or be a template, and the variables. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/error.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/set.h"

static const char *const names[] = {"specs/web.yaml", "specs/web.yaml.d/10.yaml", "specs/web.yaml.d/20.yaml",
                                    "part.yaml", "specs/.env"};

static void write_files(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
        size_t length = nul ? (size_t)(nul - data) : size;
        fuzz_write(names[i], data, length);
        size -= nul ? length + 1 : length;
        data += nul ? length + 1 : length;
    }
}

static const char *prepare(void)
{
    static char specs[64];
    char path[96];
    if (*specs)
        return specs;
    snprintf(specs, sizeof(specs), "%s/specs", fuzz_folder());
    snprintf(path, sizeof(path), "%s/web.yaml.d", specs);
    MUST(mkdir(specs, 0700) == 0 && mkdir(path, 0700) == 0);
    return specs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char *folder = prepare();
    const struct spec_request request = {.arguments = &folder, .count = 1, .default_directory = "/"};
    struct spec_set set;
    struct problems problems = {.arena = arena};
    struct error error = {0};
    write_files(data, size);
    int result = specs_load(&request, NULL, arena, &set, &problems, &error);
    MUST((result == 0) == (problems.count == 0 && error.code == 0));
    if (result == 0)
        set_check_printed(&set.objects, arena);
    set_check_problems(&problems);
    return 0;
}
