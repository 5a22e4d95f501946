/* A lost record made again from what exists: SEMANTICS 46.
 *
 * What carries our mark (containers, bridges) or lies in our stores (images, layers, volumes) under the name of an object
 * that the given files declare gets its record and its leases back: uid, generation, environment, command, networks,
 * addresses, MACs and ids as they are; what nothing outside a file says (the image's name, forwards, volumes, order,
 * policies) as declared. Nothing but the record is written. */
#pragma once

#include "reconciler/session.h"

struct rebuilt {
    struct texts restored; /* "container/shop/web" */
    struct texts
        left; /* the same for containers, interface names for bridges: marked, and declared by no file given */
};

/* `session` has looked and loaded, and is open for writing. */
int rebuild_record(struct session *session, struct rebuilt *rebuilt, struct error *error);
