/* SEMANTICS 40: what of a container root has to permit in fpsync.conf first. Asked before anything of it begins, by a plan
 * and by the commands that start what is recorded: what was permitted once may not be any more. */
#pragma once

#include "specs/policy.h"

struct paths;

struct refusal {
    const char *reason,
        *hint;       /* all that is missing; the line that permits it beside what is permitted already */
    struct place at; /* of what is missing first */
};

/* What the policy does not permit; false: it permits all. Texts live in the arena. */
bool permission_is_refused(const struct policy *policy, const struct paths *paths,
                           const struct object *container, struct arena *arena, struct refusal *refusal);
/* Both absolute and clean. */
bool path_is_at_or_below(const char *path, const char *base);
/* "/dev/fuse", "usb 1d6b:0002", "gpu all" */
const char *device_text(struct arena *arena, const struct device *device);
