/* Flows end with what allowed them. TCP learns by itself that its other end is gone, and a connection to a container
 * that runs goes on when its port moves: whoever opened it is served to its end. UDP has no end: who keeps sending goes
 * on to where the first datagram was led, so that what our rules led elsewhere, or not yet, begins anew. */
#pragma once

#include "drivers/network/network.h"

struct flows; /* what is outstanding while rules change */

/* To be called before the rules change; `request` is what they become, NULL when they go. Writes down what may have to
 * end, so that a run that does not come to flows_end() leaves it to the next. Lives in the arena. No call to
 * the kernel's tracking, and no file is written, where no port of UDP and no question is led differently. */
int flows_expect(const struct paths *paths, const struct rules *request, struct arena *arena,
                 struct flows **out, struct error *error);
/* And after: ends those that the rules would not lead where they are led. It looks a few times at most: where guests go on
 * answering what had been sent to them before, one that begins behind the last look stays until it is silent. A failure
 * leaves all to the next setting of the rules, which are in force nevertheless. */
int flows_end(const struct paths *paths, const struct flows *flows, struct arena *arena, struct error *error);
