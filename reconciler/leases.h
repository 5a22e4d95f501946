/* Leases: MAC, IPv4 address, place of a NIC, id range and subnet, each kept by name for good; the place until the
 * networks that a container keeps are written in another order.
 *
 * Granting is pure and deterministic: the same desired set, recorded leases and host give the same grants, so
 * `plan` shows what `apply` then writes. */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/world.h"

struct denial { /* a pool is dry: the object is held, the rest goes on */
    enum kind kind;
    const char *name, *reason;
};

struct grants {
    struct lease **items; /* all that the desired objects hold: networks by name, then containers by name */
    size_t count, network_count;
    struct index networks, containers; /* of `items`, by name */
    bool *fresh;                       /* whether items[i] differs from what is recorded */
    struct lease **reclaimed; /* of absent names, as they are after a dry pool took something from them */
    size_t reclaimed_count;
    struct denial *denied; /* their recorded leases, if any, stand in items */
    size_t denied_count;
};

struct lease_rules {
    const char *host;          /* id, part of what MACs are derived from */
    int64_t id_first, id_last; /* pool of host ids */
    const char *pool;          /* of subnets, "10.64.0.0/11", cut into /24s */
};

/* `all` is every object that exists after the run, in order of kind and name. */
struct renames; /* NULL: none */
void leases_grant(const struct object_set *all, const struct actual *actual, const struct renames *renames,
                  const struct world *world, const struct lease_rules *rules, struct arena *arena,
                  struct grants *grants);
/* Why the object got no lease; NULL when it got one. */
const char *grants_denied(const struct grants *grants, enum kind kind, const char *name);

const struct lease *lease_recorded(const struct snapshot *snapshot, enum kind kind,
                                   const char *name); /* or NULL */
struct lease *grants_find(const struct grants *grants, enum kind kind, const char *name);
struct lease_address *lease_in(const struct lease *lease, const char *network); /* NULL when it has none */
