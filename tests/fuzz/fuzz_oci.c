/* Images of OCI, and as `docker save` wrote them: a layout of up to eight documents, with NULs between them: index.json,
 * manifest.json, and blobs. "@N" in a document is the digest of blob N, which comes later ("@7" in the one before). Layers
 * are not unpacked: fuzz_unpack.c does that. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "drivers/image/store.h"
#include "lib/error.h"
#include "specs/image_config.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/parts.h"

#define PARTS 8

/* In the place of drivers/image/oci_layer.c: a layer's tar is its blob. */
int oci_unpack_layer(const struct oci_source *source, int blob, int root, const struct call *call,
                     char digest[static DIGEST_TEXT_SIZE], char diff[static DIGEST_TEXT_SIZE],
                     struct error *error)
{
    char bytes[16384];
    (void)source;
    (void)root;
    (void)call;
    (void)error;
    const ssize_t size = pread(blob, bytes, sizeof(bytes), 0);
    MUST(size >= 0);
    digest_of(bytes, (size_t)size, digest);
    memcpy(diff, digest, DIGEST_TEXT_SIZE);
    return 0;
}

/* In the place of drivers/image/file.c: what is no layout is refused before. */
int file_make(struct image_making *making, const char *path, struct error *error)
{
    (void)making;
    (void)path;
    (void)error;
    MUST(false);
    return 0;
}

static void fill_in(struct bytes part, char digests[PARTS][DIGEST_TEXT_SIZE], struct buffer *text)
{
    const char *bytes = part.data;
    buffer_text(text, "");
    for (size_t i = 0; i < part.size; i++)
        if (bytes[i] == '@' && i + 1 < part.size && bytes[i + 1] >= '2' && bytes[i + 1] < '0' + PARTS)
            buffer_text(text, digests[bytes[++i] - '0']);
        else
            buffer_add(text, &bytes[i], 1);
}

static void write_layout(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"layout/index.json", "layout/manifest.json"};
    char digests[PARTS][DIGEST_TEXT_SIZE] = {0}, path[128];
    struct bytes parts[PARTS];
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = fuzz_part(&data, &size);
    fuzz_clear("layout");
    for (size_t i = 0; i < 3; i++) {
        static const char *const folders[] = {"layout", "layout/blobs", "layout/blobs/sha256"};
        snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), folders[i]);
        MUST(mkdir(path, 0700) == 0);
    }
    fuzz_write("layout/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    for (size_t i = PARTS; i-- > 0;) {
        _cleanup_buffer_ struct buffer text = {0};
        fill_in(parts[i], digests, &text);
        digest_of(text.bytes, text.length, digests[i]);
        if (i >= 2)
            snprintf(path, sizeof(path), "layout/blobs/sha256/%s", digests[i]);
        if (i >= 2 || parts[i].size)
            fuzz_write(i < 2 ? names[i] : path, text.bytes, text.length);
    }
}

static void make_it(const char *tag, struct arena *arena)
{
    const struct call call = {.arena = arena, .cancel = -1};
    struct image_making making = NO_IMAGE_MAKING;
    struct image_config *config;
    struct error error = {0};
    making.call = &call;
    int result = oci_layout_make(&making, arena_printf(arena, "%s/layout%s", fuzz_folder(), tag), true,
                                 "amd64", &error);
    MUST((result < 0) == (error.code < 0));
    for (const char *at = error.text; result < 0 && *at; at++)
        MUST((unsigned char)*at >= 0x20 && *at != 0x7f);
    if (result == 0 && making.config)
        MUST(image_config_parse(arena, making.config, &config, &error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    write_layout(data, size);
    make_it("", arena);
    make_it(":latest", arena);
    return 0;
}
