/* What of a root is read from one moment while a backup is written: each running container with its layer and its volumes;
 * together those that share a volume. */
#pragma once

#include "reconciler/session.h"

/* Fills guests and parts. After session_look(). */
void archive_parts(const struct session *session, struct archive *archive);
