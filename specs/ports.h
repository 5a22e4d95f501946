/* Forwards as values: the key made of their parts, and where two of them meet. */
#pragma once

#include "specs/model.h"

/* "8080/tcp", "192.0.2.1:8000-9000/udp": what a forward listens on, by which it is known. `address` NULL: all. */
char *port_key(struct arena *arena, const char *address, int64_t host, int64_t count, const char *protocol);

/* Whether it forwards "tcp", or "udp": "tcp+udp" does both. */
bool port_speaks(const struct port *port, const char *protocol);

/* Whether some packet to the host would be for both. */
bool ports_meet(const struct port *left, const struct port *right);

/* "8000-9000:8000-9000/udp", as in the short form of a spec; `take` is not said. */
char *port_short(struct arena *arena, const struct port *port);
