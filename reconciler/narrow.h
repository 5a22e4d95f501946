/* `--target KIND/NAME`: a set narrowed to some of its objects and what they need. */
#pragma once

#include "reconciler/plan.h"

/* Each target is "KIND/NAME" or "KIND/PROJECT/NAME"; a bare name is that of project `default`, else the only one called so.
 * -ENOENT or -EINVAL with the nearest name. Nothing of what is left out goes: the sources prune no more. */
int narrow_find(const struct object_set *all, const char *target, struct arena *arena, struct object **object,
                struct error *error);
int narrow_set(struct spec_set *set, const struct builds *builds, const char *const *targets, size_t count,
               struct arena *arena, struct error *error);
