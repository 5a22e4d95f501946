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
    struct map taken;      /* "link address" of what is declared or leased -> const struct lease * */
    struct map lans;       /* network -> what leases_addresses.c knows of it */
    struct id_ranges ids;  /* that are leased or others', by where they begin */
    size_t past_ids;       /* those before it end below next_range */
    int64_t next_range;    /* the lowest id base that may be free */
    struct lease **absent; /* copies of leases whose names nothing bears, the one that left first in front */
    size_t absent_count;
    bool knows_absent;
};

/* Whether nothing but `network` itself has claimed any of it. */
bool granting_subnet_is_free(const struct granting *granting, const char *subnet, const char *network);

/* ---- leases_ids.c ---- */

/* Before the first grant; a range for the lease unless it has one: why not, or NULL; and whether somebody else has ids
 * of the range that begins there. */
void granting_collect_ids(struct granting *granting);
const char *granting_ids(struct granting *granting, struct lease *lease, bool *fresh);
bool granting_ids_are_others(const struct granting *granting, int64_t base);

/* ---- leases_addresses.c ---- */

/* Addresses of one family that a network hands out, by their part behind the subnet's. */
struct address_pool {
    bool of6;
    const char *subnet;   /* NULL: it has none of this family */
    const char *name;     /* what is handed out, for people: subnet or range; NULL: nothing is */
    uint64_t first, last; /* host parts */
    uint64_t next;        /* none below it is free: addresses are only ever taken here */
    bool is_spent;        /* nor any at all */
};

/* What is spoken for before the first container is granted something, and after the last network was. */
void granting_collect_addresses(struct granting *granting);
/* The subnet or range of which the network leases addresses; NULL: it does not. */
const char *granting_offered(struct granting *granting, const char *network, bool of6);
/* For `lease` in the network of `address`, which has the recorded ones: that while it fits, its host part in a changed
 * subnet, another that is free, or NULL. */
const char *granting_address(struct granting *granting, const struct lease *lease,
                             const struct lease_address *address, bool of6);
/* Whether the pool, of that link, has the address, and nobody but `lease` of an absent name holds it. */
bool granting_may_reclaim(struct granting *granting, const struct address_pool *pool, const char *link,
                          const struct lease *lease, const char *network, const char *address);

/* ---- leases_reclaim.c ---- */

/* What to do when a pool is dry (SEMANTICS 14): each takes its thing from the lease of an absent name, the one that
 * left first; NULL or 0 when none has it. */
const char *reclaim_subnet(struct granting *granting);
int64_t reclaim_ids(struct granting *granting);
const char *reclaim_address(struct granting *granting, const struct address_pool *pool, const char *link);
