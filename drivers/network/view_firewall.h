/* What the parts of the firewall view share beside view_packet.h. */
#pragma once

#include <stdbool.h>

#include "lib/arena.h"

/* Tables of iptables-legacy with rules, or a policy, that may end packets, in words; NULL: there are none. */
const char *legacy_tables(struct arena *arena, bool is6);
