/* One digest of all that world_observe() saw: two worlds of one digest are the same to the planner. */
#pragma once

#include "lib/digest.h"
#include "reconciler/world.h"

/* Ports of the host, a bit each, that anybody asks about: of the listeners, only those on one of them count. */
#define WORLD_PORTS_SIZE (65536 / 8)
void world_ports_add(unsigned char ports[static WORLD_PORTS_SIZE], int64_t first, int64_t count);

/* Before or after it is indexed; loans are in it when they were looked at. What else is looked at later (differences,
 * disks, use) is not. */
void world_digest(const struct world *world, const unsigned char ports[static WORLD_PORTS_SIZE],
                  char text[static DIGEST_TEXT_SIZE]);
