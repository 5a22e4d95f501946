/* Signatures by keys that minisign 0.11 and signify made for this test, checked by who checks those of both programs;
 * tests/system/65-publish.sh lets the programs themselves do so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "lib/error.h"
#include "lib/signature.h"
#include "lib/signing.h"

#define COMMENT "untrusted comment: of a test\n"

static const char minisign_secret[] =
    COMMENT "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAmqV5oiu6MFyh0MO7YsjYHoiP"
            "TOAgJNV9eWZ2/"
            "Nc1iK7iyR+"
            "Za80s3ivm6AjPbk22THBw503aOEeRgGdfeJ5cWavQTmFRewq9AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char minisign_public[] = "RWSapXmiK7owXCvm6AjPbk22THBw503aOEeRgGdfeJ5cWavQTmFRewq9";
static const char signify_secret[] =
    COMMENT "RWRCSwAAAADRgXj+"
            "rwUennqnJfM9V9FfPTS4vT1GpijVhrZMIFcyfrvxkbfquh2hOYyTQZLNM34rnQpEkTKTJ9PRllxAcMMubzQedGatjaI1aqs+"
            "8G77DlhAQ8Dg5WfcYokHwISA+D4=\n";
static const char signify_public[] = "RWTVhrZMIFcyfm80HnRmrY2iNWqrPvBu+w5YQEPA4OVn3GKJB8CEgPg+";
static const char locked_secret[] =
    COMMENT "RWRTY0Iy5h0Rs5hejfgmR/255K9gsNNDJ/"
            "27sT2NLBKhJGhTYWcAAAACAAAAAAAAAEAAAAAAPtdbnStZWUBFS5Gcipp8hmjol3U8pB7zjv9hgjl5toBqOINxfbsv7T8l9d"
            "AJ3TGt4pEc7VH9fDJvAA5UzhM4XAc11zUSJoDhacATxxsOnohz4vRqBnhw6/haXbnmHfy6RnB8ayzOrKM=\n";

static char path[] = "/tmp/fpsync-signing-XXXXXX";

static void write_key(const char *text, mode_t mode)
{
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int begin(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

/* ---- what is signed ---- */

static void signs(const char *secret, const char *public, const char *other)
{
    struct error error = {0};
    _cleanup_arena_ struct arena *arena = arena_new();
    struct signing_key *key = NULL;
    static const char text[] = "{\"format\": \"index:1.0\"}";
    write_key(secret, 0600);
    assert_int_equal(signing_key_read(path, &key, &error), 0);
    const char *texts[] = {signing_minisign(key, arena, text, sizeof(text), "file:index.json", &error),
                           signing_signify(key, arena, text, sizeof(text), &error)};
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(texts[i]);
        assert_true(signing_key_is_of(key, texts[i]));
        assert_int_equal(signature_check(public, texts[i], text, sizeof(text), &error), 0);
        assert_true(signature_check(public, texts[i], text, sizeof(text) - 1, &error) < 0);
        assert_true(signature_check(other, texts[i], text, sizeof(text), &error) < 0);
    }
    assert_string_equal(texts[1], signing_signify(key, arena, text, sizeof(text), &error));
    assert_non_null(strstr(texts[0], "\ntrusted comment: file:index.json\n"));
    signing_key_free(key);
}

static void keys_of_minisign(void **state)
{
    (void)state;
    signs(minisign_secret, minisign_public, signify_public);
}

static void keys_of_signify(void **state)
{
    (void)state;
    signs(signify_secret, signify_public, minisign_public);
}

/* ---- what is no key ---- */

static void says(const char *text, mode_t mode, const char *said)
{
    struct error error = {0};
    struct signing_key *key = NULL;
    write_key(text, mode);
    assert_true(signing_key_read(path, &key, &error) < 0);
    assert_null(key);
    if (!strstr(error.text, said))
        fail_msg("\"%s\" does not say \"%s\"", error.text, said);
    assert_null(strstr(error.text, "hOYyT")); /* nothing of a key */
}

static void no_keys(void **state)
{
    (void)state;
    char damaged[sizeof(signify_secret)];
    says("", 0600, "is no secret key");
    says(COMMENT, 0600, "is no secret key");
    says(COMMENT "AAAA\n", 0600, "is no secret key");
    says(locked_secret, 0600, "has a password");
    says(signify_secret, 0640, "chmod 600");
    says(signify_secret, 0604, "chmod 600");
    memcpy(damaged, signify_secret, sizeof(damaged));
    damaged[strlen(COMMENT) + 60] ^= 1;
    says(damaged, 0600, "is ");
    for (size_t at = strlen(COMMENT); at < strlen(minisign_secret) - 4; at += 7) { /* a letter anywhere */
        struct signing_key *key = NULL;
        struct error error = {0};
        char text[sizeof(minisign_secret)];
        memcpy(text, minisign_secret, sizeof(text));
        text[at] = text[at] == 'A' ? 'B' : 'A';
        write_key(text, 0600);
        if (signing_key_read(path, &key, &error) ==
            0) /* the number of the key, salt and costs alone may differ */
            assert_true(at < strlen(COMMENT) + 84);
        signing_key_free(key);
    }
}

static void base64(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    unsigned char raw[3];
    assert_string_equal(base64_text(arena, "f", 1), "Zg==");
    assert_string_equal(base64_text(arena, "fo", 2), "Zm8=");
    assert_string_equal(base64_text(arena, "foo", 3), "Zm9v");
    assert_true(base64_read("Zm8=", raw, 2) && memcmp(raw, "fo", 2) == 0);
    assert_false(base64_read("Zm8=", raw, 3));
    assert_false(base64_read("Z*8=", raw, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_minisign),
        cmocka_unit_test(keys_of_signify),
        cmocka_unit_test(no_keys),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
