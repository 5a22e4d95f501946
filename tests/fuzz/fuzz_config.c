/* The config of an image as others write it: read, written in its one spelling, read again, and taken over by a container,
 * whose export says no more than before. */
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/image_inherit.h"
#include "tests/fuzz/fuzz.h"

static void inherit(const struct image_config *config, struct arena *arena)
{
    struct container *body = described_new(arena, &container_table);
    const struct object container = {.kind = KIND_CONTAINER, .name = "default/web", .body = body};
    struct inheritance all;
    image_inherit(arena, &container, "default/app", config, &all);
    for (size_t i = 0; i < all.volume_count; i++)
        MUST(full_name_is_valid(all.volumes[i]->name));
    struct object merged = container;
    merged.body = all.body;
    const struct container *said = image_disinherit(arena, &merged, config);
    struct changes changes = {0};
    fields_diff(&container_table, body, said, arena, &changes);
    MUST(changes.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct image_config *config = NULL, *again = NULL;
    struct error error = {0};
    const char *text = arena_strndup(arena, (const char *)data, size);
    const int result = image_config_parse(arena, text, &config, &error);
    MUST((result < 0) == (config == NULL) && (result < 0) == (error.code < 0));
    if (result < 0)
        return 0;
    const char *printed = image_config_to_text(arena, config);
    MUST(image_config_parse(arena, printed, &again, &error) == 0);
    const char *twice = image_config_to_text(arena, again);
    MUST(text_is_same(printed, twice));
    inherit(config, arena);
    return 0;
}
