/* Ranges of host ids (SEMANTICS 11): each of its own, of a raster over the pool, and none that meets ids which a lease or
 * somebody else on the host has. A range that was given once stays. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/leases_internal.h"

#define ID_RANGE 65536

static int by_first(const void *left, const void *right)
{
    const struct id_range *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

/* What others have whose names bear no lease, such as containers of another root, is in both. */
void granting_collect_ids(struct granting *granting)
{
    const struct id_ranges *others = &granting->world->ids;
    struct id_ranges *taken = &granting->ids;
    taken->items =
        arena_array_of(granting->arena, struct id_range, others->count + granting->snapshot->lease_count + 1);
    if (others->count)
        memcpy(taken->items, others->items, others->count * sizeof(*others->items));
    taken->count = others->count;
    for (size_t i = 0; i < granting->snapshot->lease_count; i++) {
        const int64_t base = granting->snapshot->leases[i]->id_base;
        if (base)
            taken->items[taken->count++] = (struct id_range){.first = base, .last = base + ID_RANGE - 1};
    }
    if (taken->count)
        qsort(taken->items, taken->count, sizeof(*taken->items), by_first);
}

/* Both go up: the ranges that end below the next place are of no interest any more. */
static bool is_free(struct granting *granting, int64_t base)
{
    const struct id_ranges *taken = &granting->ids;
    while (granting->past_ids < taken->count && taken->items[granting->past_ids].last < base)
        granting->past_ids++;
    for (size_t i = granting->past_ids; i < taken->count && taken->items[i].first < base + ID_RANGE; i++)
        if (taken->items[i].last >= base)
            return false;
    return true;
}

/* A lease that nobody bears may lie where somebody is by now. */
bool granting_ids_are_others(const struct granting *granting, int64_t base)
{
    const struct id_ranges *others = &granting->world->ids;
    for (size_t i = 0; i < others->count; i++)
        if (others->items[i].first < base + ID_RANGE && others->items[i].last >= base)
            return true;
    return false;
}

const char *granting_ids(struct granting *granting, struct lease *lease, bool *fresh)
{
    if (lease->id_base)
        return NULL;
    while (granting->next_range + ID_RANGE - 1 <= granting->rules->id_last && !lease->id_base) {
        if (is_free(granting, granting->next_range))
            lease->id_base = granting->next_range;
        granting->next_range += ID_RANGE;
    }
    if (!lease->id_base)
        lease->id_base = reclaim_ids(granting);
    field_mark(&lease_table, lease, offsetof(struct lease, id_base));
    *fresh = true;
    return lease->id_base ? NULL
                          : arena_printf(granting->arena,
                                         "no free range of %d ids is left between %" PRId64 " and %" PRId64,
                                         ID_RANGE, granting->rules->id_first, granting->rules->id_last);
}
