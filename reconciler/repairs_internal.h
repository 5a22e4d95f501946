/* Inside the search for repairs: what its files hand to each other. */
#pragma once

#include "reconciler/repairs.h"

struct repairing { /* one container that runs */
    const struct target *target;
    const struct world *world;
    const struct object *object;
    const struct observed_container *observed;
    struct repairs *out;
};

void repairs_add(const struct repairing *repairing, enum step_kind step, void *request, const char *field,
                 const char *drift);

/* repairs_loans.c. What is left comes before volumes are put anywhere: one may come to where a bind was. */
void repairs_find_left_binds(const struct repairing *repairing);
void repairs_find_binds(const struct repairing *repairing);
/* repairs_devices.c, in the same order. */
void repairs_find_left_devices(const struct repairing *repairing);
void repairs_find_devices(const struct repairing *repairing);
/* repairs_limits.c */
void repairs_find_limits(const struct repairing *repairing);
/* repairs_disk.c */
void repairs_find_disk(const struct repairing *repairing);
/* Wakes first of all, or (frozen) lets stand still last of all, where that is what is missing. */
void repairs_find_frozen(const struct repairing *repairing, bool frozen);
