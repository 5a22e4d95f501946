/* One archive into one folder: which reader it takes, and the limits that both share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/arena.h"
#include "lib/error.h"

struct unpacking {
    int archive;
    enum unpack_what what;
    struct decoder *decoder; /* NULL: a squashfs */
};

struct unpacking *unpack_begin(int archive, enum unpack_what what, struct error *error)
{
    struct unpacking *unpacking = calloc(1, sizeof(*unpacking));
    if (!unpacking) {
        error_set(error, -ENOMEM, "cannot begin to unpack");
        return NULL;
    }
    *unpacking = (struct unpacking){.archive = archive, .what = what};
    if ((what == UNPACK_ROOT || what == UNPACK_CHECK) && squash_is(archive))
        return unpacking;
    if (what == UNPACK_CHECK) {
        error_set(error, -EINVAL, "it is no squashfs");
        free(unpacking);
        return NULL;
    }
    unpacking->decoder = decoder_start(archive, what == UNPACK_LAYER, error);
    if (unpacking->decoder)
        return unpacking;
    free(unpacking);
    return NULL;
}

/* What follows the archive's end belongs to the blob, too. */
static int take_digests(struct unpacking *unpacking, struct unpacked *unpacked, struct error *error)
{
    const char *read, *decoded;
    int result = decoder_drain(unpacking->decoder, error);
    if (result < 0)
        return result;
    decoder_digests(unpacking->decoder, &read, &decoded);
    memcpy(unpacked->read, read, DIGEST_TEXT_SIZE);
    memcpy(unpacked->decoded, decoded, DIGEST_TEXT_SIZE);
    return 0;
}

int unpack(struct unpacking *unpacking, int root, void (*progress)(int percent), struct unpacked *unpacked,
           struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const bool layer = unpacking->what == UNPACK_LAYER;
    struct filling filling = {.root = root,
                              .layer = layer,
                              .small = unpacking->what == UNPACK_CONTEXT,
                              .checks = unpacking->what == UNPACK_CHECK,
                              .progress = progress,
                              .error = error};
    filling_begin(&filling, arena);
    int result = unpacking->decoder ? tar_read(unpacking->decoder, &filling)
                                    : squash_read(unpacking->archive, &filling);
    if (result == 0)
        result = filling_finish(&filling);
    if (result == 0 && layer)
        result = take_digests(unpacking, &filling.unpacked, error);
    if (result == 0)
        *unpacked = filling.unpacked;
    filling_clear(&filling);
    return result;
}

void unpack_end(struct unpacking *unpacking)
{
    if (!unpacking)
        return;
    decoder_free(unpacking->decoder);
    free(unpacking);
}
