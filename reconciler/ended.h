/* What a container's command ended with: SEMANTICS 21, 42. */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/session.h"

struct observed_container;

/* While LXC has the container its folder says it; once that is gone (a root that was read from a backup), the record does, as
 * the backup wrote it. False: it has not ended by itself, or nobody knows. `entry` and `seen` may be NULL; `status`, of
 * waitpid() as in observed_container, is written where it is true. */
bool container_ended(const struct entry *entry, const struct observed_container *seen, int64_t *status);
/* Puts into the records what LXC's folders say now: those are in no backup. After session_look(), in a session open for
 * writing; commits only where a record does not say it yet. */
int ended_record(struct session *session, struct error *error);
