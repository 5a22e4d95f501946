/* Making the signatures that lib/signature.h checks: Ed25519 by a secret key that has no password, in a file as
 * `minisign -G -W` (https://jedisct1.github.io/minisign/#secret-key-format) or `signify -G -n` (signify(1)) writes it.
 *
 * A key is secret: it is locked into memory as long as it is there, and said in no message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/arena.h"

struct error;

struct signing_key; /* with its number, by which a public key is found */

/* Reads the file, which must be a regular one that nobody but its owner may read, the owner being who runs this.
 * -EPERM where it is not; -EINVAL for what is no such key, -ENOKEY for one with a password. */
int signing_key_read(const char *path, struct signing_key **key, struct error *error);
void signing_key_free(struct signing_key *key); /* wipes it; accepts NULL */
DEFINE_CLEANUP(signing_key)
#define _cleanup_signing_key_ _cleanup_(cleanup_signing_key)

/* Whether the text of a signature file is of this key, be it right or wrong. */
bool signing_key_is_of(const struct signing_key *key, const char *signature);
/* Text of FILE.minisig: over the BLAKE2b-512 of the bytes, with `comment`, one line, as the trusted one. */
char *signing_minisign(const struct signing_key *key, struct arena *arena, const void *bytes, size_t size,
                       const char *comment, struct error *error);
/* Text of FILE.sig: over the bytes themselves. NULL after an error, both. */
char *signing_signify(const struct signing_key *key, struct arena *arena, const void *bytes, size_t size,
                      struct error *error);
