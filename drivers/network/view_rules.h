/* Our rules as the kernel holds them, in the two halves that view_rules.c puts together. */
#pragma once

#include <stdbool.h>

#include "drivers/network/view_internal.h"

struct rules;

/* What is there only where it is needed. */
struct rules_parts {
    bool has6, has_deaf;
};

/* The elements of the sets as rules, which `arena` owns. `consistent`: nothing is missing, and no set says what another
 * does not. -EINTR: somebody commits meanwhile. */
int rules_read_sets(struct nl_sock *socket, const struct paths *paths, const struct rules_parts *parts,
                    struct arena *arena, struct rules *rules, bool *consistent, struct error *error);

/* The digest of all else, see rules_shape(), and what it was taken of. -EINTR as above. */
int rules_read_shape(struct nl_sock *socket, const struct paths *paths, char shape[static WITNESS_SIZE],
                     struct rules_parts *parts, struct error *error);
