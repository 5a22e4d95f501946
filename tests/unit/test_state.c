/* The recorded state on real LMDB files: what goes in comes out, and nothing damaged is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"
#include "state/internal.h"

struct fixture {
    char root[32];
    char folder[64];
    char data[80];
    struct arena *arena;
    struct error error;
};

static int remove_entry(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static int setup(void **context)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    strcpy(fixture->root, "/tmp/fpst.XXXXXX");
    if (!mkdtemp(fixture->root))
        return -1;
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/var/lib/state", fixture->root);
    snprintf(fixture->data, sizeof(fixture->data), "%s/data.mdb", fixture->folder);
    fixture->arena = arena_new();
    *context = fixture;
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;
    nftw(fixture->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

#define assert_ok(fixture, expression)                                                                       \
    do {                                                                                                     \
        int result_ = (expression);                                                                          \
        if (result_ != 0)                                                                                    \
            fail_msg("%s: %d: %s", #expression, result_, (fixture)->error.text);                             \
    } while (0)
#define assert_says(fixture, text_)                                                                          \
    do {                                                                                                     \
        if (!strstr((fixture)->error.text, (text_)))                                                         \
            fail_msg("\"%s\" does not say \"%s\"", (fixture)->error.text, (text_));                          \
    } while (0)

static struct state *opened(struct fixture *fixture, enum state_mode mode)
{
    struct state *state = NULL;
    assert_ok(fixture, state_open(fixture->folder, mode, &state, &fixture->error));
    return state;
}

static struct snapshot snapshot_of(struct fixture *fixture, struct state *state)
{
    struct snapshot snapshot;
    assert_ok(fixture, state_read(state, fixture->arena, &snapshot, &fixture->error));
    return snapshot;
}

static struct record sample(const char *name)
{
    return (struct record){.kind = "container",
                           .name = name,
                           .uid = "0123456789abcdef",
                           .generation = 7,
                           .source = "/etc/fpsync/specs.d",
                           .implicit = true,
                           .body = {"body\0bytes", 10},
                           .phase = "running",
                           .since = 1700000000,
                           .spec_file = "/etc/fpsync/specs.d/web.yaml",
                           .spec_line = 12};
}

static void write_sample(struct fixture *fixture, const char *name)
{
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    struct record record = sample(name);
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_put_record(state, &record, &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
}

static off_t size_of(const char *path)
{
    struct stat entry;
    return stat(path, &entry) < 0 ? -1 : entry.st_size;
}

static bool is_marked(const struct fixture *fixture)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/open", fixture->folder);
    return access(path, F_OK) == 0;
}

/* Finds the bytes in the data file and flips one bit of the first. */
static void damage(const struct fixture *fixture, const char *bytes)
{
    _cleanup_buffer_ struct buffer file = {0};
    assert_int_equal(buffer_read_file(&file, AT_FDCWD, fixture->data, 64 << 20, NULL), 0);
    size_t hits = 0;
    _cleanup_close_ int fd = open(fixture->data, O_WRONLY | O_CLOEXEC);
    for (char *at = file.bytes;
         (at = memmem(at, file.length - (size_t)(at - file.bytes), bytes, strlen(bytes))); at++, hits++) {
        char flipped = (char)(*at ^ 4);
        assert_int_equal(pwrite(fd, &flipped, 1, at - file.bytes), 1);
    }
    assert_true(hits > 0);
}

/* ---- round trips ---- */

static void test_records_come_back(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    _cleanup_state_ struct state *state = opened(fixture, STATE_READ);
    struct snapshot got = snapshot_of(fixture, state);
    assert_int_equal(strlen(got.host), 16);
    assert_int_equal(got.record_count, 1);
    const struct record *record = got.records[0];
    assert_string_equal(record->kind, "container");
    assert_string_equal(record->name, "shop/web");
    assert_string_equal(record->uid, "0123456789abcdef");
    assert_int_equal(record->generation, 7);
    assert_string_equal(record->source, "/etc/fpsync/specs.d");
    assert_true(record->implicit);
    assert_int_equal(record->body.size, 10);
    assert_memory_equal(record->body.data, "body\0bytes", 10);
    assert_int_equal(record->facts.size, 0);
    assert_string_equal(record->phase, "running");
    assert_null(record->reason);
    assert_null(record->stopped_by);
    assert_int_equal(record->since, 1700000000);
    assert_int_equal(record->spec_line, 12);
}

static void test_records_are_ordered_replaced_and_deleted(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "b/web");
    write_sample(fixture, "a/web");
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    struct snapshot got = snapshot_of(fixture, state);
    assert_int_equal(got.record_count, 2);
    assert_string_equal(got.records[0]->name, "a/web");
    const char *host = got.host;
    struct record changed = *got.records[1];
    changed.phase = "stopped";
    changed.source = NULL;
    changed.implicit = false;
    changed.generation = 0;
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_put_record(state, &changed, &fixture->error));
    assert_ok(fixture, state_delete_record(state, "container", "a/web", &fixture->error));
    assert_ok(fixture, state_delete_record(state, "container", "a/none", &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
    got = snapshot_of(fixture, state);
    assert_int_equal(got.record_count, 1);
    assert_string_equal(got.records[0]->phase, "stopped");
    assert_null(got.records[0]->source);
    assert_false(got.records[0]->implicit);
    assert_int_equal(got.records[0]->generation, 0);
    assert_string_equal(got.host, host);
}

static void test_leases_come_back(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    struct lease_address front = {
        .network = "shop/front", .address = "10.30.0.10", .mac = "02:00:00:00:00:01"};
    struct lease_address back = {.network = "shop/back", .address = "10.31.0.10", .index = -1};
    void *addresses[] = {&front, &back};
    struct lease lease = {.kind = "container",
                          .name = "shop/web",
                          .id_base = 0x70000000,
                          .addresses = {addresses, 2},
                          .left = 99};
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_put_lease(state, &lease, &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
    struct snapshot got = snapshot_of(fixture, state);
    assert_int_equal(got.lease_count, 1);
    assert_int_equal(got.leases[0]->id_base, 0x70000000);
    assert_int_equal(got.leases[0]->addresses.count, 2);
    const struct lease_address *first = got.leases[0]->addresses.items[0],
                               *second = got.leases[0]->addresses.items[1];
    assert_string_equal(first->network, "shop/front");
    assert_int_equal(first->index, 0);
    assert_string_equal(first->mac, "02:00:00:00:00:01");
    assert_int_equal(second->index, -1);
    assert_null(second->mac);
    assert_int_equal(got.leases[0]->left, 99);
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_delete_lease(state, "container", "shop/web", &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
    assert_int_equal(snapshot_of(fixture, state).lease_count, 0);
}

static void test_sources_with_long_names(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    char name[2000];
    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    struct source longest = {.name = name, .path = name, .generation = 3, .objects = 5};
    struct source host = {.name = "host", .down = true, .digest = "abc", .applied = 17};
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_put_source(state, &longest, &fixture->error));
    assert_ok(fixture, state_put_source(state, &host, &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
    struct snapshot got = snapshot_of(fixture, state);
    assert_int_equal(got.source_count, 2);
    assert_string_equal(got.sources[0]->name, name);
    assert_int_equal(got.sources[0]->objects, 5);
    assert_true(got.sources[1]->down);
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_delete_source(state, name, &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
    assert_int_equal(snapshot_of(fixture, state).source_count, 1);
}

static void test_intents_are_numbered(void **context)
{
    struct fixture *fixture = *context;
    const char *steps[] = {"root.mount", "container.start"};
    struct intent intent = {.action = "start container shop/web",
                            .kind = "container",
                            .name = "shop/web",
                            .verb = "start",
                            .steps = {steps, 2},
                            .begun = 5};
    {
        _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
        assert_ok(fixture, state_begin(state, &fixture->error));
        for (int64_t expected = 1; expected <= 20; expected++) {
            intent.sequence = 0;
            assert_ok(fixture, state_put_intent(state, &intent, &fixture->error));
            assert_int_equal(intent.sequence, expected);
        }
        assert_ok(fixture, state_delete_intent(state, 20, &fixture->error));
        assert_ok(fixture, state_commit(state, &fixture->error));
    }
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    struct snapshot got = snapshot_of(fixture, state);
    assert_int_equal(got.intent_count, 19);
    assert_int_equal(got.intents[9]->sequence, 10);
    assert_int_equal(got.intents[0]->steps.count, 2);
    assert_string_equal(got.intents[0]->steps.items[1], "container.start");
    intent.sequence = 0;
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_ok(fixture, state_put_intent(state, &intent, &fixture->error));
    assert_int_equal(intent.sequence, 20);
}

static void put_generation(struct fixture *fixture, struct state *state, const char *source, int64_t number,
                           int64_t applied)
{
    const char *action = "start container shop/web";
    struct generation generation = {.source = source,
                                    .number = number,
                                    .applied = applied,
                                    .actions = {&action, 1},
                                    .set = {"containers: {}\n", 15}};
    assert_ok(fixture, state_put_generation(state, &generation, &fixture->error));
}

static void test_history_is_trimmed(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    const int64_t day = 24 * 3600;
    assert_ok(fixture, state_begin(state, &fixture->error));
    for (int64_t i = 1; i <= 150; i++)
        put_generation(fixture, state, "host", i, 1700000000 + i);
    for (int64_t i = 1; i <= 10; i++)
        put_generation(fixture, state, "host2", i, 1700000000 + i * 30 * day);
    assert_ok(fixture, state_commit(state, &fixture->error));
    struct generation **items;
    size_t count;
    assert_ok(fixture, state_read_history(state, "host", fixture->arena, &items, &count, &fixture->error));
    assert_int_equal(count, 100);
    assert_int_equal(items[0]->number, 51);
    assert_int_equal(items[99]->number, 150);
    assert_int_equal(items[0]->set.size, 15);
    assert_ok(fixture, state_read_history(state, "host2", fixture->arena, &items, &count, &fixture->error));
    assert_int_equal(count, 4); /* 90 days to the second are still kept */
    assert_int_equal(items[0]->number, 7);
    assert_ok(fixture, state_read_history(state, "hos", fixture->arena, &items, &count, &fixture->error));
    assert_int_equal(count, 0);
}

static void test_unknown_fields_survive(void **context)
{
    struct fixture *fixture = *context;
    static const unsigned char newer[] = {0xe8, 3, 5, 0, 0, 0, 'n', 'e', 'w', 'e', 'r'}; /* id 1000 */
    {
        _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
        struct record record = sample("shop/web");
        struct lease_address address = {.network = "shop/front"};
        record.described.unknown = address.described.unknown = newer;
        record.described.unknown_size = address.described.unknown_size = sizeof(newer);
        void *addresses[] = {&address};
        struct lease lease = {.kind = "container", .name = "shop/web", .addresses = {addresses, 1}};
        assert_ok(fixture, state_begin(state, &fixture->error));
        assert_ok(fixture, state_put_record(state, &record, &fixture->error));
        assert_ok(fixture, state_put_lease(state, &lease, &fixture->error));
        assert_ok(fixture, state_commit(state, &fixture->error));
    }
    for (int round = 0; round < 2; round++) {
        _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
        struct snapshot got = snapshot_of(fixture, state);
        struct record *record = got.records[0];
        assert_int_equal(record->described.unknown_size, sizeof(newer));
        assert_memory_equal(record->described.unknown, newer, sizeof(newer));
        const struct lease_address *address = got.leases[0]->addresses.items[0];
        assert_int_equal(address->described.unknown_size, sizeof(newer));
        record->phase = "stopped";
        assert_ok(fixture, state_begin(state, &fixture->error));
        assert_ok(fixture, state_put_record(state, record, &fixture->error));
        assert_ok(fixture, state_put_lease(state, got.leases[0], &fixture->error));
        assert_ok(fixture, state_commit(state, &fixture->error));
    }
}

/* ---- transactions ---- */

static void test_nothing_is_written_without_a_change(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    _cleanup_buffer_ struct buffer before = {0}, after = {0};
    assert_int_equal(buffer_read_file(&before, AT_FDCWD, fixture->data, 64 << 20, NULL), 0);
    {
        _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
        assert_int_equal(snapshot_of(fixture, state).record_count, 1);
        assert_ok(fixture, state_begin(state, &fixture->error));
        assert_ok(fixture, state_commit(state, &fixture->error));
        assert_int_equal(state_commits(state), 0);
        assert_false(is_marked(fixture));
    }
    assert_int_equal(buffer_read_file(&after, AT_FDCWD, fixture->data, 64 << 20, NULL), 0);
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.bytes, after.bytes, before.length);
}

static void test_abort_and_misuse(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    struct record record = sample("shop/web");
    assert_int_equal(state_put_record(state, &record, &fixture->error), -EINVAL);
    assert_int_equal(state_commit(state, &fixture->error), -EINVAL);
    assert_ok(fixture, state_begin(state, &fixture->error));
    assert_int_equal(state_begin(state, &fixture->error), -EBUSY);
    assert_ok(fixture, state_put_record(state, &record, &fixture->error));
    state_abort(state);
    state_abort(state);
    assert_int_equal(snapshot_of(fixture, state).record_count, 0);
    assert_ok(fixture, state_begin(state, &fixture->error));
    record.uid = NULL;
    assert_int_equal(state_put_record(state, &record, &fixture->error), -EINVAL);
    assert_says(fixture, "uid");
    record.name = "";
    assert_int_equal(state_put_record(state, &record, &fixture->error), -EINVAL);
    state_abort(state);
    _cleanup_state_ struct state *reader = opened(fixture, STATE_READ);
    assert_int_equal(state_begin(reader, &fixture->error), -EROFS);
}

static void test_the_map_grows(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *reader = NULL;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    reader = opened(fixture, STATE_READ);
    const size_t size = 1 << 20;
    _cleanup_free_ char *bytes = malloc(size);
    memset(bytes, 'z', size);
    struct record record = sample("shop/web");
    record.facts = (struct bytes){bytes, size};
    assert_ok(fixture, state_begin(state, &fixture->error));
    for (int i = 0; i < 24; i++) {
        char name[32];
        snprintf(name, sizeof(name), "shop/web%d", i);
        record.name = name;
        assert_ok(fixture, state_put_record(state, &record, &fixture->error));
    }
    assert_ok(fixture, state_commit(state, &fixture->error));
    assert_int_equal(state_commits(state), 1);
    assert_true(size_of(fixture->data) > (off_t)STATE_MAP_START);
    assert_int_equal(snapshot_of(fixture, state).record_count, 24);
    /* A process that had it open with the smaller map follows. */
    struct snapshot got = snapshot_of(fixture, reader);
    assert_int_equal(got.record_count, 24);
    assert_int_equal(got.records[23]->facts.size, size);
    state_close(TAKE_PTR(state));
    state = opened(fixture, STATE_WRITE);
    assert_int_equal(snapshot_of(fixture, state).record_count, 24);
}

/* ---- opening ---- */

static void test_reading_creates_nothing(void **context)
{
    struct fixture *fixture = *context;
    {
        _cleanup_state_ struct state *state = opened(fixture, STATE_READ);
        struct snapshot got = snapshot_of(fixture, state);
        assert_string_equal(got.host, "");
        assert_int_equal(got.record_count + got.lease_count + got.source_count + got.intent_count, 0);
        struct generation **items;
        size_t count;
        assert_ok(fixture,
                  state_read_history(state, "host", fixture->arena, &items, &count, &fixture->error));
        assert_int_equal(count, 0);
    }
    char var[64];
    snprintf(var, sizeof(var), "%s/var", fixture->root);
    assert_int_equal(access(var, F_OK), -1);
    /* A folder without a database, and one with an empty file, hold nothing as well. */
    state_close(opened(fixture, STATE_WRITE));
    assert_int_equal(truncate(fixture->data, 0), 0);
    state_close(opened(fixture, STATE_READ));
    assert_int_equal(size_of(fixture->data), 0);
    assert_int_equal(unlink(fixture->data), 0);
    state_close(opened(fixture, STATE_READ));
    assert_int_equal(access(fixture->data, F_OK), -1);
}

static void test_modes(void **context)
{
    struct fixture *fixture = *context;
    mode_t before = umask(0);
    write_sample(fixture, "shop/web");
    umask(before);
    struct stat entry;
    assert_int_equal(stat(fixture->folder, &entry), 0);
    assert_int_equal(entry.st_mode & 07777, 0700);
    assert_int_equal(stat(fixture->data, &entry), 0);
    assert_int_equal(entry.st_mode & 07777, 0600);
    assert_int_equal(chmod(fixture->data, 0666), 0);
    struct state *state;
    assert_int_equal(state_open(fixture->folder, STATE_READ, &state, &fixture->error), -EPERM);
    assert_says(fixture, "data.mdb may be written by others");
}

static void put_meta(struct fixture *fixture, const char *key, const void *bytes, size_t size)
{
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    _cleanup_buffer_ struct buffer value = {0};
    value_seal(bytes, size, &value);
    const struct operation operation = {.database = DB_META,
                                        .verb = OPERATION_PUT,
                                        .key = {key, strlen(key)},
                                        .value = {value.bytes, value.length}};
    assert_ok(fixture, run_operations(state, &operation, 1, &fixture->error));
}

static void test_a_newer_format_is_refused(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    put_meta(fixture, "format", "\2\0\0\0", 4);
    struct state *state;
    for (int mode = STATE_READ; mode <= STATE_WRITE; mode++) {
        assert_int_equal(state_open(fixture->folder, (enum state_mode)mode, &state, &fixture->error),
                         -EPROTO);
        assert_says(fixture, "format 2, this fpsync knows up to 1");
    }
}

static void test_another_process_may_not_use_it(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    pid_t child = fork();
    if (child == 0) {
        struct snapshot snapshot;
        struct record record = sample("shop/web");
        bool refused = state_read(state, fixture->arena, &snapshot, &fixture->error) == -EPERM &&
                       state_begin(state, &fixture->error) == -EPERM &&
                       state_put_record(state, &record, &fixture->error) == -EPERM;
        state_close(state);
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(snapshot_of(fixture, state).record_count, 1);
    assert_ok(fixture, state_begin(state, &fixture->error));
    struct record record = sample("shop/cache");
    assert_ok(fixture, state_put_record(state, &record, &fixture->error));
    assert_ok(fixture, state_commit(state, &fixture->error));
}

/* ---- damage ---- */

static void test_damage_is_named(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    damage(fixture, "body");
    _cleanup_state_ struct state *state = opened(fixture, STATE_READ);
    struct snapshot snapshot;
    assert_int_equal(state_read(state, fixture->arena, &snapshot, &fixture->error), -EBADMSG);
    assert_says(fixture, "/container/shop/web: damaged: the checksum is wrong");
}

static void test_a_damaged_key_is_named(void **context)
{
    struct fixture *fixture = *context;
    write_sample(fixture, "shop/web");
    damage(fixture, "er/shop/web"); /* in the key alone: the value holds kind and name apart */
    _cleanup_state_ struct state *state = opened(fixture, STATE_READ);
    struct snapshot snapshot;
    assert_int_equal(state_read(state, fixture->arena, &snapshot, &fixture->error), -EBADMSG);
    assert_says(fixture, "belongs to another key");
}

/* Neither who reads nor who seals puts another one in its place. */
static void test_a_damaged_secrets_key_stays(void **context)
{
    static const off_t sizes[] = {0, 31, 33};
    struct fixture *fixture = *context;
    _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
    const char *key_file = arena_printf(fixture->arena, "%s/../secrets/key", fixture->folder), *name;
    struct bytes key;
    assert_ok(fixture, state_key(state, false, fixture->arena, &key, &fixture->error));
    assert_int_equal(key.size, 0);
    assert_ok(fixture, state_seal(state, "value", fixture->arena, &name, &fixture->error));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_int_equal(truncate(key_file, sizes[i]), 0);
        for (int make = 0; make < 2; make++)
            assert_int_equal(state_key(state, make, fixture->arena, &key, &fixture->error), -EBADMSG);
        assert_says(fixture, "secrets/key is damaged");
        assert_int_equal(state_seal(state, "other", fixture->arena, &name, &fixture->error), -EBADMSG);
        assert_int_equal(size_of(key_file), sizes[i]);
    }
}

/* Leaves a database behind as a killed run does: with the mark. */
static void leave_open(struct fixture *fixture)
{
    pid_t child = fork();
    if (child == 0) {
        struct state *state;
        if (state_open(fixture->folder, STATE_WRITE, &state, NULL) < 0 || state_begin(state, NULL) < 0)
            _exit(1);
        for (int i = 0; i < 400; i++) {
            char name[32];
            snprintf(name, sizeof(name), "shop/web%03d", i);
            struct record record = sample(name);
            if (state_put_record(state, &record, NULL) < 0)
                _exit(1);
        }
        if (state_commit(state, NULL) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(is_marked(fixture));
}

static void test_a_crashed_run_is_checked_in_a_child(void **context)
{
    struct fixture *fixture = *context;
    leave_open(fixture);
    state_close(opened(fixture, STATE_READ)); /* a reader checks, and leaves the mark to the next writer */
    assert_true(is_marked(fixture));
    {
        _cleanup_state_ struct state *state = opened(fixture, STATE_WRITE);
        assert_int_equal(snapshot_of(fixture, state).record_count, 400);
    }
    assert_false(is_marked(fixture));
}

static void test_a_crashed_and_damaged_database_is_refused(void **context)
{
    struct fixture *fixture = *context;
    leave_open(fixture);
    damage(fixture, "body");
    struct state *state;
    assert_int_equal(state_open(fixture->folder, STATE_WRITE, &state, &fixture->error), -EBADMSG);
    assert_says(fixture, "/container/shop/web000: damaged");
    assert_true(is_marked(fixture));
}

/* Cuts would be SIGBUS and random pages SIGSEGV or SIGABRT in this very process, mark or none. */
static void test_cut_files_are_errors(void **context)
{
    struct fixture *fixture = *context;
    leave_open(fixture);
    state_close(opened(fixture, STATE_WRITE)); /* takes the mark away */
    _cleanup_buffer_ struct buffer whole = {0};
    assert_int_equal(buffer_read_file(&whole, AT_FDCWD, fixture->data, 64 << 20, NULL), 0);
    for (size_t cut = 1; cut < whole.length; cut += whole.length / 97) {
        assert_int_equal(truncate(fixture->data, (off_t)cut), 0);
        struct state *state = NULL;
        int result = state_open(fixture->folder, STATE_READ, &state, &fixture->error);
        if (result == 0) {
            struct snapshot snapshot;
            result = state_read(state, fixture->arena, &snapshot, &fixture->error);
            if (result == 0 && snapshot.record_count != 400)
                fail_msg("%zu records of a file cut at %zu", snapshot.record_count, cut);
        }
        state_close(state);
        _cleanup_close_ int fd = open(fixture->data, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, whole.bytes, whole.length, 0), whole.length);
    }
}

static void test_random_pages_after_a_crash_are_errors(void **context)
{
    struct fixture *fixture = *context;
    leave_open(fixture);
    _cleanup_buffer_ struct buffer whole = {0};
    assert_int_equal(buffer_read_file(&whole, AT_FDCWD, fixture->data, 64 << 20, NULL), 0);
    srandom(1);
    int refused = 0;
    for (size_t page = 2; page < whole.length / 4096; page++) {
        char garbage[4096];
        for (size_t i = 0; i < sizeof(garbage); i++)
            garbage[i] = (char)(page % 2 ? random() : 0);
        _cleanup_close_ int fd = open(fixture->data, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), (off_t)page * 4096), sizeof(garbage));
        struct state *state = NULL;
        int result = state_open(fixture->folder, STATE_READ, &state, &fixture->error);
        if (result == 0) {
            struct snapshot snapshot = snapshot_of(fixture, state);
            assert_int_equal(snapshot.record_count, 400); /* the page was a free one */
        } else {
            refused++;
        }
        state_close(state);
        assert_int_equal(pwrite(fd, whole.bytes, whole.length, 0), whole.length);
    }
    assert_true(refused > 10);
}

/* A child commits as fast as it can and says what it has committed; killed at a random moment, nothing that it
 * said is lost and nothing is half there. */
static void write_until_killed(const char *folder, int said, int64_t from)
{
    struct state *state;
    if (state_open(folder, STATE_WRITE, &state, NULL) < 0)
        _exit(1);
    for (int64_t number = from;; number++) {
        struct record left = sample("shop/left"), right = sample("shop/right");
        left.generation = right.generation = number;
        if (state_begin(state, NULL) < 0 || state_put_record(state, &left, NULL) < 0 ||
            state_put_record(state, &right, NULL) < 0 || state_commit(state, NULL) < 0)
            _exit(2);
        if (write(said, &number, sizeof(number)) != sizeof(number))
            _exit(3);
    }
}

static void test_killed_writers_lose_nothing(void **context)
{
    struct fixture *fixture = *context;
    int64_t last = 0;
    srandom((unsigned)getpid());
    for (int round = 0; round < 40; round++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(fixture->folder, ends[1], last + 1);
        close(ends[1]);
        /* The moment is a random number of commits and a random instant within the next one. */
        int64_t number, wanted = 1 + random() % 6;
        while (wanted-- && read(ends[0], &number, sizeof(number)) == sizeof(number))
            last = number;
        for (volatile long spin = random() % 300000; spin > 0; spin--)
            ;
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &number, sizeof(number)) == sizeof(number))
            last = number;
        close(ends[0]);
        _cleanup_state_ struct state *state = opened(fixture, STATE_READ);
        struct snapshot got = snapshot_of(fixture, state);
        assert_int_equal(got.record_count, 2);
        assert_true(got.records[0]->generation >= last);
        assert_int_equal(got.records[0]->generation, got.records[1]->generation);
        last = got.records[0]->generation;
    }
}

static void test_uids(void **context)
{
    (void)context;
    char one[17], other[17];
    state_new_uid(one);
    state_new_uid(other);
    assert_int_equal(strspn(one, "0123456789abcdef"), 16);
    assert_string_not_equal(one, other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_come_back),
        TEST(test_records_are_ordered_replaced_and_deleted),
        TEST(test_leases_come_back),
        TEST(test_sources_with_long_names),
        TEST(test_intents_are_numbered),
        TEST(test_history_is_trimmed),
        TEST(test_unknown_fields_survive),
        TEST(test_nothing_is_written_without_a_change),
        TEST(test_abort_and_misuse),
        TEST(test_the_map_grows),
        TEST(test_reading_creates_nothing),
        TEST(test_modes),
        TEST(test_a_newer_format_is_refused),
        TEST(test_another_process_may_not_use_it),
        TEST(test_damage_is_named),
        TEST(test_a_damaged_key_is_named),
        TEST(test_a_damaged_secrets_key_stays),
        TEST(test_a_crashed_run_is_checked_in_a_child),
        TEST(test_a_crashed_and_damaged_database_is_refused),
        TEST(test_cut_files_are_errors),
        TEST(test_random_pages_after_a_crash_are_errors),
        TEST(test_killed_writers_lose_nothing),
        TEST(test_uids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
