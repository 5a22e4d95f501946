/* What removals left in the stores: see drivers/storage/tree.h. */
#pragma once

#include "drivers/storage/storage.h"

/* As in struct storage_view. A store that is missing holds nothing. */
int view_leftovers(const struct paths *paths, struct arena *arena, struct observed_leftovers *out,
                   struct error *error);
