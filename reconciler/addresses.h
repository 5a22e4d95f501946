/* Arithmetic on IPv4 addresses and subnets, all checked before. Numbers are in host order; texts live in the arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"

uint32_t address_number(const char *address);
char *address_text(struct arena *arena, uint32_t address);
uint32_t subnet_split(const char *subnet, int *bits); /* its base and prefix length */

/* "10.30.0.0/24" -> "10.30.0.1/24"; and an address with that subnet's prefix length. */
char *subnet_gateway(struct arena *arena, const char *subnet);
char *subnet_of(struct arena *arena, const char *address); /* "10.30.0.7/24" -> "10.30.0.0/24" */
char *address_with_prefix(struct arena *arena, const char *address, const char *subnet);
/* Whether a guest may have it: in the subnet, and neither its own, its bridge's nor its broadcast address. */
bool address_fits(const char *address, const char *subnet);
