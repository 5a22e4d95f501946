/* Places in the root of a step. */
#pragma once

#include "drivers/image/build_users.h"

struct error;

/* Handle (O_PATH) of the folder, made with its parents where missing: 0755, `owner`'s (NULL: 0:0). Symbolic links lead where
 * they lead with `root` as root. */
int build_target_folder(int root, const char *path, const struct build_user *owner, struct error *error);
/* The folder that a file `name` is to be written to as `target`, and under which name there: in the target, where that is a
 * folder or ends in "/"; else instead of it. `as` has NAME_MAX + 1 bytes. */
int build_target_file(int root, const char *target, const char *name, const struct build_user *owner,
                      char *as, struct error *error);
