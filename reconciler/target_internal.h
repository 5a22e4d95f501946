/* What the parts of the target share. */
#pragma once

#include "reconciler/target.h"

void target_add(struct arena *arena, struct list *list, void *item);
void target_sort(struct list *list, const struct table *table); /* by key */

const struct network *target_network(const struct target *target, const char *network);
/* The bridge, or whatever else of the host it hangs on. */
const char *target_bridge_name(const struct target *target, const char *network);
/* Where the container's default route leads through the network: by whom, else NULL. */
const char *target_gateway_in(const struct target *target, const struct object *object, const char *network,
                              bool of6);

/* What leads the questions of a container on several networks to a resolver that knows all of them. */
void target_add_askers(const struct target *target, const struct object *container, struct list *askers);
