/* What a record says of an object: made of values, written by whoever has a transaction. */
#pragma once

#include "reconciler/actual.h"

/* A new record of the object; uid NULL: a new one. */
struct record *record_new(struct arena *arena, const struct object *object, const char *uid);
struct bytes record_encode(struct arena *arena, const struct table *table, const void *object);
/* The object's body as record and history may hold it; `state` takes the values that may not stand there. */
int record_seal(struct state *state, struct arena *arena, const struct object *object, void **body,
                struct error *error);
/* What effects answered, put into the record; an image's own secret variables are values that may not stand there, too. */
int record_facts(struct state *state, struct arena *arena, struct record *record, const struct facts *facts,
                 struct error *error);
/* Whether the record holds such a value as it is: written by an earlier version. */
bool record_is_open(const struct entry *entry);
/* The object as it is declared, put into the record. */
int record_describe(struct state *state, struct arena *arena, struct record *record,
                    const struct object *object, struct error *error);
/* Since now, where it was another one. `reason` may be NULL. */
void record_set_phase(struct record *record, const char *phase, const char *reason);
int64_t record_now(void); /* seconds since the epoch */
