/* Keys of steps: see build.h and build_internal.h. */
#include <string.h>

#include "lib/digest.h"
#include "reconciler/build_internal.h"

/* Changes when the same instruction comes to something else than before. */
#define KEY_FORMAT "fpsync step 1"

struct digest *key_begin(const char *epoch, const char *kind)
{
    struct digest *digest = digest_new();
    key_text(digest, KEY_FORMAT);
    key_text(digest, epoch);
    key_text(digest, kind);
    return digest;
}

void key_number(struct digest *digest, int64_t number)
{
    unsigned char raw[8];
    for (size_t i = 0; i < sizeof(raw); i++)
        raw[i] = (unsigned char)((uint64_t)number >> (8 * i));
    digest_add(digest, raw, sizeof(raw));
}

void key_text(struct digest *digest, const char *text)
{
    key_number(digest, text ? (int64_t)strlen(text) : -1);
    if (text)
        digest_add(digest, text, strlen(text));
}

void key_texts(struct digest *digest, const struct texts *texts)
{
    key_number(digest, (int64_t)texts->count);
    for (size_t i = 0; i < texts->count; i++)
        key_text(digest, texts->items[i]);
}

const char *key_end(struct arena *arena, struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_finish(digest, text);
    digest_free(digest);
    return arena_strdup(arena, text);
}
