/* The config of a container that LXC had before: whatever it says, what is exported of it is a spec that loads as what
 * was found. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/call.h"
#include "drivers/container/container.h"
#include "lib/error.h"
#include "reconciler/found.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/set.h"

#define NAME "Old_one"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool prepared;
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct call call = {.arena = arena, .cancel = -1};
    struct container_found *found = NULL;
    struct error error = {0};
    struct paths paths;
    char path[64];
    snprintf(path, sizeof(path), "%s/" NAME, fuzz_folder());
    if (!prepared)
        MUST(mkdir(path, 0700) == 0);
    prepared = true;
    fuzz_write(NAME "/config", data, size);
    MUST(paths_make("/", arena, &paths, &error) == 0);
    int result = container_view.read_found(fuzz_folder(), NAME, &call, &found, &error);
    MUST((result == 0) == (found != NULL) && (result < 0) == (error.code != 0));
    if (result < 0)
        return 0;
    struct object *object = found_container(&paths, arena, found_name(&paths, arena, NAME), found);
    set_check_printed(&(struct object_set){.items = &object, .count = 1}, arena);
    return 0;
}
