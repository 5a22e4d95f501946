/* Indexes of a tree that somebody wrote and we publish into: index.json, and behind a NUL images.json. What is written after
 * that is read again, and has the new version as the newest of its product. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "lib/json.h"
#include "specs/image_config.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/parts.h"

static const char product[] = "app:current:amd64:default";

static int open_tree(void)
{
    static const char *const folders[] = {"streams", "streams/v1"};
    int tree = open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(tree >= 0);
    for (size_t i = 0; i < 2; i++)
        mkdirat(tree, folders[i], 0700);
    return tree;
}

static void check_newest(const struct publishing *publishing)
{
    const struct json *versions =
        json_get(json_get(json_get(publishing->images, "products"), product), "versions");
    MUST(json_get(versions, publishing->version));
    for (void *i = json_first(versions); i; i = json_next(versions, i))
        MUST(strcmp(json_key(i), publishing->version) <= 0);
}

static void write_json(const char *name, const struct json *value)
{
    _cleanup_buffer_ struct buffer text = {0};
    json_print(value, false, &text);
    fuzz_write(name, text.bytes, text.length);
}

static int publish_it(int tree, struct arena *arena, bool first)
{
    static const struct image_publish request = {
        .name = "app", .digest = "aaaa", .format = "tar.xz", .arch = "amd64", .keep = 2};
    const struct call call = {.arena = arena, .cancel = -1};
    struct publishing publishing = {.request = &request, .call = &call, .tree = tree, .time = 1700000000};
    struct error error = {0};
    publishing.config = described_new(arena, &image_config_table);
    int result = publish_read_index(&publishing, &error);
    if (result == 0)
        result = publish_choose_version(&publishing, &error);
    MUST((result < 0) == (error.code < 0));
    /* The first one may have made the last version that there can be. */
    MUST(result == 0 || first || result == -EOVERFLOW);
    if (result == 0 && !publishing.is_there) {
        publish_add_version(&publishing);
        check_newest(&publishing);
        write_json("streams/v1/index.json", publishing.index);
        write_json("streams/v1/images.json", publishing.images);
    }
    json_free(publishing.index);
    json_free(publishing.images);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_close_ int tree = open_tree();
    const struct bytes index = fuzz_part(&data, &size);
    fuzz_write("streams/v1/index.json", index.data, index.size);
    fuzz_write("streams/v1/images.json", data, size);
    if (publish_it(tree, arena, true) == 0)
        publish_it(tree, arena, false);
    return 0;
}
