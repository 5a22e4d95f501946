/* A database that somebody has written to. After 'b': single bytes of its file, each an offset (3 bytes) and a value, as
 * a damaged disk has them. After 'v': values with good checksums, as another program would leave them: database, length
 * and bytes of a key, length (2 bytes) and bytes of a value. It is read, or refused with a reason. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/error.h"
#include "reconciler/actual.h"
#include "state/internal.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

static char folder[64];
static struct buffer sound; /* the bytes of a database with a few objects in it */

static void add_record(struct state *state, const char *kind, const char *name, struct bytes body)
{
    struct error error;
    MUST(state_put_record(state,
                          &(struct record){.kind = kind,
                                           .name = name,
                                           .uid = "0123456789abcdef",
                                           .source = "host",
                                           .phase = "running",
                                           .body = body},
                          &error) == 0);
}

static void fill(struct state *state)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_buffer_ struct buffer body = {0};
    struct error error;
    struct intent intent = {.action = "start container t/one", .kind = "container", .name = "t/one"};
    fields_encode(&container_table, described_new(arena, &container_table), &body);
    MUST(state_begin(state, &error) == 0);
    for (char name[] = "t/a"; name[2] < 'i'; name[2]++)
        add_record(state, "container", name, (struct bytes){body.bytes, body.length});
    add_record(state, "network", "t/front", (struct bytes){0});
    MUST(state_put_lease(state,
                         &(struct lease){.kind = "network", .name = "t/front", .subnet = "10.64.0.0/24"},
                         &error) == 0);
    MUST(state_put_source(state, &(struct source){.name = "host", .objects = 9}, &error) == 0);
    MUST(state_put_intent(state, &intent, &error) == 0);
    MUST(state_put_generation(state, &(struct generation){.source = "host", .number = 1}, &error) == 0);
    MUST(state_commit(state, &error) == 0);
}

static struct state *open_new(void)
{
    struct error error;
    struct state *state = NULL;
    fuzz_clear("state");
    MUST(mkdir(folder, 0700) == 0);
    MUST(state_open(folder, STATE_WRITE, &state, &error) == 0);
    return state;
}

static void prepare(void)
{
    char path[96];
    struct error error;
    snprintf(folder, sizeof(folder), "%s/state", fuzz_folder());
    struct state *state = open_new();
    fill(state);
    state_close(state);
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    MUST(buffer_read_file(&sound, AT_FDCWD, path, 1 << 24, &error) == 0);
}

static void read_all(void)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_state_ struct state *state = NULL;
    struct error error = {0};
    struct snapshot snapshot;
    struct actual actual;
    struct generation **generations;
    size_t count;
    int result = state_open(folder, STATE_READ, &state, &error);
    if (result == 0)
        result = state_read(state, arena, &snapshot, &error);
    if (result == 0)
        result = actual_decode(state, &snapshot, arena, &actual, &error);
    if (result == 0)
        result = state_read_history(state, "host", arena, &generations, &count, &error);
    MUST((result < 0) == (error.code != 0));
}

static void read_damaged(const uint8_t *data, size_t size)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    buffer_add(&bytes, sound.bytes, sound.length);
    for (; size >= 4; data += 4, size -= 4)
        bytes.bytes[(data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % bytes.length] = (char)data[3];
    fuzz_clear("state");
    MUST(mkdir(folder, 0700) == 0);
    fuzz_write("state/data.mdb", bytes.bytes, bytes.length);
    fuzz_write("state/open", "", 0); /* that the last run ended well is not said */
    read_all();
}

static struct span take(const uint8_t **data, size_t *size, size_t head)
{
    size_t length = 0;
    if (*size < head)
        return (struct span){0};
    for (size_t i = 0; i < head; i++)
        length |= (size_t)(*data)[i] << (8 * i);
    *data += head;
    *size -= head;
    if (length > *size)
        length = *size;
    const struct span taken = {.data = *data, .size = length};
    *data += length;
    *size -= length;
    return taken;
}

static void read_strange(const uint8_t *data, size_t size)
{
    struct state *state = open_new();
    while (size > 1) {
        _cleanup_buffer_ struct buffer value = {0};
        struct operation put = {.database = *data % DB_COUNT, .verb = OPERATION_PUT};
        struct error error;
        data++;
        size--;
        put.key = take(&data, &size, 1);
        struct span payload = take(&data, &size, 2);
        value_seal(payload.data ? payload.data : "", payload.size, &value);
        put.value = (struct span){value.bytes, value.length};
        if (run_operations(state, &put, 1, &error) < 0)
            break; /* LMDB has no such keys */
    }
    state_close(state);
    read_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!sound.length)
        prepare();
    if (size && *data == 'b')
        read_damaged(data + 1, size - 1);
    else if (size && *data == 'v')
        read_strange(data + 1, size - 1);
    return 0;
}
