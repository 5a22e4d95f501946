/* A sealed value: the name that a record has for it, and behind a NUL the key and the file as somebody left them, the key's
 * length first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/error.h"
#include "state/state.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/parts.h"

static struct state *open_it(void)
{
    static struct state *state;
    static char folder[64];
    struct error error;
    if (state)
        return state;
    snprintf(folder, sizeof(folder), "%s/state", fuzz_folder());
    MUST(mkdir(folder, 0700) == 0);
    MUST(state_open(folder, STATE_WRITE, &state, &error) == 0);
    return state;
}

/* Only what has a sealed one's name is a file. */
static void lay(const char *reference, struct bytes key, struct bytes value)
{
    char path[96];
    fuzz_clear("secrets");
    snprintf(path, sizeof(path), "%s/secrets", fuzz_folder());
    MUST(mkdir(path, 0700) == 0);
    if (key.size)
        fuzz_write("secrets/key", key.data, key.size);
    if (!state_is_sealed(reference))
        return;
    snprintf(path, sizeof(path), "secrets/%s", reference + strlen("sealed:"));
    fuzz_write(path, value.data, value.size);
}

static void seal(struct state *state, const char *value, struct arena *arena)
{
    const char *reference, *again;
    struct error error = {0};
    if (state_is_sealed(value) || state_seal(state, value, arena, &reference, &error) < 0)
        return;
    MUST(state_is_sealed(reference));
    MUST(state_unseal(state, reference, arena, &again, &error) == 0 && strcmp(again, value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct state *state = open_it();
    const struct bytes name = fuzz_part(&data, &size);
    const char *reference = arena_strndup(arena, name.data, name.size), *value = NULL;
    struct error error = {0};
    size_t length = size ? *data % 40 : 0;
    length = length < size ? length : size - !!size;
    const struct bytes key = {data + !!size, length}, rest = {data + !!size + length, size - !!size - length};
    lay(reference, key, rest);
    int result = state_unseal(state, reference, arena, &value, &error);
    MUST((result < 0) == (error.code < 0) && value);
    if (state_is_sealed(reference))
        MUST(strlen(value) <= rest.size && memcmp(value, rest.data, strlen(value)) == 0);
    else
        MUST(strcmp(value, reference) == 0);
    seal(state, value, arena);
    return 0;
}
