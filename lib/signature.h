/* Signatures of minisign(1) and signify(1): Ed25519 (RFC 8032) over a file, or over its BLAKE2b-512. */
#pragma once

#include <stddef.h>

struct error;

/* Whether the text of a signature file (".minisig", ".sig") is one over these bytes by the public key (one line of
 * base64). The trusted comment of minisign is not looked at. -EKEYREJECTED says why not. */
int signature_check(const char *key, const char *signature, const void *bytes, size_t size,
                    struct error *error);
