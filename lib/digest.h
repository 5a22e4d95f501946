/* SHA-256 for contents and CRC-32 for records; the one wrapper of libgcrypt. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

#define DIGEST_TEXT_SIZE 65 /* 64 lower-case hex digits and the NUL */

struct digest;

struct digest *digest_new(void);
void digest_free(struct digest *digest); /* accepts NULL */
DEFINE_CLEANUP(digest)
#define _cleanup_digest_ _cleanup_(cleanup_digest)

void digest_add(struct digest *digest, const void *bytes, size_t size);
/* Writes the digest of all that was added as lower-case hex. Nothing is added after that; the object is still the caller's
 * to free. */
void digest_finish(struct digest *digest, char text[static DIGEST_TEXT_SIZE]);

/* Of one piece. */
void digest_of(const void *bytes, size_t size, char text[static DIGEST_TEXT_SIZE]);
/* HMAC-SHA256: without the key nobody can tell whether a guess at the bytes is right. */
void digest_keyed(const void *key, size_t key_size, const void *bytes, size_t size,
                  char text[static DIGEST_TEXT_SIZE]);
uint32_t checksum_of(const void *bytes, size_t size);

/* 64-bit hash for names of interfaces and roots: the first 16 hex digits of the digest, as a number. */
uint64_t digest_short(const char *text);
