/* `was: OLD` (SEMANTICS 7): an object takes over what is recorded of another name.
 *
 * Names are labels. The planner is handed the record as if everything had been called by the new name all along:
 * leases, layer, references. What the old name still has outside of the record (a bridge, a folder, an LXC container)
 * the action of the new one takes down or renames; the record itself follows when that is done, in one commit. Cut off
 * anywhere before, the old name is still the recorded one, and the next run does the same again.
 *
 * Unless the old name is declared again by then. What already has the new one goes back: a rename, too, of which the
 * record knows nothing. The journal has both names. */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/world.h"

struct rename {
    enum kind kind;
    const char *from, *to; /* full names */
    struct place at;       /* of the line that asks for it */
    const char *conflict;  /* why it cannot be done now; NULL: it is done */
    const char *hint;
    const char *data; /* the name that its data have by now, where that is not `from`; NULL */
    bool back;        /* from a name that no record has */
};

struct renames {
    struct rename *items;
    size_t count;
    struct lease **leases; /* those of the view that differ from the record */
    size_t lease_count;
};

struct renames_request {
    const struct paths *paths;
    const struct object_set *desired;
    const struct actual *actual;
    const struct world *world;
    const struct spec_source *sources; /* applied by this run */
    size_t source_count;
    bool narrowed; /* to some objects: then nothing goes */
};

/* What `was` asks for and the record still knows by its old name; `view` is the record with the new names. */
void renames_find(const struct renames_request *request, struct arena *arena, struct actual *view,
                  struct renames *renames);

const struct rename *renames_to(const struct renames *renames, enum kind kind, const char *to);
/* Whether a lease of the view is another than the record's. */
bool renames_changed(const struct renames *renames, const struct lease *lease);
const struct rename *renames_from(const struct renames *renames, enum kind kind, const char *from);
/* The names that renames of an object began to give it and that no record has, the newest first: the next one after `*at`
 * intents, or NULL. */
const char *renames_begun(const struct snapshot *snapshot, enum kind kind, const char *name, size_t *at);
/* Which of them has the data of a volume or layer; NULL: they are where their own name says, or nowhere. `whose`: the kind
 * that was renamed, for a container goes with its own layer. */
const char *renames_moved(const struct snapshot *snapshot, const struct world *world, struct arena *arena,
                          enum kind kind, enum kind whose, const char *name);
