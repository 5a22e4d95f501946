/* What exists, in the words of a spec: the other way round from reconciler/target.h. */
#pragma once

#include "drivers/container/container.h"
#include "drivers/paths.h"
#include "reconciler/found_networks.h"
#include "specs/model.h"

struct found_context {
    struct found_networks *networks;
    const struct observed_guest *inside; /* of the running container; NULL: it does not run */
    bool frozen;
};
/* An object of a container that LXC has, as a spec would declare it: root, lxc_name, what its config says in fields, and
 * lines for what has none. Texts are canonical, so that reading the printed object gives an equal one. */
struct object *found_container(const struct paths *paths, struct arena *arena, const char *name,
                               const struct container_found *found, const struct found_context *context);
/* A legal name made of what LXC calls it, "Web_1" -> "web-1", without the root's tag; in project `default`. */
char *found_name(const struct paths *paths, struct arena *arena, const char *lxc_name);
