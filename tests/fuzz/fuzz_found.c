/* The config of a container that LXC had before: whatever it says, what is exported of it is a spec that loads as what
 * was found. */
#include <stdio.h>
#include <stdlib.h>
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

static int by_name(const void *left, const void *right)
{
    return strcmp((*(struct object *const *)left)->name, (*(struct object *const *)right)->name);
}

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
    int result = container_view.read_found(&paths, fuzz_folder(), NAME, &call, &found, &error);
    MUST((result == 0) == (found != NULL) && (result < 0) == (error.code != 0));
    if (result < 0)
        return 0;
    struct found_networks networks = {.paths = &paths, .arena = arena, .makes = true};
    const struct found_context context = {.networks = &networks};
    struct object *object = found_container(&paths, arena, found_name(&paths, arena, NAME), found, &context);
    struct object_set set = networks.made;
    if (set.count)
        qsort(set.items, set.count, sizeof(*set.items), by_name);
    *arena_append(arena, set.items, set.count) = object;
    set_check_printed(&set, arena);
    return 0;
}
