/* Taking back what absent names hold, when a pool is dry. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/addresses.h"
#include "reconciler/leases_internal.h"

static int by_leaving(const void *left, const void *right)
{
    const struct lease *a = *(struct lease *const *)left, *b = *(struct lease *const *)right;
    return a->left != b->left ? (a->left > b->left) - (a->left < b->left) : strcmp(a->name, b->name);
}

/* Not those that go in this very plan: they hold what is theirs until they are gone. */
static void collect_absent(struct granting *granting)
{
    for (size_t i = 0; i < granting->snapshot->lease_count && !granting->knows_absent; i++) {
        const struct lease *lease = granting->snapshot->leases[i];
        enum kind kind;
        if (kind_parse(lease->kind, &kind) == 0 && !object_find(granting->all, kind, lease->name) &&
            !actual_find(granting->actual, kind, lease->name))
            *arena_append(granting->arena, granting->absent, granting->absent_count) =
                described_copy(granting->arena, &lease_table, lease);
    }
    granting->knows_absent = true;
    if (granting->absent_count)
        qsort(granting->absent, granting->absent_count, sizeof(*granting->absent), by_leaving);
}

static void note_reclaimed(struct granting *granting, struct lease *lease)
{
    struct grants *grants = granting->grants;
    for (size_t i = 0; i < grants->reclaimed_count; i++)
        if (grants->reclaimed[i] == lease)
            return;
    *arena_append(granting->arena, grants->reclaimed, grants->reclaimed_count) = lease;
}

const char *reclaim_subnet(struct granting *granting)
{
    collect_absent(granting);
    for (size_t i = 0; i < granting->absent_count; i++) {
        struct lease *lease = granting->absent[i];
        const char *subnet = lease->subnet;
        if (!subnet || !subnets_overlap(subnet, granting->rules->pool) ||
            !text_is_same(strchr(subnet, '/'), "/24") ||
            !granting_subnet_is_free(granting, subnet, lease->name))
            continue;
        lease->subnet = NULL;
        note_reclaimed(granting, lease);
        return subnet;
    }
    return NULL;
}

int64_t reclaim_ids(struct granting *granting)
{
    collect_absent(granting);
    for (size_t i = 0; i < granting->absent_count; i++) {
        struct lease *lease = granting->absent[i];
        const int64_t base = lease->id_base;
        if (!base || granting_ids_are_others(granting, base))
            continue;
        lease->id_base = 0;
        note_reclaimed(granting, lease);
        return base;
    }
    return 0;
}

/* What is left of a place without any address says nothing that its names would not. */
static void drop_place(struct lease *lease, const struct lease_address *place)
{
    size_t kept = 0;
    for (size_t i = 0; i < lease->addresses.count; i++)
        if (lease->addresses.items[i] != place)
            lease->addresses.items[kept++] = lease->addresses.items[i];
    lease->addresses.count = kept;
}

static const char *reclaim_from(struct granting *granting, struct lease *lease,
                                const struct address_pool *pool, const char *link)
{
    for (size_t i = 0; i < lease->addresses.count; i++) {
        struct lease_address *place = lease->addresses.items[i];
        const char **held = pool->of6 ? &place->address6 : &place->address;
        const char *address = *held;
        if (!address || !granting_may_reclaim(granting, pool, link, lease, place->network, address))
            continue;
        *held = NULL;
        if (!place->address && !place->address6)
            drop_place(lease, place);
        return address;
    }
    return NULL;
}

const char *reclaim_address(struct granting *granting, const struct address_pool *pool, const char *link)
{
    const char *address = NULL;
    collect_absent(granting);
    for (size_t i = 0; i < granting->absent_count && !address; i++)
        if ((address = reclaim_from(granting, granting->absent[i], pool, link)))
            note_reclaimed(granting, granting->absent[i]);
    return address;
}
