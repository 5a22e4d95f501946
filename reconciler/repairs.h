/* The distance between a running object and its target, as the live effects that close it.
 *
 * One function serves both sides of P1: the diff names what it finds, the executor sends it. */
#pragma once

#include "drivers/steps.h"
#include "reconciler/target.h"

struct repair {
    enum step_kind step;
    void *request;
    const char
        *field; /* the container's field that this would follow from: "networks", "limits", "volumes" */
    const char *
        drift; /* what happened to the object if no field changed: "address 10.0.0.2 removed from eth0"; NULL:
                 * part of another repair, which says it */
};

struct repairs {
    struct repair *items;
    size_t count;
};

/* For a running container whose recorded body is `before`: interfaces that had an address of ours and now ask the LAN for
 * one are emptied of it. */
void repairs_empty_nics(const struct target *target, const struct container *before,
                        const struct object *object, const struct observed_container *observed,
                        const char *uid, struct repairs *out);
/* Why what a running container's layer lies in is not what limits.disk says, where only its next start can change that;
 * NULL. */
const char *repairs_disk_misfit(const struct world *world, const struct object *object, struct arena *arena);
/* For a running container that is a router no more. */
void repairs_end_forwarding(const struct target *target, const struct object *object,
                            const struct observed_container *observed, struct repairs *out);
/* For a container that runs. `uid` is the one in its marks. */
void repairs_of_container(const struct target *target, const struct world *world, const struct object *object,
                          const struct observed_container *observed, const char *uid, struct repairs *out);
/* Bridge and resolver; not the rules and names, which are shared with the containers. */
void repairs_of_network(const struct target *target, const struct world *world, const struct object *object,
                        const char *uid, struct repairs *out);
/* What happened to the names that a network's resolver was given, or NULL: for those that this plan leaves alone. */
const char *names_trouble(const struct target *target, const struct world *world, const char *network);
