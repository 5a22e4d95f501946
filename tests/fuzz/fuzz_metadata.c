/* What lies beside the root of an image of LXD's or ours: metadata.yaml, and behind a NUL fpsync.json. */
#include <fcntl.h>
#include <string.h>

#include "drivers/image/metadata.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "specs/image_config.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct bytes metadata = fuzz_part(&data, &size);
    const char *text = NULL;
    struct image_config *config;
    struct error error = {0};
    fuzz_write("metadata.yaml", metadata.data, metadata.size);
    fuzz_clear(METADATA_CONFIG);
    if (size)
        fuzz_write(METADATA_CONFIG, data, size);
    _cleanup_close_ int folder = open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int result = metadata_take(folder, "images:app", "amd64", arena, &text, &error);
    MUST((result < 0) == (error.code < 0));
    MUST(result == 0 || !text);
    if (text)
        MUST(image_config_parse(arena, text, &config, &error) == 0 &&
             strcmp(image_config_to_text(arena, config), text) == 0);
    return 0;
}
