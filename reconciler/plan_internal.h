/* Inside the planner: what plan.c and plan_shared.c hand to each other. */
#pragma once

#include "lib/map.h"
#include "reconciler/plan.h"

struct planning {
    const struct plan_request *request;
    struct arena *arena;
    struct plan *plan;
    struct target target;
    struct action **gone; /* deletes, before they are ordered */
    size_t gone_count;
    struct map by_object; /* "kind/project/name" -> action */
    bool rules_lost;      /* our tables are not there at all */
};

struct action *plan_make_action(struct planning *planning, enum verb verb, enum kind kind, const char *name,
                                const struct object *object, struct entry *entry);
struct action *plan_append_action(struct planning *planning, struct action *action);
struct action *plan_action_of(struct planning *planning, enum kind kind, const char *name); /* NULL: none */
void plan_add_drift(struct planning *planning, struct changes *causes, const char *what, struct place at);
/* NULL and itself are not waited for. */
void plan_need(struct planning *planning, struct action *action, struct action *needed);
/* Whether `user` needs the object of that kind and name. */
bool plan_uses(const struct object *user, enum kind kind, const char *name);

/* plan_order.c: puts deletes in their places among the changes, and lets wait who must. */
void plan_order(struct planning *planning);

/* plan_shared.c: what many objects share is written once a run, for the actions that change it. */
void plan_rules(struct planning *planning);
void plan_resolvers(struct planning *planning);
