/* Reading and writing by key. A write transaction is a list of operations until state_commit(): then it is one
 * LMDB transaction, run again on a map of twice the size as long as LMDB says that the map is full. */
#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "lib/error.h"
#include "state/internal.h"

#define MAP_BOUND ((size_t)64 << 30) /* a state of this size is a fault of ours, not a need */

static const char *const database_names[DB_COUNT] = {"meta",    "records", "leases",
                                                     "sources", "journal", "history"};

static int run_once(struct state *state, const struct operation *operations, size_t count,
                    struct error *error);
static int grow_map(struct state *state, struct error *error);

int state_begin(struct state *state, struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    if (state->mode != STATE_WRITE)
        return error_set(error, -EROFS, "the state in %s is open for reading", state->folder);
    if (state->pending)
        return error_set(error, -EBUSY, "a transaction on the state in %s has begun already", state->folder);
    state->pending = arena_new();
    return 0;
}

int state_commit(struct state *state, struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    if (!state->pending)
        return error_set(error, -EINVAL, "no transaction on the state in %s has begun", state->folder);
    if (state->operation_count) {
        result = run_operations(state, state->operations, state->operation_count, error);
        if (result < 0)
            return result;
        state->commits++;
    }
    state_abort(state);
    return 0;
}

void state_abort(struct state *state)
{
    arena_free(TAKE_PTR(state->pending));
    state->operations = NULL;
    state->operation_count = 0;
}

int queue_operation(struct state *state, const struct operation *operation, struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    if (!state->pending)
        return error_set(error, -EINVAL, "no transaction on the state in %s has begun", state->folder);
    struct operation *queued = arena_append(state->pending, state->operations, state->operation_count);
    *queued = *operation;
    queued->key.data = arena_copy(state->pending, operation->key.data, operation->key.size);
    queued->value.data = arena_copy(state->pending, operation->value.data, operation->value.size);
    return 0;
}

int run_operations(struct state *state, const struct operation *operations, size_t count, struct error *error)
{
    int result = state_mark_open(state, error);
    while (result == 0) {
        result = run_once(state, operations, count, error);
        if (result != -E2BIG)
            break;
        result = grow_map(state, error);
    }
    if (result == -EIO)
        state->doubtful = true;
    return result;
}

/* Another process may have grown the file: then its size is taken over. */
static int begin(struct state *state, unsigned flags, MDB_txn **txn)
{
    int code = mdb_txn_begin(state->env, NULL, flags, txn);
    if (code != MDB_MAP_RESIZED)
        return code;
    code = mdb_env_set_mapsize(state->env, 0);
    return code ? code : mdb_txn_begin(state->env, NULL, flags, txn);
}

static int trim_history(struct state *state, MDB_txn *txn, MDB_dbi database, const struct operation *trim,
                        struct error *error);

/* LMDB's codes as they are; a damaged value met by a trim is the one other failure, in `result`. */
static int run_operation(struct state *state, MDB_txn *txn, const MDB_dbi *databases,
                         const struct operation *one, int *result, struct error *error)
{
    MDB_val key = {.mv_data = (void *)one->key.data, .mv_size = one->key.size};
    MDB_val value = {.mv_data = (void *)one->value.data, .mv_size = one->value.size};
    if (one->verb == OPERATION_PUT)
        return mdb_put(txn, databases[one->database], &key, &value, 0);
    if (one->verb == OPERATION_DELETE) {
        int code = mdb_del(txn, databases[one->database], &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    }
    *result = trim_history(state, txn, databases[one->database], one, error);
    if (*result == -E2BIG)
        return MDB_MAP_FULL;
    return 0;
}

/* -E2BIG, without a message, when the map is full. */
static int run_once(struct state *state, const struct operation *operations, size_t count,
                    struct error *error)
{
    MDB_txn *txn;
    int code = begin(state, 0, &txn), result = 0;
    if (code)
        return lmdb_error(state, code, error, "write");
    MDB_dbi databases[DB_COUNT];
    for (int i = 0; i < DB_COUNT && code == 0; i++)
        code = mdb_dbi_open(txn, database_names[i], MDB_CREATE, &databases[i]);
    for (size_t i = 0; i < count && code == 0 && result == 0; i++)
        code = run_operation(state, txn, databases, &operations[i], &result, error);
    if (code == 0 && result == 0) {
        code = mdb_txn_commit(txn);
        if (code == 0)
            return 0;
    } else {
        mdb_txn_abort(txn);
    }
    if (code == MDB_MAP_FULL)
        return -E2BIG;
    return result < 0 ? result : lmdb_error(state, code, error, "write");
}

static int grow_map(struct state *state, struct error *error)
{
    MDB_envinfo info;
    int code = mdb_env_info(state->env, &info);
    if (code)
        return lmdb_error(state, code, error, "grow");
    if (info.me_mapsize >= MAP_BOUND)
        return lmdb_error(state, MDB_MAP_FULL, error, "grow");
    code = mdb_env_set_mapsize(state->env, info.me_mapsize * 2);
    return code ? lmdb_error(state, code, error, "grow") : 0;
}

/* Drops a source's generations beyond the newest 100 and those older than 90 days. Keys are in order of number,
 * so it ends at the first that stays; the newest always does. */
static int trim_history(struct state *state, MDB_txn *txn, MDB_dbi database, const struct operation *trim,
                        struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    MDB_cursor *cursor;
    MDB_val key = {.mv_data = (void *)trim->key.data, .mv_size = trim->key.size}, value;
    int code = mdb_cursor_open(txn, database, &cursor), result = 0;
    if (code)
        return lmdb_error(state, code, error, "trim");
    for (code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); code == 0;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        if (key.mv_size < trim->key.size || memcmp(key.mv_data, trim->key.data, trim->key.size) != 0)
            break;
        struct generation *old;
        result = generation_of_value((struct span){key.mv_data, key.mv_size},
                                     (struct span){value.mv_data, value.mv_size}, arena, &old, error);
        if (result < 0)
            break;
        bool stays =
            old->number > trim->newest - HISTORY_GENERATIONS && old->applied >= trim->now - HISTORY_SECONDS;
        if (stays || old->number >= trim->newest)
            break;
        code = mdb_cursor_del(cursor, 0);
        if (code)
            break;
    }
    mdb_cursor_close(cursor);
    if (code == MDB_MAP_FULL)
        return -E2BIG;
    if (result == 0 && code && code != MDB_NOTFOUND)
        result = lmdb_error(state, code, error, "trim");
    return result;
}

/* ---- reading ---- */

int read_begin(struct state *state, MDB_txn **txn, struct error *error)
{
    int result = state_check_use(state, error);
    if (result < 0)
        return result;
    int code = begin(state, MDB_RDONLY, txn);
    return code ? lmdb_error(state, code, error, "read") : 0;
}

void read_end(MDB_txn *txn)
{
    mdb_txn_abort(txn);
}

int read_each(struct state *state, MDB_txn *txn, enum database database,
              int (*each)(void *context, struct span key, struct span value, struct error *error),
              void *context, struct error *error)
{
    MDB_dbi handle;
    int code = mdb_dbi_open(txn, database_names[database], 0, &handle);
    /* The first commit makes all of them: only a database without any commit has none. */
    if (code == MDB_NOTFOUND)
        return *state->host ? error_set(error, -EBADMSG, "%s: damaged: missing", database_names[database])
                            : 0;
    MDB_stat stat = {0};
    MDB_cursor *cursor = NULL;
    if (code == 0)
        code = mdb_stat(txn, handle, &stat);
    if (code == 0)
        code = mdb_cursor_open(txn, handle, &cursor);
    if (code)
        return lmdb_error(state, code, error, "read");
    MDB_val key, value;
    size_t count = 0;
    int result = 0;
    while (result == 0 && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        result = each(context, (struct span){key.mv_data, key.mv_size},
                      (struct span){value.mv_data, value.mv_size}, error);
        count++;
    }
    mdb_cursor_close(cursor);
    if (result < 0)
        return result;
    if (code != MDB_NOTFOUND)
        return lmdb_error(state, code, error, "read");
    if (count != stat.ms_entries)
        return error_set(error, -EBADMSG, "%s: damaged: %zu entries where there should be %zu",
                         database_names[database], count, stat.ms_entries);
    return 0;
}

int read_one(struct state *state, MDB_txn *txn, enum database database, const char *key, struct span *value,
             struct error *error)
{
    MDB_dbi handle;
    MDB_val name = {.mv_data = (void *)key, .mv_size = strlen(key)}, found;
    int code = mdb_dbi_open(txn, database_names[database], 0, &handle);
    if (code == 0)
        code = mdb_get(txn, handle, &name, &found);
    if (code == MDB_NOTFOUND)
        return -ENOENT;
    if (code)
        return lmdb_error(state, code, error, "read");
    *value = (struct span){.data = found.mv_data, .size = found.mv_size};
    return 0;
}
