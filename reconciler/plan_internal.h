/* Inside the planner: what its files hand to each other. */
#pragma once

#include "lib/map.h"
#include "reconciler/fills.h"
#include "reconciler/plan.h"

struct planning {
    const struct plan_request *request;
    struct arena *arena;
    struct plan *plan;
    struct target target;
    struct entry **recorded;  /* of each desired object: the entry of its name, or NULL */
    struct object **declared; /* of each entry: the desired object of its name, or NULL */
    bool *taken;              /* of each entry: it, or what is declared in its place, is in plan->all */
    struct action **gone;     /* deletes, before they are ordered */
    size_t gone_count;
    struct map by_object; /* "kind/project/name" -> action */
    struct map held;      /* by "kind/project/name" */
    struct map failed;    /* the same: what failed before in this run, which was told then */
    struct map
        standing;     /* containers that go on as they are on record, by name -> `failed` or `held`, by which;
                           * see plan_stands.c */
    struct map users; /* "kind/project/name" -> the first of plan->all that uses it; see plan_user_of() */
    struct map counted,
        removed;        /* sets of replicas, by name: each is one to the guard against mass deletes */
    struct map resting; /* members of sets that do not run after this, by name */
    struct fills fills;
    bool networks_change; /* some network has an action */
    bool rules_lost;      /* our tables are not there at all */
};

struct action *plan_make_action(struct planning *planning, enum verb verb, enum kind kind, const char *name,
                                const struct object *object, struct entry *entry);
struct action *plan_append_action(struct planning *planning, struct action *action);
struct action *plan_action_of(struct planning *planning, enum kind kind, const char *name); /* NULL: none */
void plan_add_cause(struct planning *planning, struct changes *causes, const char *field, const char *old,
                    const char *new, struct place at);
void plan_add_drift(struct planning *planning, struct changes *causes, const char *what, struct place at);
/* plan_expand.c: whether the container takes from its image what is not known before that is made; */
bool plan_awaits_image(const struct planning *planning, const struct object *container);
/* whether the action became one that waits for an image; */
bool plan_expand(struct planning *planning, struct action *action);
/* and what a new container has of its image, as causes; whether all of it can be. */
void plan_add_inherited(struct planning *planning, struct action *action);
bool plan_gate_inherited(struct planning *planning, const struct object *object);
/* plan_gates.c: why nothing can stand on the image, which nobody makes in this run, and who could mend that; NULL: it can, or
 * its own action says. */
const char *plan_image_lacks(struct planning *planning, const char *image, const char **hint);
/* NULL and itself are not waited for. */
void plan_need(struct planning *planning, struct action *action, struct action *needed);
/* plan_uses.c: `see` is called for everything that `user` names. */
typedef void used_function(void *context, const struct object *user, enum kind kind, const char *name);
void plan_each_used(const struct object *user, used_function *see, void *context);
/* The first of plan->all that uses the object; NULL: none. Who is added to plan->all after the first question is to be
 * added to the users, too. */
const struct object *plan_user_of(struct planning *planning, enum kind kind, const char *name);
void plan_add_user(struct planning *planning, const struct object *user);

/* Holds the object back: listed apart from the actions, with the reason and, unless NULL, a hint. */
void plan_hold(struct planning *planning, enum kind kind, const char *name, const char *reason,
               const char *hint, struct place at);
bool plan_is_held(const struct planning *planning, enum kind kind, const char *name);
/* Nothing of it was ever finished. */
bool plan_is_new(const struct entry *entry);
/* The name that the object goes on from, or NULL; and its cause. */
/* Whether the network becomes one of another kind: fpsync's own bridge, one of the host's, a parent of macvlans. */
bool plan_changes_nature(const struct planning *planning, const char *network, const char **old,
                         const char **new);
const char *plan_was(const struct planning *planning, enum kind kind, const char *name);
/* It would go on from another name, and cannot now; it is held already. */
/* Who depends on what failed in this run is held, and so is who depends on that. */
bool plan_hold_after_failed(struct planning *planning, const struct object *object);
bool plan_is_blocked(const struct planning *planning, enum kind kind, const char *name);
void plan_add_was(struct planning *planning, struct action *action);
/* Why something is made: it is new, or an earlier run did not finish making it. */
const char *plan_why_new(const struct object *object, const struct entry *entry);

/* plan_objects.c */
/* plan_build.c. An image that a recipe makes. Whether it will be made, asked before anything is planned; then its action. */
bool plan_will_build(struct planning *planning, const struct object *image);
void plan_build(struct planning *planning, const struct object *image, struct entry *entry);
/* plan_fetch.c: the recipe first; and whether the image waits for one that does. */
void plan_fetch(struct planning *planning, const struct object *image, struct entry *entry,
                const struct build_fetch *fetch);
bool plan_awaits_base(struct planning *planning, const struct object *image, struct entry *entry,
                      const struct build *build);
void plan_image(struct planning *planning, const struct object *object, struct entry *entry);
void plan_data(struct planning *planning, const struct object *object, struct entry *entry);
void plan_network(struct planning *planning, const struct object *object, struct entry *entry);

/* plan_container.c. In the order of what they depend on; `done` holds what has been planned. */
void plan_containers_in_order(struct planning *planning, const struct object *object, struct map *done);

/* plan_stands.c. What of the container is planned: the object, or what is on record where its image does not come in this
 * run; and whether it is that. Not before those that it depends on. */
const struct object *plan_let_stand(struct planning *planning, const struct object *object,
                                    const struct entry *entry);
bool plan_stands(const struct planning *planning, const char *container);

/* plan_adoption.c. An adopted container that is not recorded yet: the action that takes it over, or NULL, held. */
struct action *plan_adoption(struct planning *planning, const struct object *object, struct entry *entry,
                             const struct observed_container *seen, const char *lxc_name);
/* False when the container was held, since it would become an adopted one, or another, or none any more. */
bool plan_gate_adopted(struct planning *planning, const struct object *object, const struct entry *entry);

/* plan_gates.c: false when the object was held: for a dry pool, or a container for whatever speaks against it. */
bool plan_gate_lease(struct planning *planning, const struct object *object);
bool plan_gates_open(struct planning *planning, const struct object *object, const struct entry *entry);

/* plan_follow.c: layers that are put on another image. plan_follow() finds out and says why not; plan_waves() lets the
 * restarts that one image causes come a part at a time. */
struct follow plan_follow(struct planning *planning, const struct object *object);
bool plan_image_changes(struct planning *planning, const char *image); /* it is made in this run */
/* Whether the layer stands on the very bytes that the image of that name has, and will have after this run. */
bool plan_stands_on(struct planning *planning, const struct entry *layer, const char *image);
/* Of a container, or a layer, that takes an image by another name: nothing is to be done where the bytes are the same. */
void plan_same_image(struct planning *planning, const struct entry *layer, const char *image,
                     struct changes *causes);
void plan_follow_cause(struct planning *planning, const struct object *object, const struct follow *follow,
                       struct changes *causes);
void plan_waves(struct planning *planning);

/* plan_loans.c: one of the gates. */
bool plan_gate_loans(struct planning *planning, const struct object *object);

/* plan_drift.c: notes as held the drift of a running container that waits for its next start; `causes` are those of its
 * action. */
void plan_hold_drift(struct planning *planning, const struct object *object,
                     const struct observed_container *seen, const struct changes *causes);

/* plan_awaits.c. Before a container is planned that does not run: false when it was held, since what it awaits will not
 * complete, or come to be healthy. And what its action waits for; of a container that begins by it also the run. */
bool plan_gate_awaited(struct planning *planning, const struct object *object);
void plan_await(struct planning *planning, struct action *action);

/* plan_limits.c: one of the gates; and where the file of a limited layer can grow while it is mounted, it does. */
bool plan_gate_limits(struct planning *planning, const struct object *object, const struct entry *entry);
/* What the container's action asks of limits and will not get the way it may be meant. */
void plan_limits_hint(struct planning *planning, struct action *action, const struct entry *entry);
void plan_grow_live(struct planning *planning, const struct object *object, struct changes *causes);

/* plan_order.c: puts deletes in their places among the changes, and lets wait who must. */
void plan_order(struct planning *planning);

/* plan_handover.c: the part of it about layers that change hands. */
void plan_handovers(struct planning *planning);

/* plan_leases.c: what is leased anew. */
void plan_leases(struct planning *planning);

/* plan_warnings.c: says what of the host is not as the objects of the actions would have it. */
void plan_warnings(struct planning *planning);

/* plan_hints.c: says where `was` may have been meant. */
void plan_hints(struct planning *planning);

/* plan_shared.c: what many objects share is written once a run, for the actions that change it. */
void plan_rules(struct planning *planning);
void plan_resolvers(struct planning *planning);
