/* The recorded state, decoded: every record with its body and facts. */
#pragma once

#include "specs/model.h"
#include "state/state.h"

struct facts { /* what effects answered; one table for all kinds, a kind uses what it needs */
    struct described described;
    const char *digest;        /* images: content; containers: of the image their layer stands on */
    int64_t bytes;             /* images */
    const char *config_digest; /* containers: of the LXC config as we wrote it */
    const char
        *definition_digest; /* containers: of the encoded definition; differs when it must be written again */
    int64_t init_pid, init_start; /* containers: as started, */
    const char *boot;             /* since this boot of the kernel */
    struct list repairs;          /* struct repaired: drift that was put right of late */
    const char *ended;            /* containers: "0", status of its command at the last backup; NULL */
    const char *config;  /* of the image with that digest: text of specs/image_config.h; NULL: it has none */
    const char *made_of; /* images that were built: struct build, `made_of`; NULL */
    int64_t
        probed; /* containers: seconds since the epoch, when a run last probed its health; 0: not since its start */
    const char *ailment; /* and what that met; NULL: it did well */
    const char
        *flagged; /* images that were built: flags of the command line that they were made with; NULL */
    const char *context; /* images: the archive that their recipe came in, as of contexts.h; NULL */
    const char *fetched; /* images that were built: struct build, `fetched`; NULL */
    const char *origin;  /* images: what the source was resolved to, as the one that it names; NULL */
};
extern const struct table facts_table;

struct entry {
    enum kind kind;
    const char *name;
    struct record *record;
    struct object object; /* with the recorded body */
    struct facts *facts;  /* never NULL */
    const char *left;     /* retained data that is declared again: how old and how large it is */
    struct bytes *key;    /* of the digests that it has keyed; of size 0 where no digest of any record is */
    /* reconciler/renames.h: the name that what is outside of the record still has (NULL: `name`), */
    const char *was;
    const char *recorded; /* and the one that the record has; NULL: `name` */
};

struct actual {
    const struct snapshot *snapshot;
    struct entry *items; /* in order of kind and name */
    size_t count;
    struct index by_id;
};

/* `state` has the values that the records only name. */
int actual_decode(struct state *state, const struct snapshot *snapshot, struct arena *arena,
                  struct actual *actual, struct error *error);
struct entry *actual_find(const struct actual *actual, enum kind kind,
                          const char *name); /* NULL when absent */
/* What LXC calls a container: of what was adopted its own name, else paths_lxc_name(). */
struct paths;
const char *object_lxc_name(const struct paths *paths, struct arena *arena, const struct object *container);
/* "env.DB_PASSWORD" where the record names a value that is not kept any more: only a spec file has it; else NULL. */
const char *object_lost_value(const struct object *object, struct arena *arena);
/* A record without a generation was written before its object was made, and the making did not end well. */
bool entry_is_unfinished(const struct entry *entry);
/* Retained data keeps its record but is nobody's object any more. */
bool entry_is_retained(const struct entry *entry);
/* retain: none. It goes when nobody declares it any more. */
bool entry_is_thrown_away(const struct entry *entry);
/* Whether an earlier run began something with the object and did not bring it to its end. */
bool entry_has_intent(const struct actual *actual, const struct entry *entry);
/* The same of one verb. */
bool entry_intends(const struct actual *actual, const struct entry *entry, const char *verb);
bool intent_is_of(const struct intent *intent, const struct entry *entry);
