/* Inside state/: how environment.c, transaction.c and records.c meet. Nothing outside this folder includes it.
 *
 * environment.c opens and closes, transaction.c is the only one that reads and writes values by key, records.c
 * turns structs into values, values.c seals them. */
#pragma once

#include "lib/arena.h"
#include "lib/buffer.h"
#include "state/state.h"

struct MDB_env;
struct MDB_txn;

enum database { DB_META, DB_RECORDS, DB_LEASES, DB_SOURCES, DB_JOURNAL, DB_HISTORY, DB_COUNT };

struct span {
    const void *data;
    size_t size;
};

/* A put or a delete that waits for the commit. They are kept here and not in an LMDB transaction, because a full
 * map ends that transaction: it is run again, whole, on the larger map. */
struct operation {
    enum database database;
    enum { OPERATION_PUT, OPERATION_DELETE, OPERATION_TRIM } verb;
    struct span key;
    struct span value;   /* of a put */
    int64_t newest, now; /* of a trim: the source's newest generation and when it was applied */
};

struct state {
    enum state_mode mode;
    char *folder;
    int folder_fd;
    pid_t owner;         /* the process that may use it */
    struct MDB_env *env; /* NULL: there is no database (read mode) */
    char host[17];       /* "" while there is none */
    bool marked;         /* our commits have put the "open" file down */
    bool doubtful;       /* a commit failed in a way that may have left half of it */
    size_t commits;
    int64_t sequence;      /* the last one given out */
    struct arena *pending; /* NULL outside of begin and commit */
    struct operation *operations;
    size_t operation_count;
};

/* environment.c */
int state_check_use(const struct state *state, struct error *error); /* -EPERM in another process */
int state_mark_open(struct state *state, struct error *error);
int lmdb_error(const struct state *state, int code, struct error *error, const char *doing);
int open_environment(struct state *state,
                     struct error *error); /* of an existing or, in write mode, new database */
/* Format and host id; makes them in a new database. */
int read_host(struct state *state, struct error *error);

/* probe.c: reads the whole database in a child process. -EBADMSG says what the child met. */
int probe_database(const char *folder, struct error *error);

/* transaction.c */
#define STATE_MAP_START ((size_t)4 << 20) /* bytes of address space of a new database */

int read_begin(struct state *state, struct MDB_txn **txn, struct error *error);
void read_end(struct MDB_txn *txn);
/* In key order; -EBADMSG also when the number of entries is not the one that the database names. A database that
 * does not exist is empty. Spans are valid during the call only. */
int read_each(struct state *state, struct MDB_txn *txn, enum database database,
              int (*each)(void *context, struct span key, struct span value, struct error *error),
              void *context, struct error *error);
/* -ENOENT without a message when it is absent. */
int read_one(struct state *state, struct MDB_txn *txn, enum database database, const char *key,
             struct span *value, struct error *error);
int queue_operation(struct state *state, const struct operation *operation, struct error *error);
/* Runs operations in one synced transaction, doubling the map as often as that takes. */
int run_operations(struct state *state, const struct operation *operations, size_t count,
                   struct error *error);

/* records.c */
#define HISTORY_GENERATIONS 100
#define HISTORY_SECONDS     ((int64_t)90 * 24 * 3600)

int state_read_everything(struct state *state, struct arena *arena,
                          struct error *error); /* history included */
int generation_of_value(struct span key, struct span value, struct arena *arena, struct generation **out,
                        struct error *error);

/* values.c: checksum, version, fields. */
void value_seal(const void *bytes, size_t size, struct buffer *out);
/* `payload` points into `value`. -EBADMSG or, for a version that is newer than ours, -EPROTO; both name `key`. */
int value_open(const char *key, struct span value, struct span *payload, struct error *error);
/* Presence says nothing in these tables: what differs from its default is what is written. */
void value_encode(const struct table *table, const void *object, struct buffer *out);
int value_decode(const struct table *table, const char *key, struct span value, struct arena *arena,
                 void **object, struct error *error);
