/* See signing.h; a wrapper of libgcrypt, as signature.c is. */
#include "lib/signing.h"

#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/signature.h"

#define NUMBER_SIZE    8
#define SECRET_SIZE    64 /* the seed, and the public key that it makes */
#define SEED_SIZE      32
#define VALUE_SIZE     64 /* of a signature */
#define SIGNATURE_SIZE (2 + NUMBER_SIZE + VALUE_SIZE)
#define FILE_LIMIT     2048 /* bytes of a key's file */
#define COMMENT        "untrusted comment:"

/* "Ed", how the password makes the key's mask (nothing: it has none), "B2", salt and costs of that, then what is masked:
 * number, key, and the BLAKE2b-256 of "Ed", number and key, or, in a key without a password of minisign 0.11, zeros. */
struct minisign_file {
    unsigned char algorithm[2], kdf[2], checksum_algorithm[2], salt[32], costs[16], number[NUMBER_SIZE],
        secret[SECRET_SIZE], checksum[32];
};
/* "Ed", "BK", rounds (0: it has no password), salt, the first bytes of the key's SHA-512, number, key. */
struct signify_file {
    unsigned char algorithm[2], kdf[2], rounds[4], salt[16], checksum[8], number[NUMBER_SIZE],
        secret[SECRET_SIZE];
};
_Static_assert(sizeof(struct minisign_file) == 158 && sizeof(struct signify_file) == 104, "as on disk");

struct signing_key {
    unsigned char number[NUMBER_SIZE], secret[SECRET_SIZE];
};

/* ---- the key ---- */

struct reading { /* all that is secret while a file is read, in one place that is locked and wiped */
    char text[FILE_LIMIT + 1];
    union {
        struct minisign_file minisign;
        struct signify_file signify;
    } file;
    unsigned char summed[2 + NUMBER_SIZE + SECRET_SIZE];
};

static struct signing_key *take(const unsigned char *number, const unsigned char *secret)
{
    struct signing_key *key = calloc(1, sizeof(*key));
    if (!key)
        return NULL;
    mlock(key, sizeof(*key)); /* it is as good as it gets */
    memcpy(key->number, number, NUMBER_SIZE);
    memcpy(key->secret, secret, SECRET_SIZE);
    return key;
}

static int take_minisign(struct reading *reading, const char *path, struct signing_key **key,
                         struct error *error)
{
    static const unsigned char none[32] = {0};
    const struct minisign_file *file = &reading->file.minisign;
    unsigned char sum[32];
    if (memcmp(file->kdf, none, 2) != 0)
        return error_set(error, -ENOKEY, "%s has a password: minisign -G -W makes a key without one", path);
    memcpy(reading->summed, file->algorithm, 2);
    memcpy(reading->summed + 2, file->number, NUMBER_SIZE);
    memcpy(reading->summed + 2 + NUMBER_SIZE, file->secret, SECRET_SIZE);
    gcry_md_hash_buffer(GCRY_MD_BLAKE2B_256, sum, reading->summed, sizeof(reading->summed));
    if (memcmp(file->checksum_algorithm, "B2", 2) != 0 ||
        (memcmp(sum, file->checksum, sizeof(sum)) != 0 && memcmp(none, file->checksum, sizeof(none)) != 0))
        return error_set(error, -EINVAL, "%s is damaged", path);
    *key = take(file->number, file->secret);
    return *key ? 0 : error_errno(error, -ENOMEM, "%s", path);
}

static int take_signify(struct reading *reading, const char *path, struct signing_key **key,
                        struct error *error)
{
    static const unsigned char none[4] = {0};
    const struct signify_file *file = &reading->file.signify;
    unsigned char sum[64];
    if (memcmp(file->rounds, none, sizeof(none)) != 0)
        return error_set(error, -ENOKEY, "%s has a password: signify -G -n makes a key without one", path);
    gcry_md_hash_buffer(GCRY_MD_SHA512, sum, file->secret, SECRET_SIZE);
    if (memcmp(sum, file->checksum, sizeof(file->checksum)) != 0)
        return error_set(error, -EINVAL, "%s is damaged", path);
    *key = take(file->number, file->secret);
    return *key ? 0 : error_errno(error, -ENOMEM, "%s", path);
}

static int read_text(const char *path, struct reading *reading, struct error *error)
{
    struct stat status;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, -errno, "%s", path);
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 077)
        return error_set(error, -EPERM, "%s must be a file of its own that nobody else can read: chmod 600",
                         path);
    ssize_t got = read(fd, reading->text, FILE_LIMIT);
    if (got < 0)
        return error_errno(error, -errno, "%s", path);
    reading->text[got] = '\0';
    return 0;
}

static int read_key(const char *path, struct reading *reading, struct signing_key **key, struct error *error)
{
    char unused[DIGEST_TEXT_SIZE];
    digest_of("", 0, unused); /* makes the library ready */
    int result = read_text(path, reading, error);
    const char *line = strchr(reading->text, '\n');
    if (result < 0)
        return result;
    if (strncmp(reading->text, COMMENT, strlen(COMMENT)) == 0 && line) {
        if (base64_read(line + 1, &reading->file, sizeof(struct minisign_file)) &&
            memcmp(reading->file.minisign.algorithm, "Ed", 2) == 0)
            return take_minisign(reading, path, key, error);
        if (base64_read(line + 1, &reading->file, sizeof(struct signify_file)) &&
            memcmp(reading->file.signify.algorithm, "EdBK", 4) == 0)
            return take_signify(reading, path, key, error);
    }
    return error_set(error, -EINVAL, "%s is no secret key of minisign or signify", path);
}

/* A signature by its secret half is accepted by its public one. */
static int check_halves(const struct signing_key *key, const char *path, struct error *error)
{
    static const char text[] = "fpsync";
    _cleanup_arena_ struct arena *arena = arena_new();
    unsigned char public[2 + NUMBER_SIZE + SECRET_SIZE - SEED_SIZE] = "Ed";
    memcpy(public + 2, key->number, NUMBER_SIZE);
    memcpy(public + 2 + NUMBER_SIZE, key->secret + SEED_SIZE, SECRET_SIZE - SEED_SIZE);
    const char *signature = signing_signify(key, arena, text, sizeof(text), error);
    if (!signature)
        return error->code;
    return signature_check(base64_text(arena, public, sizeof(public)), signature, text, sizeof(text), NULL) <
                   0
               ? error_set(error, -EINVAL, "%s is damaged", path)
               : 0;
}

int signing_key_read(const char *path, struct signing_key **key, struct error *error)
{
    struct reading reading = {.text = ""};
    mlock(&reading, sizeof(reading));
    int result = read_key(path, &reading, key, error);
    if (result == 0 && (result = check_halves(*key, path, error)) < 0) {
        signing_key_free(*key);
        *key = NULL;
    }
    explicit_bzero(&reading, sizeof(reading));
    munlock(&reading, sizeof(reading));
    return result;
}

void signing_key_free(struct signing_key *key)
{
    if (!key)
        return;
    explicit_bzero(key, sizeof(*key));
    munlock(key, sizeof(*key));
    free(key);
}

bool signing_key_is_of(const struct signing_key *key, const char *signature)
{
    unsigned char raw[SIGNATURE_SIZE];
    const char *line = strchr(signature, '\n');
    return line && base64_read(line + 1, raw, sizeof(raw)) && memcmp(raw + 2, key->number, NUMBER_SIZE) == 0;
}

/* ---- signatures ---- */

static bool take_value(gcry_sexp_t signature, unsigned char value[static VALUE_SIZE])
{
    static const char *const names[] = {"r", "s"};
    bool fine = true;
    for (size_t i = 0; i < 2; i++) {
        size_t size = 0;
        gcry_sexp_t part = gcry_sexp_find_token(signature, names[i], 0);
        const char *bytes = part ? gcry_sexp_nth_data(part, 1, &size) : NULL;
        fine = fine && bytes && size == VALUE_SIZE / 2;
        if (fine)
            memcpy(value + i * size, bytes, size);
        gcry_sexp_release(part);
    }
    return fine;
}

static int sign(const struct signing_key *key, const void *bytes, size_t size,
                unsigned char value[static VALUE_SIZE], struct error *error)
{
    gcry_sexp_t secret = NULL, data = NULL, signature = NULL;
    bool fine =
        size <= INT32_MAX &&
        gcry_sexp_build(&secret, NULL, "(private-key(ecc(curve Ed25519)(flags eddsa)(q %b)(d %b)))",
                        SECRET_SIZE - SEED_SIZE, key->secret + SEED_SIZE, SEED_SIZE, key->secret) == 0 &&
        gcry_sexp_build(&data, NULL, "(data(flags eddsa)(hash-algo sha512)(value %b))", (int)size, bytes) ==
            0 &&
        gcry_pk_sign(&signature, data, secret) == 0 && take_value(signature, value);
    gcry_sexp_release(secret);
    gcry_sexp_release(data);
    gcry_sexp_release(signature);
    return fine ? 0 : error_set(error, -EIO, "cannot sign");
}

static const char *raw_text(const struct signing_key *key, struct arena *arena, const char *algorithm,
                            const unsigned char *value)
{
    unsigned char raw[SIGNATURE_SIZE];
    memcpy(raw, algorithm, 2);
    memcpy(raw + 2, key->number, NUMBER_SIZE);
    memcpy(raw + 2 + NUMBER_SIZE, value, VALUE_SIZE);
    return base64_text(arena, raw, sizeof(raw));
}

/* The second signature is over the first and the trusted comment. */
char *signing_minisign(const struct signing_key *key, struct arena *arena, const void *bytes, size_t size,
                       const char *comment, struct error *error)
{
    unsigned char hash[64], value[VALUE_SIZE], second[VALUE_SIZE];
    const size_t length = strlen(comment);
    unsigned char *both = arena_alloc(arena, VALUE_SIZE + length + 1);
    gcry_md_hash_buffer(GCRY_MD_BLAKE2B_512, hash, bytes, size);
    if (sign(key, hash, sizeof(hash), value, error) < 0)
        return NULL;
    memcpy(both, value, VALUE_SIZE);
    memcpy(both + VALUE_SIZE, comment, length);
    if (sign(key, both, VALUE_SIZE + length, second, error) < 0)
        return NULL;
    return arena_printf(arena, COMMENT " signature of fpsync\n%s\ntrusted comment: %s\n%s\n",
                        raw_text(key, arena, "ED", value), comment,
                        base64_text(arena, second, sizeof(second)));
}

char *signing_signify(const struct signing_key *key, struct arena *arena, const void *bytes, size_t size,
                      struct error *error)
{
    unsigned char value[VALUE_SIZE];
    if (sign(key, bytes, size, value, error) < 0)
        return NULL;
    return arena_printf(arena, COMMENT " signature of fpsync\n%s\n", raw_text(key, arena, "Ed", value));
}
