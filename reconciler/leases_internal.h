/* Inside the granting of leases. */
#pragma once

#include "lib/map.h"
#include "reconciler/leases.h"
#include "reconciler/renames.h"

struct granting {
    const struct object_set *all;
    const struct actual *actual;
    const struct renames *renames;
    const struct snapshot *snapshot;
    const struct world *world;
    const struct lease_rules *rules;
    struct arena *arena;
    struct grants *grants;
    struct map taken;    /* "network address" of every address that is declared or leased */
    struct map declared; /* the same, declared ones only */
    struct map
        cursors; /* network -> uint32_t: no host number below it is free; they are only ever taken here */
    struct id_ranges ids;  /* that are leased or others', by where they begin */
    size_t past_ids;       /* those before it end below next_range */
    int64_t next_range;    /* the lowest id base that may be free */
    struct lease **absent; /* copies of leases whose names nothing bears, the one that left first in front */
    size_t absent_count;
    bool knows_absent;
};

/* Of a map of addresses. */
const char *granting_key(struct arena *arena, const char *network, const char *address);
/* Whether nothing but `network` itself has claimed any of it. */
bool granting_subnet_is_free(const struct granting *granting, const char *subnet, const char *network);

/* leases_ids.c: before the first grant; a range for the lease unless it has one: why not, or NULL; and whether somebody
 * else has ids of the range that begins there. */
void granting_collect_ids(struct granting *granting);
const char *granting_ids(struct granting *granting, struct lease *lease, bool *fresh);
bool granting_ids_are_others(const struct granting *granting, int64_t base);

/* leases_reclaim.c: what to do when a pool is dry (SEMANTICS 14): each takes its thing from the lease of an absent name,
 * the one that left first; NULL or 0 when none has it. */
const char *reclaim_subnet(struct granting *granting);
int64_t reclaim_ids(struct granting *granting);
const char *reclaim_address(struct granting *granting, const char *network, const char *subnet);
