/* Inside the recorder: what its files hand to each other. All that writes begins the transaction where none is under
 * way; recorder_flush() commits it. */
#pragma once

#include "lib/map.h"
#include "reconciler/outcome.h"

struct recorder {
    const struct execution *execution;
    struct arena *arena;
    struct map digests; /* image name -> place of its content digest, as of now */
    struct map configs; /* content digest -> what that image says about being run; absent: nothing */
    struct bytes key;   /* recorder_key(); of size 0: not asked for yet */
    bool open;          /* a transaction is under way */
    struct list moved;  /* intents of declared layers that their containers move */
};

int recorder_writing(struct recorder *recorder, struct error *error);
int recorder_put_record(struct recorder *recorder, struct record *record, struct error *error);
int recorder_delete_record(struct recorder *recorder, enum kind kind, const char *name, struct error *error);
int recorder_put_lease(struct recorder *recorder, const struct lease *lease, struct error *error);
/* outcome_migrate.c */
int recorder_migrate(struct recorder *recorder, struct error *error);
/* NULL, and what was never written, is none. */
int recorder_drop_intent(struct recorder *recorder, const struct intent *intent, struct error *error);
/* What earlier runs left: of one object, or (NULL) of what is shared, which every plan looks at afresh. */
int recorder_drop_old_intents(struct recorder *recorder, const struct action *action, struct error *error);

/* Fetches the key of digests that cover hidden values; makes it where there is none. */
int recorder_key(struct recorder *recorder, struct error *error);

void recorder_set_digest(struct recorder *recorder, const char *image, const char *digest);
/* What the image of that digest says, NULL for none: to be remembered, and as facts of what stands on it. */
void recorder_set_config(struct recorder *recorder, const char *digest, const char *config);
void recorder_set_base(struct recorder *recorder, struct facts *facts, const char *digest);
/* The recorded layer below a container; NULL. */
const struct entry *recorder_layer(const struct recorder *recorder, const struct object *container);
