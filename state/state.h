/* The recorded state: one LMDB environment below paths->state (DESIGN §6).
 *
 * Databases, keys as text:
 *   meta      "format" (u32), "host" (this host's id, 16 hex digits, made once)
 *   records   HOST/kind/project/name      -> struct record
 *   leases    HOST/kind/project/name      -> struct lease
 *   sources   source name                 -> struct source
 *   journal   sequence number, 16 hex digits, big endian order -> struct intent
 *   history   SOURCE NUL generation (16 hex digits)            -> struct generation
 *
 * Every value is: checksum (u32 CRC-32 of all that follows), version (u16), encoded fields (lib/fields.h). Fields
 * are tagged by ids that are never reused; unknown ones survive a rewrite. A value whose checksum or shape is
 * wrong is -EBADMSG with the key named; nothing is guessed.
 *
 * Never MDB_WRITEMAP (a full disk would be SIGBUS); the map doubles by itself when it is full. Environments are
 * 0600 in a 0700 folder, opened with MDB_NOTLS; none may cross a fork: the descriptors are close-on-exec and the
 * process that opened it is the only one that may use it (checked: -EPERM).
 *
 * When the last run did not end cleanly (the file "open" stands beside the database: made before the first commit,
 * taken away by state_close()) or the file is shorter than it says, a child process reads the whole database first,
 * so that damage which would be a SIGBUS in us is an error instead. */
#pragma once

#include "lib/arena.h"
#include "lib/digest.h"
#include "lib/fields.h"
#include "specs/model.h"

struct error;
struct state;

#define STATE_FORMAT 1u

enum state_mode {
    STATE_READ, /* a missing database is an empty one and is not created; writes nothing but LMDB's reader slot */
    STATE_WRITE, /* the caller holds the root's lock */
};

/* -EPROTO when the format is newer than ours (message names both), -EBADMSG when damaged. */
int state_open(const char *folder, enum state_mode mode, struct state **state, struct error *error);
/* Marks a clean end (write mode) and releases. Accepts NULL. */
void state_close(struct state *state);
static inline void cleanup_state(struct state **state)
{
    state_close(*state);
}
#define _cleanup_state_ _cleanup_(cleanup_state)

/* ---- records: what we applied and last saw, one an object ---- */

struct record {
    struct described described;
    const char *kind;   /* kind_name() */
    const char *name;   /* full */
    const char *uid;    /* 16 hex digits, made once; goes into marks */
    int64_t generation; /* grows with every change; goes into marks */
    const char *source; /* name of the source; NULL for what nobody declares any more */
    bool implicit;
    struct bytes body;      /* fields_encode() of the kind's struct, as last applied */
    struct bytes facts;     /* what the effects answered and what was last seen; the reconciler's own table */
    const char *phase;      /* "running", "stopped", "failed", "retained", ... of SEMANTICS 29 */
    const char *reason;     /* why, for people; NULL */
    int64_t since;          /* seconds since the epoch: when the phase began */
    const char *stopped_by; /* a person's `stop`: who; NULL: may run */
    const char *spec_file;  /* where the object is declared, for messages */
    int64_t spec_line;
};
extern const struct table record_table;

/* ---- leases: identities that belong to a name and outlive its container ---- */

struct lease_address { /* in one network */
    struct described described;
    const char *network;  /* key; full name */
    const char *address;  /* "10.30.0.10" */
    const char *address6; /* "fd00:30::10"; NULL: none */
    const char *left6;    /* the one it had when its network began to say nothing of IPv6; NULL: none */
    const char *mac;
    int64_t index; /* of eth inside; -1: not attached now, the rest is kept */
};
extern const struct table lease_address_table;

struct lease {
    struct described described;
    const char *kind, *name;
    int64_t id_base;       /* containers: start of 65,536 host ids; 0: none */
    const char *subnet;    /* networks: leased from the pool; NULL */
    const char *subnet6;   /* networks: "fd00:30::/64"; NULL: none */
    struct list addresses; /* of lease_address */
    int64_t left; /* milliseconds since the epoch: when the last object of that name went; 0: never yet */
};
extern const struct table lease_table;

/* ---- sources ---- */

struct source {
    struct described described;
    const char *name;
    const char *path;   /* of the -f argument; NULL for stdin */
    bool down;          /* by `down`: skipped by automatic runs until a hand-run apply */
    int64_t generation; /* of the last applied set */
    const char *digest; /* spec_set.digest of it */
    int64_t applied;    /* seconds since the epoch */
    int64_t objects;    /* declared ones (not implicit), for the mass-delete guard */
    struct texts
        networks; /* implicit ones that the last applied set uses, whether or not its users were made */
};
extern const struct table source_table;

/* ---- journal: intents whose outcome is not recorded yet ---- */

struct intent {
    struct described described;
    int64_t sequence;
    const char *action; /* "start container shop/web" */
    const char *kind, *name, *verb;
    struct texts steps; /* names of the steps, in order */
    int64_t begun;      /* seconds since the epoch */
    struct bytes
        body; /* of a container that is lent something while it runs: as its record is to hold it; else empty */
    const char *wish;     /* of snapshot, reset and restore: the words that it was asked for with; NULL */
    const char *token;    /* of such a one: what its change is known by, when it is asked for again; NULL */
    const char *snapshot; /* and under which name it keeps what was there; NULL */
    const char *was;      /* of renames: the full name until then; NULL */
};
extern const struct table intent_table;

/* ---- history: at most 100 generations or 90 days a source ---- */

struct generation {
    struct described described;
    const char *source;
    int64_t number, applied;
    const char *digest;
    struct texts actions; /* one line each, as the plan printed them */
    struct bytes set;     /* canonical YAML of the whole set */
};
extern const struct table generation_table;

/* ---- reading: one consistent snapshot ---- */

struct snapshot {
    const char *host;        /* id; "" when there is no database */
    struct record **records; /* in order of keys */
    size_t record_count;
    struct lease **leases;
    size_t lease_count;
    struct index leases_by_name; /* of one name and several kinds, it finds the first */
    struct source **sources;
    size_t source_count;
    struct intent **intents; /* in order of sequence */
    size_t intent_count;
};
/* Everything but history, copied into `arena`: no LMDB pointer survives the call. */
int state_read(struct state *state, struct arena *arena, struct snapshot *out, struct error *error);
/* Of all that state_read() would read, byte by byte. -ENOENT when there is no database. */
int state_digest(struct state *state, char text[static DIGEST_TEXT_SIZE], struct error *error);
int state_read_history(struct state *state, const char *source, struct arena *arena,
                       struct generation ***items, size_t *count, struct error *error);

/* ---- writing: one transaction at a time; nothing is durable before state_commit() returned 0 ---- */

int state_begin(struct state *state, struct error *error);
int state_commit(struct state *state, struct error *error); /* synced */
void state_abort(struct state *state); /* also after a failed commit; harmless without begin */

int state_put_record(struct state *state, const struct record *record, struct error *error);
int state_delete_record(struct state *state, const char *kind, const char *name,
                        struct error *error); /* 0 when absent */
int state_put_lease(struct state *state, const struct lease *lease, struct error *error);
int state_delete_lease(struct state *state, const char *kind, const char *name, struct error *error);
int state_put_source(struct state *state, const struct source *source, struct error *error);
int state_delete_source(struct state *state, const char *name, struct error *error);
int state_put_intent(struct state *state, struct intent *intent,
                     struct error *error); /* sets .sequence when 0 */
int state_delete_intent(struct state *state, int64_t sequence, struct error *error);
int state_put_generation(struct state *state, const struct generation *generation,
                         struct error *error); /* and trims */

/* ---- values that must not be shown: SEMANTICS 30 ---- */

/* Keeps `value` outside of the database and gives the name, "sealed:" and 64 hex digits, that a record may hold: a
 * keyed digest, so that equal values have equal names. The caller holds the root's lock. */
int state_seal(struct state *state, const char *value, struct arena *arena, const char **reference,
               struct error *error);
/* The value again. Where it is lost, and for what is no such name, `reference` itself. */
int state_unseal(struct state *state, const char *reference, struct arena *arena, const char **value,
                 struct error *error);
bool state_is_sealed(const char *value);
/* The key of what is sealed, for digests that cover such values; `make`: a new one where there is none yet, and the caller
 * holds the root's lock. Without one `size` is 0. -EBADMSG: it is of another length than it was made with. */
int state_key(struct state *state, bool make, struct arena *arena, struct bytes *key, struct error *error);
/* Takes away the values that no record names any more. */
int state_trim_secrets(struct state *state, struct error *error);

/* A new uid: 16 hex digits from getrandom(). */
void state_new_uid(char text[static 17]);
/* Commits made by this process, for tests of "a run with no action commits nothing". */
size_t state_commits(const struct state *state);
