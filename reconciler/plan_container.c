/* Plans containers: what changed, what drifted, whether it should run, and which verb brings it there. */
#include <string.h>

#include "lib/digest.h"
#include "reconciler/ended.h"
#include "reconciler/forwards.h"
#include "reconciler/keyed.h"
#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"
#include "reconciler/routes.h"

bool plan_field_changed(const struct changes *causes, const char *field)
{
    size_t length = strlen(field);
    for (size_t i = 0; i < causes->count; i++)
        if (strncmp(causes->items[i].field, field, length) == 0 &&
            (causes->items[i].field[length] == '.' || !causes->items[i].field[length]))
            return true;
    return false;
}

/* SEMANTICS 21: what an exit means under the policy. */
static bool exit_is_final(const struct container *body, const struct entry *entry,
                          const struct observed_container *seen)
{
    int64_t status;
    if (strcmp(body->restart, "never") == 0)
        return true;
    return strcmp(body->restart, "on-failure") == 0 && container_ended(entry, seen, &status) && status == 0;
}

static void add_rule_drift(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct container *body = object->body;
    const struct world *world = planning->request->world;
    if (planning->rules_lost)
        return; /* said once, by the networks */
    for (size_t i = 0; i < body->networks.count && !plan_field_changed(causes, "networks"); i++) {
        char port[PATHS_IFNAME_SIZE];
        const char *network = ((struct attachment *)body->networks.items[i])->network;
        paths_port(planning->request->paths, object->name, network, port);
        if (!target_is_macvlan(&planning->target, network) && !world_has_guard(world, port))
            plan_add_drift(planning, causes, arena_printf(planning->arena, "guard of %s removed", port),
                           object->place);
    }
    const struct routes routes = {.arena = planning->arena, .target = &planning->target};
    const bool has6 = body->ports.count && routes_lead_in6(&routes, object->name, body);
    for (size_t i = 0; i < body->ports.count && !plan_field_changed(causes, "ports"); i++) {
        const struct port *port = body->ports.items[i];
        if (body->networks.count && !forwards_stand(planning->arena, port, has6, world))
            plan_add_drift(planning, causes,
                           arena_printf(planning->arena, "forward %s removed", port->listen), object->place);
    }
}

bool plan_config_differs(const struct target *target, const struct object *object, const struct entry *entry,
                         const struct observed_container *seen)
{
    if (!seen || !seen->defined ||
        !keyed_is_same(entry->key, entry->facts->config_digest, seen->config_digest))
        return true;
    struct container_definition *definition =
        target_definition(target, object, entry->record->uid, entry->record->generation);
    _cleanup_buffer_ struct buffer encoded = {0};
    fields_encode(&container_definition_table, definition, &encoded);
    char digest[DIGEST_TEXT_SIZE];
    digest_of(encoded.bytes, encoded.length, digest);
    return !keyed_is_same(entry->key, entry->facts->definition_digest, digest);
}

/* A value as the file has it may stand in quotes. */
static bool is_said(const char *said, const char *address)
{
    size_t length = strlen(address);
    return said && (*said == '"' ? strncmp(said + 1, address, length) == 0 && said[1 + length] == '"'
                                 : strcmp(said, address) == 0);
}

/* Every address that moves, whatever else changes: it may be another network's doing, or another container's. What was
 * taken out of the file goes on as a lease, or moves as one. */
static void explain_address(struct planning *planning, const struct object *object, const char *network,
                            const char *member, const char *old, const char *new, struct changes *causes)
{
    const char *field = arena_printf(planning->arena, "networks.%s.%s", network, member);
    struct change *said = NULL;
    for (size_t i = 0; i < causes->count; i++)
        if (strcmp(causes->items[i].field, field) == 0)
            said = &causes->items[i];
    if (text_is_same(old, new) || (said && new &&is_said(said->new, new)))
        return;
    if (said && old && new && !said->new)
        said->old = old, said->new = new;
    else if (!said || new)
        plan_add_cause(planning, causes, field, old, new, object->place);
}

static void explain_leases(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct lease *now = grants_find(&planning->plan->grants, KIND_CONTAINER, object->name);
    const struct lease *was =
        lease_recorded(planning->request->actual->snapshot, KIND_CONTAINER, object->name);
    for (size_t i = 0; was && i < now->addresses.count; i++) {
        const struct lease_address *fresh = now->addresses.items[i];
        const struct lease_address *old = lease_in(was, fresh->network);
        if (!old || old->index < 0 || fresh->index < 0)
            continue;
        explain_address(planning, object, fresh->network, "address6", old->address6, fresh->address6, causes);
        explain_address(planning, object, fresh->network, "address", old->address, fresh->address, causes);
    }
}

static void explain_way_out(struct planning *planning, const struct object *object, const struct entry *entry,
                            bool of6, struct changes *causes)
{
    const struct routes now = {.arena = planning->arena, .target = &planning->target, .of6 = of6};
    const struct routes before = {.arena = planning->arena, .actual = planning->request->actual, .of6 = of6};
    const struct way_out is = routes_way_out(&now, object->name, object->body),
                         was = routes_way_out(&before, object->name, entry->object.body);
    if (!text_is_same(is.network, was.network) || !text_is_same(is.gateway, was.gateway))
        plan_add_cause(planning, causes, PLAN_DEFAULT_ROUTE, routes_print(planning->arena, was),
                       routes_print(planning->arena, is), object->place);
}

/* What moves it may stand in the container's own fields or in a network's. */
static void explain_default_route(struct planning *planning, const struct object *object,
                                  const struct entry *entry, struct changes *causes)
{
    if (!planning->networks_change || plan_field_changed(causes, "networks"))
        return;
    explain_way_out(planning, object, entry, false, causes);
    explain_way_out(planning, object, entry, true, causes);
}

struct container_case { /* all that one container's planning looks at */
    const struct object *object;
    struct entry *entry;
    const struct observed_container *seen;
    const char *lxc_name;
    struct changes asked; /* what the spec changes */
    bool runs, wanted;    /* is up; should be up */
    struct follow follow;
    const char *was; /* the name that it goes on from; NULL */
};

static void add_live_drift(struct planning *planning, const struct container_case *of, struct changes *causes)
{
    struct repairs repairs = {0};
    repairs_of_container(&planning->target, planning->request->world, of->object, of->seen,
                         of->entry->record->uid, &repairs);
    for (size_t i = 0; i < repairs.count; i++)
        if (repairs.items[i].drift && !plan_field_changed(causes, repairs.items[i].field) &&
            !(strcmp(repairs.items[i].field, "networks") == 0 &&
              plan_field_changed(causes, PLAN_DEFAULT_ROUTE)))
            plan_add_drift(planning, causes, repairs.items[i].drift, of->object->place);
    plan_hold_drift(planning, of->object, of->seen, causes);
}

/* As it is under its old name; where a run that was cut off took that away already, as it was left under the new one. */
static void see_old(struct planning *planning, struct container_case *of)
{
    const struct observed_container *old = world_container(
        planning->request->world, paths_lxc_name(planning->request->paths, planning->arena, of->was));
    if (!old && of->seen && of->seen->ours)
        return;
    of->seen = old;
    of->runs = container_is_up(old);
}

static bool changes_root(const struct container_case *of)
{
    return root_is_copy(of->object->body) != root_is_copy(of->entry->object.body);
}

/* A copy has no upper that a layer could go on with (compile.c, add_other_root()). */
static void explain_empty_layer(struct planning *planning, const struct container_case *of,
                                struct action *action)
{
    if (changes_root(of) && !root_is_copy(of->object->body))
        plan_add_cause(
            planning, &action->causes, "data", NULL,
            arena_printf(planning->arena,
                         "the layer begins empty; what the copy holds is kept as its snapshot %s",
                         root_kept_as(planning->arena, of->object->body, of->entry->record->generation + 1)),
            of->object->place);
}

/* Under its old name it ends, under the new one it begins; what it looks like now is of no account. */
static struct action *plan_renamed_container(struct planning *planning, const struct container_case *of)
{
    struct action *action =
        plan_make_action(planning, VERB_RENAME, KIND_CONTAINER, of->object->name, of->object, of->entry);
    plan_add_was(planning, action);
    fields_diff(&container_table, of->entry->object.body, of->object->body, planning->arena, &action->causes);
    explain_leases(planning, of->object, &action->causes);
    action->config_changed = true;
    action->rests = !of->wanted;
    if (!action->rests)
        explain_empty_layer(planning, of, action);
    return action;
}

/* A network that goes on under another name, or becomes one of another kind, is elsewhere: the NICs move over. */
static void explain_moved_networks(struct planning *planning, const struct object *object,
                                   struct changes *causes)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct attachment *attachment = body->networks.items[i];
        const char *was = plan_was(planning, KIND_NETWORK, attachment->network), *old, *new;
        if (plan_changes_nature(planning, attachment->network, &old, &new))
            plan_add_cause(planning, causes,
                           arena_printf(planning->arena, "networks.%s", attachment->network), old, new,
                           attachment->described.place);
        if (was)
            plan_add_cause(planning, causes,
                           arena_printf(planning->arena, "networks.%s", attachment->network), was,
                           attachment->network, attachment->described.place);
    }
}

static enum verb verb_of(const struct container_case *of, enum field_class class, size_t changes)
{
    if (of->runs && !of->wanted)
        return VERB_STOP;
    if (!of->runs && !of->wanted) /* a person's stop outlives edits */
        return changes ? VERB_UPDATE : VERB_REPAIR;
    if (class == CLASS_RECREATE)
        return VERB_RECREATE;
    if (class == CLASS_RESTART && of->runs)
        return VERB_RESTART;
    if (!of->runs && of->wanted)
        return VERB_START;
    return changes ? VERB_UPDATE : VERB_REPAIR;
}

/* A record that was made again does not know what a config was written from. While nothing is asked for that is no reason
 * to replace the words of its owner. */
static bool keeps_words(const struct container_case *of, size_t changes)
{
    return container_is_adopted(of->object->body) && !changes && !of->entry->facts->definition_digest &&
           of->seen && text_is_same(of->seen->config_digest, of->entry->facts->config_digest);
}

/* Of who does not run, and did not end by itself: another hand's, or what a run of ours began and could not bring to its
 * end. */
static const char *why_down(struct planning *planning, const struct entry *entry)
{
    static const enum verb stopping[] = {VERB_RESTART,  VERB_RECREATE, VERB_RENAME,
                                         VERB_SNAPSHOT, VERB_RESET,    VERB_RESTORE};
    for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
        if (entry_intends(planning->request->actual, entry, verb_name(stopping[i])))
            return arena_printf(planning->arena, "stopped for the %s that failed", verb_name(stopping[i]));
    return "killed";
}

static struct action *plan_known_container(struct planning *planning, const struct container_case *of)
{
    struct changes causes = of->asked;
    explain_leases(planning, of->object, &causes);
    explain_moved_networks(planning, of->object, &causes);
    bool follows = of->wanted && follow_moves(&of->follow);
    if (follows)
        plan_follow_cause(planning, of->object, &of->follow, &causes);
    explain_default_route(planning, of->object, of->entry, &causes);
    enum field_class class = changes_class(&causes);
    size_t changes = causes.count;
    bool defined = of->seen && of->seen->defined;
    bool unfinished = entry_has_intent(planning->request->actual, of->entry);
    if (!defined)
        plan_add_drift(planning, &causes, "its LXC config was removed", of->object->place);
    else if (!unfinished && /* else it may be what that run wrote, and is written anew */
             !keyed_is_same(of->entry->key, of->entry->facts->config_digest, of->seen->config_digest))
        plan_add_drift(planning, &causes, "its LXC config was edited", of->object->place);
    add_rule_drift(planning, of->object, &causes);
    if (of->runs)
        add_live_drift(planning, of, &causes);
    if (!of->runs && of->wanted) {
        bool stopped = text_is_same(of->entry->record->phase, "stopped");
        int64_t status;
        const char *how = container_ended(of->entry, of->seen, &status)
                              ? arena_printf(planning->arena, "exited with status %d", (int)status)
                              : why_down(planning, of->entry);
        if (!stopped)
            plan_add_drift(planning, &causes, how, of->object->place);
        else
            plan_add_cause(planning, &causes, "started", "stopped", NULL, of->object->place);
    }
    if (of->runs && !of->wanted)
        plan_add_drift(planning, &causes, "started although it is stopped", of->object->place);
    if (unfinished && !causes.count)
        plan_add_cause(planning, &causes, "unfinished", NULL, NULL, of->object->place);
    if (!causes.count)
        return NULL;
    struct action *action = plan_make_action(planning, verb_of(of, class, changes), KIND_CONTAINER,
                                             of->object->name, of->object, of->entry);
    action->causes = causes;
    action->unfinished = unfinished;
    action->follow = of->follow;
    action->only_follows = follows && causes.count == 1;
    action->config_changed = unfinished || changes_root(of) ||
                             (!keeps_words(of, changes) &&
                              plan_config_differs(&planning->target, of->object, of->entry, of->seen));
    if (!action->config_changed && action->verb == VERB_UPDATE && changes_class(&causes) == CLASS_RECORD)
        action->class = CLASS_RECORD;
    if (action->verb == VERB_RECREATE)
        explain_empty_layer(planning, of, action);
    return action;
}

/* What a new volume is filled from has to be known before the first mounts it. */
static void need_what_fills(struct planning *planning, struct action *action, const char *volume)
{
    const struct action *made = plan_action_of(planning, KIND_VOLUME, volume);
    if (!made || made->verb != VERB_CREATE)
        return;
    const struct fill_sources sources = fills_of(&planning->target, &planning->fills, volume);
    for (size_t i = 0; i < sources.count; i++)
        plan_need(planning, action,
                  plan_action_of(planning, KIND_IMAGE,
                                 target_image(&planning->target, sources.items[i].container)));
}

static void need_what_it_uses(struct planning *planning, struct action *action)
{
    const struct container *body = action->object->body;
    plan_need(planning, action,
              plan_action_of(planning, KIND_IMAGE, target_image(&planning->target, action->object)));
    struct action *layer = plan_action_of(planning, KIND_LAYER, body->layer);
    if (layer && layer->was) /* it is renamed while the container is down */
        plan_need(planning, layer, action);
    else
        plan_need(planning, action, layer);
    for (size_t i = 0; i < body->networks.count; i++)
        plan_need(
            planning, action,
            plan_action_of(planning, KIND_NETWORK, ((struct attachment *)body->networks.items[i])->network));
    for (size_t i = 0; i < body->volumes.count; i++) {
        const char *volume = ((struct mount *)body->volumes.items[i])->volume;
        plan_need(planning, action, plan_action_of(planning, KIND_VOLUME, volume));
        need_what_fills(planning, action, volume);
    }
    for (size_t i = 0; i < body->depends_on.count; i++)
        plan_need(planning, action,
                  plan_action_of(planning, KIND_CONTAINER,
                                 ((struct dependency *)body->depends_on.items[i])->container));
}

/* Whose record the mark in it says: one that was adopted under another name has the place that this one would get. A copy
 * that lxc-copy made carries the mark, too, and is nobody's. */
static const struct entry *owner_of(const struct planning *planning, const struct container_case *of)
{
    const struct actual *actual = planning->request->actual;
    if (!of->seen || !of->seen->ours || of->was || !plan_is_new(of->entry))
        return NULL;
    for (size_t i = 0; i < actual->count; i++)
        if (actual->items[i].kind == KIND_CONTAINER && &actual->items[i] != of->entry &&
            text_is_same(actual->items[i].record->uid, of->seen->uid) &&
            text_is_same(object_lxc_name(planning->request->paths, planning->arena, &actual->items[i].object),
                         of->lxc_name))
            return &actual->items[i];
    return NULL;
}

/* What must not be touched stands in its place. */
static bool is_another(struct planning *planning, const struct container_case *of)
{
    const struct object *object = of->object;
    const struct entry *owner = owner_of(planning, of);
    if (owner)
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "the LXC container %s is that of container %s", of->lxc_name,
                               owner->name),
                  "let one of the two go: rename this one, or remove the other", object->place);
    return owner;
}

static const struct entry *recorded_layer(const struct planning *planning, const struct object *object)
{
    const char *layer = ((const struct container *)object->body)->layer;
    return layer ? actual_find(planning->request->actual, KIND_LAYER, layer) : NULL;
}

static void plan_container(struct planning *planning, const struct object *object, struct entry *entry)
{
    object = plan_let_stand(planning, object, entry);
    struct container_case of = {.object = object, .entry = entry};
    of.lxc_name = object_lxc_name(planning->request->paths, planning->arena, object);
    of.seen = world_container(planning->request->world, of.lxc_name);
    of.runs = container_is_up(of.seen);
    if (plan_is_blocked(planning, KIND_CONTAINER, object->name) || plan_hold_after_failed(planning, object))
        return;
    of.was = plan_was(planning, KIND_CONTAINER, object->name);
    bool adopted = container_is_adopted(object->body);
    if (of.seen && (of.seen->defined || of.seen->running) && !of.seen->ours && (!entry || of.was) &&
        !adopted) {
        plan_hold(
            planning, KIND_CONTAINER, object->name,
            arena_printf(planning->arena, "an LXC container %s exists that fpsync did not make", of.lxc_name),
            "rename one of the two; or fpsync export --lxc writes a spec of it, and fpsync adopt takes it "
            "over",
            object->place);
        return;
    }
    if (is_another(planning, &of) || !plan_gate_adopted(planning, object, entry))
        return;
    if (!(adopted && plan_is_new(entry)) && !plan_gates_open(planning, object, entry))
        return;
    struct action *action;
    if (!of.runs && !(adopted && plan_is_new(entry)) && !(entry && entry->record->stopped_by) &&
        !plan_gate_awaited(planning, object))
        return;
    if (!plan_stands(planning, object->name))
        of.follow = plan_follow(planning, object);
    if (adopted && plan_is_new(entry)) {
        action = plan_adoption(planning, object, entry, of.seen, of.lxc_name);
    } else if (plan_is_new(entry)) {
        action = plan_make_action(planning, VERB_CREATE, KIND_CONTAINER, object->name, object, entry);
        plan_add_cause(planning, &action->causes, plan_why_new(object, entry), NULL,
                       target_image(&planning->target, object), object->place);
        plan_add_inherited(planning, action);
        plan_add_was(planning, action);
        action->config_changed = true;
        action->follow = of.follow;
        const struct entry *layer =
            actual_find(planning->request->actual, KIND_LAYER, ((struct container *)object->body)->layer);
        if (follow_moves(&of.follow))
            plan_follow_cause(planning, object, &of.follow, &action->causes);
        if (layer && layer->left && layer->object.implicit)
            plan_add_cause(planning, &action->causes, "layer", NULL, layer->left, object->place);
        if (!entry && of.seen && of.seen->ours) { /* what an interrupted run made */
            action->uid = of.seen->uid;
            action->generation = of.seen->generation;
        }
    } else {
        if (of.was)
            see_old(planning, &of);
        fields_diff(&container_table, entry->object.body, object->body, planning->arena, &of.asked);
        plan_grow_live(planning, object, &of.asked);
        plan_same_image(planning, recorded_layer(planning, object), target_image(&planning->target, object),
                        &of.asked);
        bool ended = !of.runs && (of.seen || !of.was) && exit_is_final(object->body, entry, of.seen) &&
                     changes_class(&of.asked) < CLASS_RESTART && !follow_moves(&of.follow);
        of.wanted = !entry->record->stopped_by && !ended;
        action = of.was ? plan_renamed_container(planning, &of) : plan_known_container(planning, &of);
    }
    if (!action)
        return;
    if (plan_expand(planning, action)) {
        plan_append_action(planning, action);
        return;
    }
    action->shares_rules = true;
    plan_limits_hint(planning, action, entry);
    plan_append_action(planning, action);
    need_what_it_uses(planning, action);
    plan_await(planning, action);
}

/* Containers in the order of what they depend on; the loader has refused cycles. */
void plan_containers_in_order(struct planning *planning, const struct object *object, struct map *done)
{
    if (!map_add(done, object->name, (void *)object))
        return;
    const struct container *body = object->body;
    for (size_t i = 0; i < body->depends_on.count; i++) {
        const struct object *other = object_find(planning->request->desired, KIND_CONTAINER,
                                                 ((struct dependency *)body->depends_on.items[i])->container);
        if (other)
            plan_containers_in_order(planning, other, done);
    }
    plan_container(planning, object, actual_find(planning->request->actual, KIND_CONTAINER, object->name));
}
