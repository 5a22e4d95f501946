/* build/failed: roots of commands that failed, each with what it was to be run with. */
#pragma once

#include "drivers/image/build_making.h"

/* Moves the step there for as long as the request says, in the place of an earlier one. */
int build_failed_keep(struct build_making *making, const struct build_run *request, struct error *error);
/* To be worked in: the folder, locked as long as it is open, and what it stands on. -ENOENT, -EBUSY when another shell is in
 * it. */
int build_failed_open(struct build_making *making, const struct paths *paths, const struct build_run *request,
                      const struct call *call, struct error *error);
/* Only what is kept stays of it. */
int build_failed_close(struct build_making *making, struct error *error);
/* Ends what shells of killed workers have left: their containers, and what was mounted for them. */
int build_failed_settle(const struct paths *paths, const struct call *call, struct error *error);
/* Steps that they stand on have other keys now. */
int build_failed_rename(const struct paths *paths, const struct build_serve *request, struct arena *arena,
                        struct error *error);
