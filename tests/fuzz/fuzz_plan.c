/* The file of `plan --out` as `apply --plan` takes it: what stands before the first NUL, beside a second one behind it.
 * No plan differs from itself, and how two differ can be said. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/plan_file.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

static struct json *read_plan(const uint8_t *data, size_t size)
{
    char path[64];
    struct json *document = NULL;
    struct error error = {0};
    snprintf(path, sizeof(path), "%s/plan", fuzz_folder());
    fuzz_write("plan", data, size);
    int result = plan_file_read(path, &document, &error);
    MUST((result == 0) == (document != NULL) && (result < 0) == (error.code != 0));
    return document;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    struct json *shown = read_plan(data, length);
    struct json *now = nul ? read_plan(nul + 1, size - length - 1) : NULL;
    if (shown)
        MUST(!plan_difference(shown, shown, arena));
    if (shown && now)
        MUST(!plan_difference(shown, now, arena) == !plan_difference(now, shown, arena));
    json_free(shown);
    json_free(now);
    return 0;
}
