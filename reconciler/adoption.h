/* Taking over what LXC had before fpsync: which containers, as what, and the plan of it. */
#pragma once

#include "reconciler/session.h"

struct adoption {
    struct object_set chosen; /* declared with a root of their own, not on record yet; bodies as found */
    struct texts unknown;     /* arguments that name nothing to adopt */
};

/* `session` has looked and loaded. `arguments` (bare, full or LXC's names) choose among what the files declare; none
 * chooses all. What is recorded already is passed over. Negative when a config cannot be read. */
int adoption_choose(struct session *session, char *const *arguments, size_t count, struct adoption *adoption,
                    struct error *error);
/* The NICs of a running container, for found_container(); *inside is NULL when it does not run. */
int adoption_look(struct session *session, const char *lxc_name, struct observed_guest **inside,
                  struct error *error);
bool adoption_is_frozen(const struct session *session, const char *lxc_name); /* one that runs */
/* The networks that a container of LXC's may be found to be in. */
struct found_networks adoption_networks(struct session *session);
/* The adoptions and what they need; all else stands as it is recorded. */
void adoption_plan(struct session *session, const struct adoption *adoption, struct plan *plan);
