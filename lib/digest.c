#include "lib/digest.h"

#include <gcrypt.h>
#include <string.h>

#define PENDING_SIZE 4096

struct digest {
    gcry_md_hd_t handle;
    size_t pending_size;
    unsigned char pending[PENDING_SIZE]; /* small pieces: a call for each would cost more than their digest */
};

static void prepare(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
        return;
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* only public contents pass through here */
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static void to_hex(const unsigned char *bytes, char text[static DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[64] = '\0';
}

struct digest *digest_new(void)
{
    prepare();
    struct digest *digest = malloc(sizeof(*digest));
    if (digest)
        digest->pending_size = 0;
    if (!digest || gcry_md_open(&digest->handle, GCRY_MD_SHA256, 0)) {
        fputs("fpsync: cannot start a digest: out of memory\n", stderr);
        abort();
    }
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    gcry_md_close(digest->handle);
    free(digest);
}

static void write_pending(struct digest *digest)
{
    gcry_md_write(digest->handle, digest->pending, digest->pending_size);
    digest->pending_size = 0;
}

void digest_add(struct digest *digest, const void *bytes, size_t size)
{
    if (size > PENDING_SIZE - digest->pending_size)
        write_pending(digest);
    if (size > PENDING_SIZE) {
        gcry_md_write(digest->handle, bytes, size);
        return;
    }
    if (size)
        memcpy(digest->pending + digest->pending_size, bytes, size);
    digest->pending_size += size;
}

void digest_finish(struct digest *digest, char text[static DIGEST_TEXT_SIZE])
{
    write_pending(digest);
    to_hex(gcry_md_read(digest->handle, GCRY_MD_SHA256), text);
}

void digest_of(const void *bytes, size_t size, char text[static DIGEST_TEXT_SIZE])
{
    unsigned char raw[32];
    prepare();
    gcry_md_hash_buffer(GCRY_MD_SHA256, raw, bytes, size);
    to_hex(raw, text);
}

void digest_keyed(const void *key, size_t key_size, const void *bytes, size_t size,
                  char text[static DIGEST_TEXT_SIZE])
{
    gcry_md_hd_t handle;
    prepare();
    if (gcry_md_open(&handle, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC) || gcry_md_setkey(handle, key, key_size)) {
        fputs("fpsync: cannot start a keyed digest: out of memory\n", stderr);
        abort();
    }
    gcry_md_write(handle, bytes, size);
    to_hex(gcry_md_read(handle, GCRY_MD_SHA256), text);
    gcry_md_close(handle);
}

uint32_t checksum_of(const void *bytes, size_t size)
{
    unsigned char raw[4];
    prepare();
    gcry_md_hash_buffer(GCRY_MD_CRC32, raw, bytes, size);
    return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
}

uint64_t digest_short(const char *text)
{
    unsigned char raw[32];
    prepare();
    gcry_md_hash_buffer(GCRY_MD_SHA256, raw, text, strlen(text));
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | raw[i];
    return value;
}
