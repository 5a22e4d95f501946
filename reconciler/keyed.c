#include "reconciler/keyed.h"

#include <string.h>

#include "lib/digest.h"
#include "lib/map.h"

static const char prefix[] = "keyed:";

bool keyed_is_needed(const struct container *body)
{
    for (size_t i = 0; i < body->env.count; i++)
        if (variable_is_hidden(body->env.items[i].key))
            return true;
    return false;
}

bool keyed_is_one(const char *digest)
{
    return digest && strncmp(digest, prefix, strlen(prefix)) == 0;
}

const char *keyed_digest(struct arena *arena, const struct bytes *key, const char *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_keyed(key->data, key->size, digest, strlen(digest), text);
    return arena_printf(arena, "%s%s", prefix, text);
}

bool keyed_is_same(const struct bytes *key, const char *recorded, const char *digest)
{
    char text[DIGEST_TEXT_SIZE];
    if (!digest || !keyed_is_one(recorded))
        return text_is_same(recorded, digest);
    if (!key->size)
        return false; /* it was lost */
    digest_keyed(key->data, key->size, digest, strlen(digest), text);
    return strcmp(recorded + strlen(prefix), text) == 0;
}
