/* Digests as records hold them. What covers values that must not be shown is keyed, "keyed:" and 64 hex digits: whoever
 * has the record alone cannot try guesses at the values (SEMANTICS 30). Pure. */
#pragma once

#include "specs/model.h"

/* Whether the container's definition has such a value in it. */
bool keyed_is_needed(const struct container *body);
bool keyed_is_one(const char *digest); /* NULL is none */
const char *keyed_digest(struct arena *arena, const struct bytes *key, const char *digest);
/* Whether what was recorded, keyed or plain, is of `digest`. Either may be NULL. */
bool keyed_is_same(const struct bytes *key, const char *recorded, const char *digest);
