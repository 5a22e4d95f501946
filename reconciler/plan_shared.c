/* The part of a plan that belongs to no single object: rules, and the names of networks. */
#include <string.h>

#include "lib/index.h"
#include "reconciler/builders.h"
#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"

static void keep_until_gone(struct planning *planning, struct list *into, const struct list *from,
                            const struct table *table)
{
    const struct index there =
        index_make_pointers(planning->arena, into->items, into->count, table->rows[0].offset);
    void **all = arena_array_of(planning->arena, void *, into->count + from->count + 1);
    size_t count = into->count;
    if (count)
        memcpy(all, into->items, count * sizeof(*all));
    for (size_t i = 0; i < from->count; i++)
        if (!index_find(&there, item_key(table, from->items[i])))
            all[count++] = from->items[i];
    *into = (struct list){.items = all, .count = count};
}

static bool is_named(const struct texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

/* Whether the container runs after this, as far as a plan can say. */
static bool will_run(struct planning *planning, const struct object *object)
{
    const struct action *action = plan_action_of(planning, KIND_CONTAINER, object->name);
    const struct entry *entry = actual_find(planning->request->actual, KIND_CONTAINER, object->name);
    if (is_named(&planning->request->stops, object->name))
        return false;
    if (is_named(&planning->request->starts, object->name))
        return true;
    if (action && (action->verb == VERB_CREATE || action->verb == VERB_START || action->verb == VERB_RESTART))
        return true;
    if ((action && action->verb == VERB_STOP) || (entry && entry->record->stopped_by))
        return false;
    return (action && action->verb == VERB_RECREATE) ||
           container_is_up(world_container(
               planning->request->world, object_lxc_name(planning->request->paths, planning->arena, object)));
}

static const char *set_of(const struct object *object)
{
    const struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
    return body && body->ports.count ? body->set : NULL;
}

/* A set of which nobody runs keeps its forwards, as a container that does not run keeps its own. */
static void find_resting(struct planning *planning)
{
    _cleanup_map_ struct map running = {0}, sets = {0};
    const struct object_set *all = &planning->plan->all;
    for (size_t i = 0; i < all->count; i++)
        if (set_of(all->items[i]) && will_run(planning, all->items[i])) {
            map_add(&running, all->items[i]->name, all->items[i]);
            map_add(&sets, set_of(all->items[i]), all->items[i]);
        }
    for (size_t i = 0; i < all->count; i++)
        if (set_of(all->items[i]) && map_get(&sets, set_of(all->items[i])) &&
            !map_get(&running, all->items[i]->name))
            map_add(&planning->resting, all->items[i]->name, all->items[i]);
    planning->target.resting = &planning->resting;
}

/* Shares that another hand changed read as no address: they do not fit together any more. */
static bool is_dealt(const struct texts *shared)
{
    for (size_t i = 0; i < shared->count; i++)
        if (strchr(shared->items[i], ' '))
            return false;
    return true;
}

/* The first forward of a set that leads to others than it is to; NULL. */
static const struct rule_forward *moved_share(const struct rules *wanted, const struct world *world)
{
    for (size_t i = 0; i < wanted->forwards.count; i++) {
        const struct rule_forward *forward = wanted->forwards.items[i];
        const struct rule_forward *seen = world_forward(world, forward->listen);
        if (seen && seen->shared.count != forward->shared.count && is_dealt(&seen->shared))
            return forward;
    }
    return NULL;
}

/* Lines of "ADDRESS NAME ALIAS...". */
static bool hosts_have(const char *hosts, const char *address)
{
    const size_t length = address ? strlen(address) : 0;
    for (const char *line = length ? hosts : NULL; line;
         line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (strncmp(line, address, length) == 0 && line[length] == ' ')
            return true;
    return false;
}

/* What an earlier run wrote for a container that then was not made, or was let go of since: no other hand's doing. The
 * name; NULL. `names`: what the network's resolver knows; NULL: the rules. */
static const char *left_behind(const struct planning *planning, const char *network,
                               const struct observed_resolver *names)
{
    const struct snapshot *snapshot = planning->request->actual->snapshot;
    for (size_t i = 0; i < snapshot->lease_count; i++) {
        const struct lease *lease = snapshot->leases[i];
        if (strcmp(lease->kind, kind_name(KIND_CONTAINER)) != 0 ||
            (object_find(&planning->plan->all, KIND_CONTAINER, lease->name) &&
             !target_is_absent(&planning->target, lease->name)))
            continue;
        for (size_t j = 0; j < lease->addresses.count; j++) {
            const struct lease_address *address = lease->addresses.items[j];
            char port[PATHS_IFNAME_SIZE];
            paths_port(planning->request->paths, lease->name, address->network, port);
            if (names ? text_is_same(address->network, network) && hosts_have(names->hosts, address->address)
                      : world_has_guard(planning->request->world, port))
                return lease->name;
        }
    }
    return NULL;
}

static void add_left_behind(struct planning *planning, struct action *action, const char *what,
                            const char *container, struct place at)
{
    plan_add_cause(
        planning, &action->causes, what, NULL,
        arena_printf(planning->arena, "those of container %s, which is not on record, go", container), at);
}

/* Why rules change that no action of the plan changes. */
static void explain_rules(struct planning *planning, struct action *action, struct place at)
{
    const struct plan *plan = planning->plan;
    const struct observed_network *seen = &planning->request->world->network;
    const struct rule_forward *moved = moved_share(plan->rules_last, planning->request->world);
    const char *left = left_behind(planning, NULL, NULL);
    if (left)
        add_left_behind(planning, action, "rules", left, at);
    else if (moved) /* no drift: nobody is to be told that it is contested */
        plan_add_cause(planning, &action->causes, arena_printf(planning->arena, "forward %s", moved->listen),
                       NULL, "others of its set run now", at);
    else if (seen->flows_left && rules_equal(plan->rules_first, seen->rules))
        plan_add_drift(planning, &action->causes, "what the rules led before goes on", at);
    else
        plan_add_drift(planning, &action->causes, "rules were changed by another hand", at);
}

/* While deletes are outstanding, what they use stays allowed; a forward never outlives its line. */
void plan_rules(struct planning *planning)
{
    struct plan *plan = planning->plan;
    const struct observed_network *seen = &planning->request->world->network;
    find_resting(planning);
    plan->rules_first = target_rules(&planning->target);
    const bool builds = builders_leave(planning);
    plan->rules_last = builds ? target_rules(&planning->target)
                              : arena_copy(planning->arena, plan->rules_first, sizeof(*plan->rules_first));
    bool any = plan->all.count > 0;
    if (planning->gone_count) {
        keep_until_gone(planning, &plan->rules_first->networks, &seen->rules->networks, &rule_network_table);
        keep_until_gone(planning, &plan->rules_first->guards, &seen->rules->guards, &rule_guard_table);
    }
    bool present = seen->rules_present;
    plan->rules_change_first =
        (any && (plan->rules_last->networks.count || plan->rules_last->guards.count) && !present) ||
        !rules_equal(plan->rules_first, seen->rules) || (any && present && seen->flows_left);
    plan->rules_change_last =
        (builds || planning->gone_count) && (!rules_equal(plan->rules_first, plan->rules_last) ||
                                             (seen->flows_left && !plan->rules_change_first));
    if (!plan->rules_change_first)
        return;
    bool explained = builds || planning->gone_count > 0;
    for (size_t i = 0; i < plan->count; i++)
        explained = explained || plan->actions[i]->shares_rules;
    if (!explained && planning->request->narrowed) {
        plan->rules_change_first = false; /* nobody asked */
        return;
    }
    for (size_t i = 0; i < plan->all.count && !explained; i++) {
        struct object *object = plan->all.items[i];
        if (object->kind != KIND_NETWORK)
            continue;
        struct entry *entry = actual_find(planning->request->actual, KIND_NETWORK, object->name);
        struct action *action = plan_append_action(
            planning, plan_make_action(planning, VERB_REPAIR, KIND_NETWORK, object->name, object, entry));
        explain_rules(planning, action, object->place);
        action->shares_rules = explained = true;
    }
}

/* Whether what a network's resolver knows changes with this action. */
static bool moves_names(const struct action *action, const char *network)
{
    bool moves = action->verb == VERB_CREATE || action->verb == VERB_DELETE || action->verb == VERB_RENAME ||
                 action->verb == VERB_RECREATE || action->verb == VERB_ADOPT ||
                 plan_field_changed(&action->causes, "networks") ||
                 plan_field_changed(&action->causes, PLAN_DEFAULT_ROUTE);
    return moves && action->kind == KIND_CONTAINER &&
           ((action->object && plan_uses(action->object, KIND_NETWORK, network)) ||
            (action->entry && plan_uses(&action->entry->object, KIND_NETWORK, network)));
}

/* Whether a resolver for several networks that belongs to this one changes with another of them. */
static bool moves_union(const struct planning *planning, const struct action *action, const char *network)
{
    if (action->kind != KIND_NETWORK || strcmp(action->name, network) == 0 ||
        !plan_field_changed(&action->causes, "isolated"))
        return false;
    char bridge[PATHS_IFNAME_SIZE];
    paths_bridge(planning->request->paths, action->name, bridge);
    const struct list unions = target_resolver(&planning->target, network)->unions;
    for (size_t i = 0; i < unions.count; i++)
        if (texts_have(&((const struct resolver_union *)unions.items[i])->bridges, bridge))
            return true;
    return false;
}

static bool names_move(const struct planning *planning, const char *network)
{
    for (size_t i = 0; i < planning->plan->count; i++)
        if (moves_names(planning->plan->actions[i], network) ||
            moves_union(planning, planning->plan->actions[i], network))
            return true;
    for (size_t i = 0; i < planning->gone_count; i++)
        if (moves_names(planning->gone[i], network))
            return true;
    return false;
}

/* Names that no action changes must be as they were written. */
void plan_resolvers(struct planning *planning)
{
    struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->all.count; i++) {
        const struct object *network = plan->all.items[i];
        if (network->kind != KIND_NETWORK || network_is_attached(network->body))
            continue;
        if (names_move(planning, network->name)) {
            *arena_append(planning->arena, plan->resolvers, plan->resolver_count) = network->name;
            continue;
        }
        const bool passed_by = planning->request->narrowed &&
                               !object_find(planning->request->desired, KIND_NETWORK, network->name);
        const char *trouble = passed_by || plan_action_of(planning, KIND_NETWORK, network->name)
                                  ? NULL
                                  : names_trouble(&planning->target, planning->request->world, network->name);
        if (!trouble)
            continue;
        struct entry *entry = actual_find(planning->request->actual, KIND_NETWORK, network->name);
        struct action *action = plan_append_action(
            planning, plan_make_action(planning, VERB_REPAIR, KIND_NETWORK, network->name, network, entry));
        char bridge[PATHS_IFNAME_SIZE];
        paths_bridge(planning->request->paths, network->name, bridge);
        const char *left =
            left_behind(planning, network->name, world_resolver(planning->request->world, bridge));
        if (left)
            add_left_behind(planning, action, "names", left, network->place);
        else
            plan_add_drift(planning, &action->causes, trouble, network->place);
    }
}
