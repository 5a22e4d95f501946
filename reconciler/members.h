/* Sets of replicas by their name: what was declared as `web` with replicas is recorded as web-1, web-2, ... */
#pragma once

#include "reconciler/session.h"

struct members {
    struct entry **items; /* by number */
    size_t count;
};

/* Of the recorded set of that name, found as containers are: "shop/web", "web" (of project default, else the only one
 * called so). None where there is no such set. */
struct members members_of(const struct actual *actual, const char *name, struct arena *arena);
/* "shop/web-1, shop/web-2" */
const char *members_print(const struct members *members, struct arena *arena);

/* The container, or all members of the set, that the argument names. */
int members_find(struct session *session, const char *argument, struct members *members, struct error *error);
/* The container, or the first member of the set that runs: -ESRCH where none does. Looks at the world, for a set. */
int members_find_running(struct session *session, const char *argument, struct entry **entry,
                         struct error *error);
