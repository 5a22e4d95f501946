/* See signature.h; the other wrapper of libgcrypt beside lib/digest.c. */
#include "lib/signature.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/digest.h"
#include "lib/error.h"

#define KEY_SIZE       42 /* "Ed", the key's number, the key */
#define SIGNATURE_SIZE 74 /* "Ed" or "ED", the key's number, the signature */
#define NUMBER_SIZE    8

/* The line after the comment. */
static bool read_signature(const char *text, unsigned char signature[static SIGNATURE_SIZE])
{
    const char *line = strchr(text, '\n');
    return strncmp(text, "untrusted comment:", 18) == 0 && line &&
           base64_read(line + 1, signature, SIGNATURE_SIZE) && signature[0] == 'E' &&
           (signature[1] == 'd' || signature[1] == 'D');
}

static bool is_signed(const unsigned char *key, const unsigned char *signature, const void *bytes,
                      size_t size)
{
    gcry_sexp_t public = NULL, data = NULL, value = NULL;
    bool fine =
        gcry_sexp_build(&public, NULL, "(public-key(ecc(curve Ed25519)(flags eddsa)(q %b)))", 32, key) == 0 &&
        gcry_sexp_build(&data, NULL, "(data(flags eddsa)(hash-algo sha512)(value %b))", (int)size, bytes) ==
            0 &&
        gcry_sexp_build(&value, NULL, "(sig-val(eddsa(r %b)(s %b)))", 32, signature, 32, signature + 32) ==
            0 &&
        gcry_pk_verify(value, data, public) == 0;
    gcry_sexp_release(public);
    gcry_sexp_release(data);
    gcry_sexp_release(value);
    return fine;
}

int signature_check(const char *key, const char *signature, const void *bytes, size_t size,
                    struct error *error)
{
    unsigned char public[KEY_SIZE], given[SIGNATURE_SIZE], hash[64];
    char unused[DIGEST_TEXT_SIZE];
    digest_of("", 0, unused); /* makes the library ready */
    if (!base64_read(key, public, sizeof(public)) || public[0] != 'E' || public[1] != 'd')
        return error_set(error, -EKEYREJECTED, "\"%s\" is not a public key of minisign", key);
    if (size > INT32_MAX || !read_signature(signature, given))
        return error_set(error, -EKEYREJECTED, "the signature is none of minisign or signify");
    if (memcmp(public + 2, given + 2, NUMBER_SIZE) != 0)
        return error_set(error, -EKEYREJECTED, "it is signed with another key");
    if (given[1] == 'D') {
        gcry_md_hash_buffer(GCRY_MD_BLAKE2B_512, hash, bytes, size);
        bytes = hash;
        size = sizeof(hash);
    }
    return is_signed(public + 2 + NUMBER_SIZE, given + 2 + NUMBER_SIZE, bytes, size)
               ? 0
               : error_set(error, -EKEYREJECTED, "the signature is not one over this file");
}
