/* What image servers and registries say of their images: the indexes and lists of simplestreams, the index and config of
 * OCI, and behind a NUL the signature of such a text. */
#include <string.h>

#include "drivers/image/fetch/resolve.h"
#include "drivers/image/oci.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/signature.h"
#include "tests/fuzz/fuzz.h"

static void check_answer(struct json *answer, const struct error *error)
{
    MUST((answer == NULL) == (error->code < 0));
    MUST(!answer || json_holds_object(answer));
    json_free(answer);
}

static void resolve_it(const struct json *value)
{
    static const char *const aliases[] = {"debian/12", "debian/bookworm/cloud", "", "/", "a/b/c/d"};
    struct error error = {0};
    check_answer(resolve_products(value, &error), &error);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        error = (struct error){0};
        check_answer(resolve_image(value, aliases[i], "amd64", i % 2 ? "ab" : NULL, &error), &error);
    }
}

static void select_it(const struct json *value, struct arena *arena)
{
    static const char *const tags[] = {NULL, "latest", ""};
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        struct oci_descriptor found;
        struct error error = {0};
        int result = oci_select(value, tags[i], "amd64", arena, &found, &error);
        MUST((result < 0) == (error.code < 0));
        MUST(result < 0 || (strlen(found.digest) == 64 && found.size >= 0));
    }
}

static void verify_it(const char *text, size_t size, const char *signature)
{
    static const char key[] = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    struct error error = {0};
    int result = signature_check(key, signature, text, size, &error);
    MUST((result < 0) == (error.code < 0));
    error = (struct error){0};
    signature_check(signature, signature, text, size, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t length = nul ? (size_t)(nul - data) : size;
    _cleanup_json_ struct json *value = NULL;
    if (nul)
        verify_it((const char *)data, length, arena_strndup(arena, (const char *)nul + 1, size - length - 1));
    if (json_parse((const char *)data, length, &value, NULL) < 0)
        return 0;
    resolve_it(value);
    select_it(value, arena);
    return 0;
}
