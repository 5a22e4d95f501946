/* Arithmetic on IPv6 subnets of 64 bits and their addresses, all checked before. Texts live in the arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"

/* "fd00:30::/64" -> "fd00:30::1/64" */
char *subnet6_gateway(struct arena *arena, const char *subnet);
/* One of fd00::/8 for this host (40 bits of its id) and this name; another one at each attempt. */
char *subnet6_derived(struct arena *arena, const char *host, const char *network, unsigned attempt);
/* The address that a MAC address has there (RFC 4291, appendix A), and that with the host part of another. */
char *address6_of_mac(struct arena *arena, const char *subnet, const char *mac);
/* The lower half, in host byte order, and the address that has it. */
uint64_t address6_host(const char *address);
char *address6_at(struct arena *arena, const char *subnet, uint64_t host);
char *address6_moved(struct arena *arena, const char *address, const char *subnet);
