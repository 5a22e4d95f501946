/* What a command asked of data, as the journal keeps it until it has come to its end: snapshot, reset and restore.
 *
 * The same command, asked again, goes on where it was cut off: the token of its change says that the change itself is
 * done. That holds as long as nobody has written to the data since; from then on what was asked for is no more what is
 * there, and the same words ask for it anew. */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/world.h"

/* The intent that `wish` left on the entry's object; NULL: there is none. */
const struct intent *wish_find(const struct actual *actual, const struct entry *entry, const char *wish);
/* Whether the data may have been written to since. What a container acts on journals away the wishes for the data that
 * it uses (recorder_intend), so that what is left to ask is who runs, and who ran all the while. */
bool wish_is_spent(const struct intent *intent, const struct actual *actual, const struct entry *entry,
                   const struct paths *paths, const struct world *world, struct arena *arena);
/* Whether the intent is such a wish, for data that the container has for its root or as a volume. */
bool wish_is_for_data_of(const struct intent *intent, const struct object *container);
