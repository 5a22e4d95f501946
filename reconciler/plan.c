/* From desired, recorded and observed to actions: building them, what goes, whose source an object is, and the whole
 * run. What each kind needs stands in plan_objects.c and plan_container.c. */
#include "reconciler/plan.h"

#include <errno.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "reconciler/builders.h"
#include "reconciler/contest.h"
#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"

const char *verb_name(enum verb verb)
{
    static const char *const names[] = {"create",  "update", "restart", "recreate", "start",    "stop",
                                        "repair",  "retain", "delete",  "forget",   "snapshot", "reset",
                                        "restore", "adopt",  "rename",  "expand",   "build",    "fetch"};
    return names[verb];
}

bool verb_is_of_data(enum verb verb)
{
    return verb == VERB_SNAPSHOT || verb == VERB_RESET || verb == VERB_RESTORE;
}

char *action_text(struct arena *arena, const struct action *action)
{
    return arena_printf(arena, "%s %s %s", verb_name(action->verb), kind_name(action->kind), action->name);
}

/* ---- actions ---- */

struct action *plan_make_action(struct planning *planning, enum verb verb, enum kind kind, const char *name,
                                const struct object *object, struct entry *entry)
{
    char id[OBJECT_ID_SIZE];
    struct action *action = arena_new_of(planning->arena, struct action);
    *action = (struct action){
        .id = arena_join(planning->arena, verb_name(verb), ' ', object_id(kind, name, id)),
        .kind = kind,
        .name = name,
        .verb = verb,
        .class = verb == VERB_RESTART || verb == VERB_START      ? CLASS_RESTART
                 : verb == VERB_RECREATE || verb == VERB_BUILD   ? CLASS_RECREATE
                 : verb == VERB_RENAME && kind == KIND_CONTAINER ? CLASS_RECREATE
                 : verb == VERB_RETAIN || verb == VERB_FORGET    ? CLASS_RECORD
                                                                 : CLASS_LIVE,
        .object = object,
        .entry = entry,
        .uid = entry ? entry->record->uid : NULL,
        .generation = entry ? entry->record->generation : 0,
        .was = plan_was(planning, kind, name),
    };
    map_add(&planning->by_object, id, action);
    return action;
}

struct action *plan_append_action(struct planning *planning, struct action *action)
{
    *arena_append(planning->arena, planning->plan->actions, planning->plan->count) = action;
    return action;
}

void plan_add_cause(struct planning *planning, struct changes *causes, const char *field, const char *old,
                    const char *new, struct place at)
{
    struct change *cause = arena_append(planning->arena, causes->items, causes->count);
    *cause = (struct change){.field = field, .old = old, .new = new, .at = at, .class = CLASS_LIVE};
}

void plan_add_drift(struct planning *planning, struct changes *causes, const char *what, struct place at)
{
    plan_add_cause(planning, causes, arena_printf(planning->arena, "drift: %s", what), NULL, NULL, at);
}

void plan_need(struct planning *planning, struct action *action, struct action *needed)
{
    if (!needed || needed == action)
        return;
    for (size_t i = 0; i < action->need_count; i++)
        if (action->needs[i] == needed)
            return;
    *arena_append(planning->arena, action->needs, action->need_count) = needed;
}

struct action *plan_action_of(struct planning *planning, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    return name ? map_get(&planning->by_object, object_id(kind, name, id)) : NULL;
}

void plan_hold(struct planning *planning, enum kind kind, const char *name, const char *reason,
               const char *hint, struct place at)
{
    struct held *held = arena_append(planning->arena, planning->plan->held, planning->plan->held_count);
    *held = (struct held){.kind = kind, .name = name, .reason = reason, .hint = hint, .at = at};
    char id[OBJECT_ID_SIZE];
    map_add(&planning->held, object_id(kind, name, id), planning);
}

const char *plan_was(const struct planning *planning, enum kind kind, const char *name)
{
    const struct rename *rename = renames_to(planning->request->renames, kind, name);
    return rename && !rename->conflict ? rename->from : NULL;
}

void plan_add_was(struct planning *planning, struct action *action)
{
    const struct rename *rename = renames_to(planning->request->renames, action->kind, action->name);
    if (action->was)
        plan_add_cause(planning, &action->causes, "was", rename->from, rename->to, rename->at);
}

static void hold_conflicts(struct planning *planning)
{
    const struct renames *renames = planning->request->renames;
    for (size_t i = 0; renames && i < renames->count; i++) {
        const struct rename *rename = &renames->items[i];
        const bool own_layer = rename->kind == KIND_LAYER && renames_to(renames, KIND_CONTAINER, rename->to);
        if (rename->conflict && !own_layer)
            plan_hold(planning, rename->kind, rename->to,
                      arena_printf(planning->arena, "it cannot take over from %s: %s", rename->from,
                                   rename->conflict),
                      rename->hint, rename->at);
    }
}

static void hold_failed(struct planning *planning)
{
    const struct texts *failed = &planning->request->failed;
    for (size_t i = 0; i < failed->count; i++) {
        map_add(&planning->failed, failed->items[i], planning);
        map_add(&planning->held, failed->items[i], planning);
    }
}

bool plan_hold_after_failed(struct planning *planning, const struct object *object)
{
    const struct list *needed = &((const struct container *)object->body)->depends_on;
    for (size_t i = 0; i < needed->count && planning->failed.count; i++) {
        char id[OBJECT_ID_SIZE];
        const char *name = ((const struct dependency *)needed->items[i])->container;
        if (!map_get(&planning->failed, object_id(KIND_CONTAINER, name, id)))
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "it needs container %s, which failed", name), NULL,
                  object->place);
        map_add(&planning->failed, object_id(KIND_CONTAINER, object->name, id), planning);
        return true;
    }
    return false;
}

bool plan_is_blocked(const struct planning *planning, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    if (planning->failed.count && map_get(&planning->failed, object_id(kind, name, id)))
        return true;
    const struct rename *rename = renames_to(planning->request->renames, kind, name);
    return rename && rename->conflict;
}

/* What waits to be renamed stays. */
static bool is_awaited(const struct planning *planning, const struct entry *entry)
{
    return renames_from(planning->request->renames, entry->kind, entry->name);
}

/* Why something is made: it is new, or an earlier run did not finish making it. */
const char *plan_why_new(const struct object *object, const struct entry *entry)
{
    return entry && !entry->facts->context ? "unfinished" : object->implicit ? "needed" : "declared";
}

bool plan_acts_on(const struct plan *plan, const struct entry *entry)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->entry == entry)
            return true;
    return false;
}

bool plan_is_new(const struct entry *entry)
{
    return !entry || entry_is_unfinished(entry);
}

bool plan_is_held(const struct planning *planning, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    return planning->held.count && map_get(&planning->held, object_id(kind, name, id));
}

/* ---- what goes ---- */

static bool is_own_source(const struct plan_request *request, const char *source, bool pruning)
{
    for (size_t i = 0; i < request->source_count; i++)
        if (text_is_same(request->sources[i].name, source) && (!pruning || request->sources[i].prunes))
            return true;
    return false;
}

static const char *set_of(const struct entry *entry)
{
    return entry->kind == KIND_CONTAINER ? ((const struct container *)entry->object.body)->set : NULL;
}

/* SEMANTICS 6: what the guard counts, a set of replicas once. */
static bool counts_as_one(struct map *sets, const struct entry *entry)
{
    if (entry->object.implicit || entry->kind == KIND_IMAGE)
        return false;
    return !set_of(entry) || map_add(sets, set_of(entry), (void *)entry);
}

/* The highest numbers go first: a set whose first member stays is there still. */
static bool is_scaled_down(const struct planning *planning, const struct entry *entry)
{
    return set_of(entry) && object_find(planning->request->desired, KIND_CONTAINER,
                                        arena_printf(planning->arena, "%s-1", set_of(entry)));
}

/* An implicit network belongs to whoever uses it, whatever source brought it in first. */
static bool is_needed_only(const struct entry *entry)
{
    return entry->object.implicit && entry->kind == KIND_NETWORK;
}

/* By what another source last applied, though nothing on record uses it: that waits to be made. */
static bool is_claimed(const struct plan_request *request, const struct entry *entry)
{
    const struct snapshot *snapshot = request->actual->snapshot;
    for (size_t i = 0; i < snapshot->source_count && is_needed_only(entry); i++)
        if (!is_own_source(request, snapshot->sources[i]->name, true) &&
            texts_have(&snapshot->sources[i]->networks, entry->name))
            return true;
    return false;
}

/* By somebody of whom it is not known yet whether it goes on under another name: it is asked again in this run. */
static bool is_stood_on_still(const struct planning *planning, const struct entry *image)
{
    const struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->count && image->kind == KIND_IMAGE; i++)
        if (plan->actions[i]->verb == VERB_EXPAND && plan->actions[i]->entry &&
            plan_uses(&plan->actions[i]->entry->object, KIND_IMAGE, image->name))
            return true;
    return false;
}

static void plan_removal(struct planning *planning, struct entry *entry)
{
    if (is_stood_on_still(planning, entry))
        return;
    const struct object *user = plan_user_of(planning, entry->kind, entry->name);
    if (user && !entry->object.implicit) {
        plan_hold(planning, entry->kind, entry->name,
                  arena_printf(planning->arena, "it is declared no more, but %s %s of %s still uses it",
                               kind_name(user->kind), user->name,
                               user->source ? user->source : "another source"),
                  "remove its user first", entry->object.place);
        return;
    }
    if (user || is_claimed(planning->request, entry))
        return;
    bool data = entry->kind == KIND_VOLUME || entry->kind == KIND_LAYER;
    enum verb verb = data && !entry_is_thrown_away(entry) ? VERB_RETAIN
                     : entry->kind == KIND_IMAGE          ? VERB_FORGET
                                                          : VERB_DELETE;
    if (entry->kind == KIND_LAYER && entry->object.implicit)
        return; /* retained with its container */
    struct action *action = plan_make_action(planning, verb, entry->kind, entry->name, NULL, entry);
    plan_add_cause(planning, &action->causes, entry->object.implicit ? "needed no more" : "declared no more",
                   NULL, NULL, entry->object.place);
    action->shares_rules = false;
    *arena_append(planning->arena, planning->gone, planning->gone_count) = action;
    planning->plan->removals += !is_scaled_down(planning, entry) && counts_as_one(&planning->removed, entry);
}

/* ---- contested drift ---- */

/* Takes out the actions whose `dropped` is set, and who waited for one waits no more. */
static void drop_actions(struct plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct action *action = plan->actions[i];
        if (action->dropped)
            continue;
        plan->actions[kept++] = action;
        size_t needs = 0;
        for (size_t j = 0; j < action->need_count; j++)
            if (!action->needs[j]->dropped)
                action->needs[needs++] = action->needs[j];
        action->need_count = needs;
    }
    plan->count = kept;
}

static void hold_contested(struct planning *planning)
{
    struct plan *plan = planning->plan;
    for (size_t i = planning->request->contested_at ? plan->count : 0; i-- > 0;) {
        struct action *action = plan->actions[i];
        const char *drift = action->entry && contest_is_drift(&action->causes)
                                ? contest_find(&action->entry->facts->repairs, &action->causes,
                                               planning->request->contested_at)
                                : NULL;
        if (!drift)
            continue;
        plan_hold(planning, action->kind, action->name,
                  arena_printf(planning->arena,
                               "contested: \"%s\" came back after three repairs within 10 minutes", drift),
                  "find out who changes it; fpsync apply by hand repairs it once more",
                  action->causes.items[0].at);
        action->dropped = true;
    }
    drop_actions(plan);
}

/* ---- the whole ---- */

static void add_used(struct planning *planning)
{
    bool *taken = planning->taken;
    const struct actual *actual = planning->request->actual;
    struct object_set *all = &planning->plan->all;
    bool more;
    do { /* a layer that is used uses its image */
        more = false;
        for (size_t i = 0; i < actual->count; i++) {
            struct entry *entry = &actual->items[i];
            if (taken[i] || !plan_user_of(planning, entry->kind, entry->name))
                continue;
            *arena_append(planning->arena, all->items, all->count) = &entry->object;
            plan_add_user(planning, &entry->object);
            taken[i] = more = true;
        }
    } while (more);
    map_clear(&planning->users); /* its answers were good for being there, not for being the first */
}

/* With what is used by it, in order, and with what each holds by its name. */
static void complete_all(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    struct plan *plan = planning->plan;
    add_used(planning);
    object_set_sort(&plan->all);
    object_set_index(&plan->all, planning->arena);
    leases_grant(&plan->all, request->actual, request->renames, request->world, request->lease_rules,
                 planning->arena, &plan->grants);
    builders_drop_denied(planning);
}

/* Desired, what others (or a run that does not prune) leave in place, and what any of these still uses. */
static void collect_all(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    struct object_set *all = &planning->plan->all;
    bool *taken = planning->taken = arena_array_of(planning->arena, bool, request->actual->count + 1);
    for (size_t i = 0; i < request->desired->count; i++)
        *arena_append(planning->arena, all->items, all->count) = request->desired->items[i];
    for (size_t i = 0; i < request->actual->count; i++) {
        struct entry *entry = &request->actual->items[i];
        taken[i] = entry_is_retained(entry) || planning->declared[i];
        const bool stays = is_needed_only(entry) ? is_claimed(request, entry)
                                                 : !is_own_source(request, entry->record->source, true) ||
                                                       is_awaited(planning, entry);
        if (taken[i] || !stays)
            continue;
        *arena_append(planning->arena, all->items, all->count) = &entry->object;
        taken[i] = true;
    }
    builders_enter(planning);
    complete_all(planning);
}

/* A network that nobody declared is made for who comes up in this run. */
static void withdraw_needless(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct object *object = all->items[i];
        struct action *action =
            object->implicit ? plan_action_of(planning, KIND_NETWORK, object->name) : NULL;
        if (object->kind == KIND_NETWORK && action && action->verb == VERB_CREATE &&
            !plan_user_of(planning, KIND_NETWORK, object->name))
            action->dropped = true;
        else
            all->items[kept++] = object;
    }
    all->count = kept;
    map_clear(&planning->users);
    drop_actions(planning->plan);
}

/* What is held back stays as it is recorded, or out: its new ports and names must not become rules, and what it uses must
 * not go. */
static void withdraw_held(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    size_t kept = 0;
    if (!planning->held.count)
        return;
    for (size_t i = 0; i < all->count; i++) {
        struct object *object = all->items[i];
        struct entry *entry = actual_find(planning->request->actual, object->kind, object->name);
        bool back = plan_is_held(planning, object->kind, object->name) &&
                    (!plan_action_of(planning, object->kind, object->name) ||
                     (object->kind == KIND_CONTAINER && plan_stands(planning, object->name)));
        if (builder_is(object) && plan_is_held(planning, KIND_IMAGE, builder_image(planning->arena, object)))
            continue;
        if (!back)
            all->items[kept++] = object;
        else if (!plan_is_new(entry))
            all->items[kept++] = &entry->object;
    }
    all->count = kept;
    withdraw_needless(planning);
    complete_all(planning);
}

static void find_absent(struct planning *planning)
{
    struct plan *plan = planning->plan;
    for (size_t i = 0; i < plan->all.count; i++) {
        struct object *object = plan->all.items[i];
        const struct action *action = plan_action_of(planning, object->kind, object->name);
        if (object->kind == KIND_CONTAINER && !builder_is(object) &&
            (!action || action->verb == VERB_EXPAND) &&
            !actual_find(planning->request->actual, KIND_CONTAINER, object->name))
            *arena_append(planning->arena, plan->absent.items, plan->absent.count) = object;
    }
    object_set_index(&plan->absent, planning->arena);
    planning->target.absent = &plan->absent;
}

static bool is_gone(const struct plan_request *request, const char *source)
{
    for (size_t i = 0; i < request->gone_sources.count; i++)
        if (text_is_same(request->gone_sources.items[i], source))
            return true;
    return false;
}

static bool changes_source(const struct object *object, const struct entry *entry)
{
    return entry && !entry_is_retained(entry) && !object->implicit && !entry->object.implicit &&
           !text_is_same(object->source, entry->record->source);
}

/* SEMANTICS 3: by itself where the old source's path is gone, else by --take-over; without it check_sources() has
 * seen to a refusal. Where nothing else happens to the object it is a matter of the record alone. */
static void plan_moves(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    for (size_t i = 0; i < request->desired->count; i++) {
        const struct object *object = request->desired->items[i];
        struct entry *entry = planning->recorded[i];
        if (!changes_source(object, entry))
            continue;
        struct action *action = plan_action_of(planning, object->kind, object->name);
        if (!action && plan_is_held(planning, object->kind, object->name))
            continue;
        if (!action) {
            action = plan_append_action(
                planning, plan_make_action(planning, VERB_UPDATE, object->kind, object->name, object, entry));
            action->class = CLASS_RECORD;
        }
        plan_add_cause(planning, &action->causes, "source", entry->record->source, object->source,
                       object->place);
    }
}

/* Both are in order of kind and name. */
static void pair_up(struct planning *planning)
{
    const struct object_set *desired = planning->request->desired;
    const struct actual *actual = planning->request->actual;
    planning->recorded = arena_array_of(planning->arena, struct entry *, desired->count + 1);
    planning->declared = arena_array_of(planning->arena, struct object *, actual->count + 1);
    for (size_t i = 0, j = 0; i < desired->count && j < actual->count;) {
        struct object *object = desired->items[i], *other = &actual->items[j].object;
        int order = object_compare(object, other);
        if (order == 0) {
            planning->recorded[i] = &actual->items[j];
            planning->declared[j] = object;
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static void check_sources(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    for (size_t i = 0; i < request->desired->count && !planning->plan->moved; i++) {
        const struct object *object = request->desired->items[i];
        const struct entry *entry = planning->recorded[i];
        if (!changes_source(object, entry) || is_own_source(request, entry->record->source, false) ||
            is_gone(request, entry->record->source))
            continue;
        planning->plan->moved =
            arena_printf(planning->arena, "%s %s is declared at %s:%u and belongs to source %s (%s:%u)",
                         kind_name(object->kind), object->name, object->place.file, object->place.line,
                         entry->record->source, entry->object.place.file ? entry->object.place.file : "?",
                         entry->object.place.line);
    }
}

static bool is_looked_after(const struct plan_request *request, const struct object *object)
{
    return !request->narrowed || object_find(request->desired, object->kind, object->name);
}

/* What is built has a network for its RUN, and stands on what is fetched. */
enum part { PART_FETCHED, PART_NETWORKS, PART_BUILT, PART_DATA, PARTS };

static enum part part_of(const struct object *object)
{
    return object->kind == KIND_NETWORK   ? PART_NETWORKS
           : object->kind != KIND_IMAGE   ? PART_DATA
           : image_is_built(object->body) ? PART_BUILT
                                          : PART_FETCHED;
}

static void plan_part(struct planning *planning, enum part part)
{
    const struct plan_request *request = planning->request;
    for (size_t i = 0; i < planning->plan->all.count; i++) {
        const struct object *object = planning->plan->all.items[i];
        if (object->kind == KIND_CONTAINER)
            break; /* the last kind */
        struct entry *entry = actual_find(request->actual, object->kind, object->name);
        const bool declared = object_find(request->desired, object->kind, object->name);
        if (part_of(object) != part || plan_is_blocked(planning, object->kind, object->name))
            continue;
        if (object->kind == KIND_NETWORK && is_looked_after(request, object))
            plan_network(planning, object, entry);
        else if (object->kind == KIND_IMAGE && declared)
            plan_image(planning, object, entry);
        else if (object->kind != KIND_NETWORK && declared)
            plan_data(planning, object, entry);
    }
}

void plan_make(const struct plan_request *request, struct arena *arena, struct plan *plan)
{
    *plan = (struct plan){0};
    struct planning planning = {.request = request, .arena = arena, .plan = plan};
    planning.rules_lost = !request->world->network.rules_present;
    pair_up(&planning);
    plan->renames = request->renames;
    check_sources(&planning);
    hold_conflicts(&planning);
    hold_failed(&planning);
    collect_all(&planning);
    planning.target = (struct target){.paths = request->paths,
                                      .arena = arena,
                                      .all = &plan->all,
                                      .grants = &plan->grants,
                                      .renames = request->renames,
                                      .world = request->world};
    for (enum part part = 0; part < PARTS; part++)
        plan_part(&planning, part);
    _cleanup_map_ struct map done = {0};
    for (size_t i = 0; i < request->desired->count; i++)
        if (request->desired->items[i]->kind == KIND_CONTAINER)
            plan_containers_in_order(&planning, request->desired->items[i], &done);
    plan_waves(&planning);
    plan_moves(&planning);
    withdraw_held(&planning);
    find_absent(&planning);
    for (size_t i = 0; i < request->actual->count && !request->narrowed; i++) {
        struct entry *entry = &request->actual->items[i];
        if (entry_is_retained(entry) ||
            (!is_needed_only(entry) && !is_own_source(request, entry->record->source, true)))
            continue;
        plan->recorded += counts_as_one(&planning.counted, entry);
        if (!planning.declared[i] && !is_awaited(&planning, entry) &&
            !plan_is_blocked(&planning, entry->kind, entry->name))
            plan_removal(&planning, entry);
    }
    plan_rules(&planning);
    plan_resolvers(&planning);
    hold_contested(&planning);
    plan_order(&planning);
    plan_leases(&planning);
    map_clear(&planning.by_object);
    map_clear(&planning.held);
    map_clear(&planning.failed);
    map_clear(&planning.standing);
    map_clear(&planning.resting);
    map_clear(&planning.counted);
    map_clear(&planning.removed);
    map_clear(&planning.users);
}
