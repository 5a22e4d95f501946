/* From desired, recorded and observed to actions. Each kind has its planning function; what they share (building
 * actions, needs, causes) stands at the end. The order is SEMANTICS 5. */
#include "reconciler/plan.h"

#include <errno.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "reconciler/contest.h"
#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"

const char *verb_name(enum verb verb)
{
    static const char *const names[] = {"create", "update", "restart", "recreate", "start",
                                        "stop",   "repair", "retain",  "delete",   "forget"};
    return names[verb];
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
        .class = verb == VERB_RESTART || verb == VERB_START   ? CLASS_RESTART
                 : verb == VERB_RECREATE                      ? CLASS_RECREATE
                 : verb == VERB_RETAIN || verb == VERB_FORGET ? CLASS_RECORD
                                                              : CLASS_LIVE,
        .object = object,
        .entry = entry,
        .uid = entry ? entry->record->uid : NULL,
        .generation = entry ? entry->record->generation : 0,
    };
    map_add(&planning->by_object, id, action);
    return action;
}

struct action *plan_append_action(struct planning *planning, struct action *action)
{
    *arena_append(planning->arena, planning->plan->actions, planning->plan->count) = action;
    return action;
}

static void add_cause(struct planning *planning, struct changes *causes, const char *field, const char *old,
                      const char *new, struct place at)
{
    struct change *cause = arena_append(planning->arena, causes->items, causes->count);
    *cause = (struct change){.field = field, .old = old, .new = new, .at = at, .class = CLASS_LIVE};
}

void plan_add_drift(struct planning *planning, struct changes *causes, const char *what, struct place at)
{
    add_cause(planning, causes, arena_printf(planning->arena, "drift: %s", what), NULL, NULL, at);
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

static void hold(struct planning *planning, enum kind kind, const char *name, const char *reason,
                 const char *hint, struct place at)
{
    struct held *held = arena_append(planning->arena, planning->plan->held, planning->plan->held_count);
    *held = (struct held){.kind = kind, .name = name, .reason = reason, .hint = hint, .at = at};
}

/* Why something is made: it is new, or an earlier run did not finish making it. */
static const char *why_new(const struct object *object, const struct entry *entry)
{
    return entry ? "unfinished" : object->implicit ? "needed" : "declared";
}

static bool is_new(const struct entry *entry)
{
    return !entry || entry_is_unfinished(entry);
}

/* ---- images, volumes, layers ---- */

static void plan_image(struct planning *planning, const struct object *object, struct entry *entry)
{
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    if (is_new(entry)) {
        add_cause(planning, &causes, why_new(object, entry), NULL, ((struct image *)object->body)->source,
                  object->place);
    } else {
        verb = VERB_RECREATE;
        fields_diff(&image_table, entry->object.body, object->body, planning->arena, &causes);
        if (!causes.count && !world_has_image(planning->request->world, entry->facts->digest)) {
            verb = VERB_REPAIR;
            plan_add_drift(planning, &causes, "its files are gone from the store", object->place);
        }
    }
    if (causes.count)
        plan_append_action(planning,
                           plan_make_action(planning, verb, KIND_IMAGE, object->name, object, entry))
            ->causes = causes;
}

/* A retained record is picked up again by declaring the name: data and identity are its own. */
static void plan_data(struct planning *planning, const struct object *object, struct entry *entry)
{
    const struct world *world = planning->request->world;
    const char *file = paths_file_name(planning->arena, object->name);
    bool there = object->kind == KIND_VOLUME ? world_has_volume(world, file) : world_has_layer(world, file);
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    if (object->implicit && object->kind == KIND_LAYER)
        return; /* made and recorded with its container */
    if (is_new(entry))
        add_cause(planning, &causes, why_new(object, entry), NULL, NULL, object->place);
    else if (entry_is_retained(entry))
        add_cause(planning, &causes, "declared again", "retained", NULL, object->place);
    else if (!there) {
        verb = VERB_REPAIR;
        plan_add_drift(planning, &causes, "its data is gone from the store", object->place);
    } else {
        verb = VERB_UPDATE;
        fields_diff(kind_table(object->kind), entry->object.body, object->body, planning->arena, &causes);
    }
    if (causes.count)
        plan_append_action(planning,
                           plan_make_action(planning, verb, object->kind, object->name, object, entry))
            ->causes = causes;
}

/* ---- networks ---- */

/* Networks of ours were held against each other when the set was loaded; a subnet may change hands in one plan. */
static bool is_own_bridge(const struct planning *planning, const char *ifname)
{
    const struct observed_bridge *bridge = world_bridge(planning->request->world, ifname);
    return bridge && bridge->mark && strncmp(bridge->mark, "fpsync ", strlen("fpsync ")) == 0;
}

static const struct observed_route *clashing_route(struct planning *planning, const char *subnet,
                                                   const char *bridge)
{
    const struct observed_network *network = &planning->request->world->network;
    for (size_t i = 0; i < network->route_count; i++)
        if (!text_is_same(network->routes[i].ifname, bridge) &&
            !is_own_bridge(planning, network->routes[i].ifname) &&
            subnets_overlap(network->routes[i].subnet, subnet))
            return &network->routes[i];
    return NULL;
}

static void plan_network(struct planning *planning, const struct object *object, struct entry *entry)
{
    char ifname[PATHS_IFNAME_SIZE];
    paths_bridge(planning->request->paths, object->name, ifname);
    const struct observed_bridge *seen = world_bridge(planning->request->world, ifname);
    const char *subnet = target_subnet(&planning->target, object->name);
    bool ours = seen && seen->mark && strncmp(seen->mark, "fpsync ", strlen("fpsync ")) == 0;
    if (seen && !ours && !entry) { /* an unfinished record is the second witness of an unmarked bridge */
        hold(planning, KIND_NETWORK, object->name,
             arena_printf(planning->arena, "an interface %s exists that fpsync did not make", ifname),
             "rename or delete that interface", object->place);
        return;
    }
    const struct observed_route *route = clashing_route(planning, subnet, ifname);
    if (route && is_new(entry)) {
        hold(planning, KIND_NETWORK, object->name,
             arena_printf(planning->arena, "subnet %s overlaps the host's route %s by %s", subnet,
                          route->subnet, route->ifname),
             "choose another subnet", object->place);
        return;
    }
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    struct repairs repairs = {0};
    if (is_new(entry)) {
        add_cause(planning, &causes, why_new(object, entry), NULL, subnet, object->place);
    } else {
        fields_diff(&network_table, entry->object.body, object->body, planning->arena, &causes);
        verb = causes.count ? VERB_UPDATE : VERB_REPAIR;
        repairs_of_network(&planning->target, planning->request->world, object, entry->record->uid, &repairs);
        for (size_t i = 0; i < repairs.count && verb == VERB_REPAIR; i++)
            plan_add_drift(planning, &causes, repairs.items[i].drift, object->place);
        if (!list_find(&planning->request->world->network.rules->networks, &rule_network_table, ifname) ||
            planning->rules_lost)
            plan_add_drift(planning, &causes, "its rules are gone", object->place);
    }
    if (!causes.count && entry && entry_has_intent(planning->request->actual, entry))
        add_cause(planning, &causes, "unfinished", NULL, NULL, object->place);
    if (!causes.count)
        return;
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, verb, KIND_NETWORK, object->name, object, entry));
    action->causes = causes;
    action->shares_rules = true;
    if (!action->uid && ours) { /* what an interrupted run made: "fpsync UID NAME" */
        const char *uid = seen->mark + strlen("fpsync ");
        action->uid = arena_strndup(planning->arena, uid, strcspn(uid, " "));
    }
}

static bool is_held(const struct planning *planning, enum kind kind, const char *name)
{
    for (size_t i = 0; i < planning->plan->held_count; i++)
        if (planning->plan->held[i].kind == kind && strcmp(planning->plan->held[i].name, name) == 0)
            return true;
    return false;
}

/* ---- containers ---- */

static bool networks_are_there(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *network = ((struct attachment *)body->networks.items[i])->network;
        if (!is_held(planning, KIND_NETWORK, network) || plan_action_of(planning, KIND_NETWORK, network))
            continue;
        hold(planning, KIND_CONTAINER, object->name,
             arena_printf(planning->arena, "it needs network %s, which is held", network), NULL,
             object->place);
        return false;
    }
    return true;
}

/* SEMANTICS 40: what root has to permit first. */
static bool is_permitted(struct planning *planning, const struct object *object)
{
    const struct policy *policy = planning->request->policy;
    const struct container *body = object->body;
    if (!policy)
        return true;
    const struct {
        bool asked, allowed;
        const char *field, *key;
    } needs[] = {{body->privileged, policy->allow->privileged, "privileged: true", "privileged"},
                 {body->lxc.count, policy->allow->raw_lxc, "lxc", "raw_lxc"}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (!needs[i].asked || needs[i].allowed)
            continue;
        hold(planning, KIND_CONTAINER, object->name,
             arena_printf(planning->arena, "%s is not permitted on this host", needs[i].field),
             arena_printf(planning->arena, "write to %s: allow: { %s: true }", planning->request->paths->conf,
                          needs[i].key),
             object->place);
        return false;
    }
    return true;
}

/* Recorded objects stand in for declared ones where there is no file to ask. */
static bool values_are_kept(struct planning *planning, const struct object *object)
{
    const char *lost = object_lost_value(object, planning->arena);
    if (!lost)
        return true;
    hold(planning, KIND_CONTAINER, object->name,
         arena_printf(planning->arena, "the value of %s is not kept any more", lost),
         "fpsync apply with the file that declares it brings it back", object->place);
    return false;
}

/* Ports that the recorded container has already are not checked again: whoever listens there came later, and
 * taking the forward away would be the greater surprise. */
static bool ports_are_free(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct container *body = object->body;
    const struct container *before = entry ? entry->object.body : NULL;
    for (size_t i = 0; i < body->ports.count; i++) {
        const struct port *port = body->ports.items[i];
        const struct observed_listener *listener = world_listener(planning->request->world, port);
        if (!listener || (before && list_find(&before->ports, &port_table, port->listen)))
            continue;
        hold(planning, KIND_CONTAINER, object->name,
             arena_printf(planning->arena, "port %s: %s listens there on the host", port->listen,
                          listener->process ? listener->process : "a process"),
             "choose another host port, or stop that process", port->described.place);
        struct held *held = &planning->plan->held[planning->plan->held_count - 1];
        held->port = port->listen;
        held->listener = listener;
        return false;
    }
    return true;
}

/* An upper belongs on the image it was made on: SEMANTICS 9. */
static bool layer_fits(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    const char *layer = body->layer ? body->layer : object->name;
    const struct entry *entry = actual_find(planning->request->actual, KIND_LAYER, layer);
    const char *image = target_image(&planning->target, object);
    const char *made_on = entry ? ((struct layer *)entry->object.body)->image : NULL;
    if (!made_on || text_is_same(made_on, image))
        return true;
    hold(planning, KIND_CONTAINER, object->name,
         arena_printf(planning->arena, "its layer %s was made on image %s, not on %s", layer, made_on, image),
         arena_printf(planning->arena,
                      "name another layer for it, or throw the old one away: remove the container, then "
                      "fpsync gc layer/%s",
                      layer),
         object->place);
    return false;
}

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
static bool exit_is_final(const struct container *body, const struct observed_container *seen)
{
    bool clean = !seen || !seen->exited || seen->exit_status == 0;
    if (strcmp(body->restart, "never") == 0)
        return true;
    return strcmp(body->restart, "on-failure") == 0 && clean && seen && seen->exited;
}

static void add_rule_drift(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct container *body = object->body;
    const struct rules *seen = planning->request->world->network.rules;
    if (planning->rules_lost)
        return; /* said once, by the networks */
    for (size_t i = 0; i < body->networks.count && !plan_field_changed(causes, "networks"); i++) {
        char port[PATHS_IFNAME_SIZE];
        const char *network = ((struct attachment *)body->networks.items[i])->network;
        paths_port(planning->request->paths, object->name, network, port);
        if (!list_find(&seen->guards, &rule_guard_table, port))
            plan_add_drift(planning, causes, arena_printf(planning->arena, "guard of %s removed", port),
                           object->place);
    }
    for (size_t i = 0; i < body->ports.count && !plan_field_changed(causes, "ports"); i++) {
        const char *listen = ((struct port *)body->ports.items[i])->listen;
        if (body->networks.count && !list_find(&seen->forwards, &rule_forward_table, listen))
            plan_add_drift(planning, causes, arena_printf(planning->arena, "forward %s removed", listen),
                           object->place);
    }
}

bool plan_config_differs(const struct target *target, const struct object *object, const struct entry *entry,
                         const struct observed_container *seen)
{
    if (!seen || !seen->defined || !text_is_same(seen->config_digest, entry->facts->config_digest))
        return true;
    struct container_definition *definition =
        target_definition(target, object, entry->record->uid, entry->record->generation);
    _cleanup_buffer_ struct buffer encoded = {0};
    fields_encode(&container_definition_table, definition, &encoded);
    char digest[DIGEST_TEXT_SIZE];
    digest_of(encoded.bytes, encoded.length, digest);
    return !text_is_same(digest, entry->facts->definition_digest);
}

static void explain_leases(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct lease *now = grants_find(&planning->plan->grants, KIND_CONTAINER, object->name);
    const struct lease *was =
        lease_recorded(planning->request->actual->snapshot, KIND_CONTAINER, object->name);
    for (size_t i = 0; was && i < now->addresses.count; i++) {
        const struct lease_address *fresh = now->addresses.items[i];
        const struct lease_address *old = lease_in(was, fresh->network);
        if (old && old->index >= 0 && fresh->index >= 0 && !text_is_same(old->address, fresh->address) &&
            !plan_field_changed(causes, "networks"))
            add_cause(planning, causes, arena_printf(planning->arena, "networks.%s.address", fresh->network),
                      old->address, fresh->address, object->place);
    }
}

struct container_case { /* all that one container's planning looks at */
    const struct object *object;
    struct entry *entry;
    const struct observed_container *seen;
    const char *lxc_name;
    bool runs, wanted; /* is up; should be up */
};

static void add_live_drift(struct planning *planning, const struct container_case *of, struct changes *causes)
{
    struct repairs repairs = {0};
    repairs_of_container(&planning->target, planning->request->world, of->object, of->seen,
                         of->entry->record->uid, &repairs);
    for (size_t i = 0; i < repairs.count; i++)
        if (repairs.items[i].drift && !plan_field_changed(causes, repairs.items[i].field))
            plan_add_drift(planning, causes, repairs.items[i].drift, of->object->place);
    if (!world_root(planning->request->world, of->lxc_name))
        hold(planning, KIND_CONTAINER, of->object->name,
             "drift: its root was unmounted on the host while it runs",
             "it is put right at the container's next start: fpsync restart", of->object->place);
}

static enum verb verb_of(const struct container_case *of, enum field_class class, size_t changes)
{
    if (of->runs && !of->wanted)
        return VERB_STOP;
    if (class == CLASS_RECREATE)
        return VERB_RECREATE;
    if (class == CLASS_RESTART && of->runs)
        return VERB_RESTART;
    if (!of->runs && of->wanted)
        return VERB_START;
    return changes ? VERB_UPDATE : VERB_REPAIR;
}

static struct action *plan_known_container(struct planning *planning, const struct container_case *of)
{
    struct changes causes = {0};
    fields_diff(&container_table, of->entry->object.body, of->object->body, planning->arena, &causes);
    explain_leases(planning, of->object, &causes);
    enum field_class class = changes_class(&causes);
    size_t changes = causes.count;
    bool defined = of->seen && of->seen->defined;
    if (!defined)
        plan_add_drift(planning, &causes, "its LXC config was removed", of->object->place);
    else if (!text_is_same(of->seen->config_digest, of->entry->facts->config_digest))
        plan_add_drift(planning, &causes, "its LXC config was edited", of->object->place);
    add_rule_drift(planning, of->object, &causes);
    if (of->runs)
        add_live_drift(planning, of, &causes);
    if (!of->runs && of->wanted) {
        bool stopped = text_is_same(of->entry->record->phase, "stopped");
        const char *how =
            of->seen && of->seen->exited
                ? arena_printf(planning->arena, "exited with status %d", (int)of->seen->exit_status)
                : "killed";
        if (!stopped)
            plan_add_drift(planning, &causes, how, of->object->place);
        else
            add_cause(planning, &causes, "started", "stopped", NULL, of->object->place);
    }
    if (of->runs && !of->wanted)
        plan_add_drift(planning, &causes, "started although it is stopped", of->object->place);
    bool unfinished = entry_has_intent(planning->request->actual, of->entry);
    if (unfinished && !causes.count)
        add_cause(planning, &causes, "unfinished", NULL, NULL, of->object->place);
    if (!causes.count)
        return NULL;
    struct action *action = plan_make_action(planning, verb_of(of, class, changes), KIND_CONTAINER,
                                             of->object->name, of->object, of->entry);
    action->causes = causes;
    action->unfinished = unfinished;
    action->config_changed =
        unfinished || plan_config_differs(&planning->target, of->object, of->entry, of->seen);
    if (!action->config_changed && action->verb == VERB_UPDATE && changes_class(&causes) == CLASS_RECORD)
        action->class = CLASS_RECORD;
    return action;
}

static void need_what_it_uses(struct planning *planning, struct action *action)
{
    const struct container *body = action->object->body;
    plan_need(planning, action,
              plan_action_of(planning, KIND_IMAGE, target_image(&planning->target, action->object)));
    plan_need(planning, action, plan_action_of(planning, KIND_LAYER, body->layer));
    for (size_t i = 0; i < body->networks.count; i++)
        plan_need(
            planning, action,
            plan_action_of(planning, KIND_NETWORK, ((struct attachment *)body->networks.items[i])->network));
    for (size_t i = 0; i < body->volumes.count; i++)
        plan_need(planning, action,
                  plan_action_of(planning, KIND_VOLUME, ((struct mount *)body->volumes.items[i])->volume));
    for (size_t i = 0; i < body->depends_on.count; i++)
        plan_need(planning, action,
                  plan_action_of(planning, KIND_CONTAINER,
                                 ((struct dependency *)body->depends_on.items[i])->container));
}

static void plan_container(struct planning *planning, const struct object *object, struct entry *entry)
{
    struct container_case of = {.object = object, .entry = entry};
    of.lxc_name = paths_lxc_name(planning->request->paths, planning->arena, object->name);
    of.seen = world_container(planning->request->world, of.lxc_name);
    of.runs = container_is_up(of.seen);
    if (of.seen && (of.seen->defined || of.seen->running) && !of.seen->ours && !entry) {
        hold(
            planning, KIND_CONTAINER, object->name,
            arena_printf(planning->arena, "an LXC container %s exists that fpsync did not make", of.lxc_name),
            "rename one of the two", object->place);
        return;
    }
    if (!values_are_kept(planning, object) || !is_permitted(planning, object) ||
        !networks_are_there(planning, object) || !layer_fits(planning, object) ||
        !ports_are_free(planning, object, entry))
        return;
    struct action *action;
    if (is_new(entry)) {
        action = plan_make_action(planning, VERB_CREATE, KIND_CONTAINER, object->name, object, entry);
        add_cause(planning, &action->causes, why_new(object, entry), NULL,
                  target_image(&planning->target, object), object->place);
        action->config_changed = true;
        if (!entry && of.seen && of.seen->ours) { /* what an interrupted run made */
            action->uid = of.seen->uid;
            action->generation = of.seen->generation;
        }
    } else {
        struct changes changes = {0};
        fields_diff(&container_table, entry->object.body, object->body, planning->arena, &changes);
        bool ended =
            !of.runs && exit_is_final(object->body, of.seen) && changes_class(&changes) < CLASS_RESTART;
        of.wanted = !entry->record->stopped_by && !ended;
        action = plan_known_container(planning, &of);
    }
    if (!action)
        return;
    action->shares_rules = true;
    plan_append_action(planning, action);
    need_what_it_uses(planning, action);
}

/* Containers in the order of what they depend on; the loader has refused cycles. */
static void plan_containers_in_order(struct planning *planning, const struct object *object, struct map *done)
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

/* ---- what goes ---- */

static bool is_own_source(const struct plan_request *request, const char *source, bool pruning)
{
    for (size_t i = 0; i < request->source_count; i++)
        if (text_is_same(request->sources[i].name, source) && (!pruning || request->sources[i].prunes))
            return true;
    return false;
}

bool plan_uses(const struct object *user, enum kind kind, const char *name)
{
    const struct container *body = user->body;
    if (user->kind == KIND_LAYER)
        return kind == KIND_IMAGE && text_is_same(((const struct layer *)user->body)->image, name);
    if (user->kind != KIND_CONTAINER)
        return false;
    switch (kind) {
    case KIND_IMAGE:
        return text_is_same(body->image, name);
    case KIND_LAYER:
        return text_is_same(body->layer, name);
    case KIND_NETWORK:
        return list_find(&body->networks, &attachment_table, name);
    case KIND_VOLUME:
        for (size_t i = 0; i < body->volumes.count; i++)
            if (text_is_same(((struct mount *)body->volumes.items[i])->volume, name))
                return true;
        return false;
    default:
        return list_find(&body->depends_on, &dependency_table, name);
    }
}

static const struct object *user_of(const struct planning *planning, enum kind kind, const char *name)
{
    for (size_t i = 0; i < planning->plan->all.count; i++)
        if (plan_uses(planning->plan->all.items[i], kind, name))
            return planning->plan->all.items[i];
    return NULL;
}

static void plan_removal(struct planning *planning, struct entry *entry)
{
    const struct object *user = user_of(planning, entry->kind, entry->name);
    if (user && !entry->object.implicit) {
        hold(planning, entry->kind, entry->name,
             arena_printf(planning->arena, "it is declared no more, but %s %s of %s still uses it",
                          kind_name(user->kind), user->name, user->source ? user->source : "another source"),
             "remove its user first", entry->object.place);
        return;
    }
    if (user)
        return;
    bool data = entry->kind == KIND_VOLUME || entry->kind == KIND_LAYER;
    enum verb verb = data ? VERB_RETAIN : entry->kind == KIND_IMAGE ? VERB_FORGET : VERB_DELETE;
    if (entry->kind == KIND_LAYER && entry->object.implicit)
        return; /* retained with its container */
    struct action *action = plan_make_action(planning, verb, entry->kind, entry->name, NULL, entry);
    add_cause(planning, &action->causes, entry->object.implicit ? "needed no more" : "declared no more", NULL,
              NULL, entry->object.place);
    action->shares_rules = false;
    *arena_append(planning->arena, planning->gone, planning->gone_count) = action;
    if (!entry->object.implicit && entry->kind != KIND_IMAGE)
        planning->plan->removals++;
}

/* ---- contested drift ---- */

static void drop_action(struct planning *planning, const struct action *dropped)
{
    struct plan *plan = planning->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct action *action = plan->actions[i];
        if (action == dropped)
            continue;
        plan->actions[kept++] = action;
        size_t needs = 0;
        for (size_t j = 0; j < action->need_count; j++)
            if (action->needs[j] != dropped)
                action->needs[needs++] = action->needs[j];
        action->need_count = needs;
    }
    plan->count = kept;
}

static void hold_contested(struct planning *planning)
{
    struct plan *plan = planning->plan;
    for (size_t i = planning->request->contested_at ? plan->count : 0; i-- > 0;) {
        const struct action *action = plan->actions[i];
        const char *drift = action->entry && contest_is_drift(&action->causes)
                                ? contest_find(&action->entry->facts->repairs, &action->causes,
                                               planning->request->contested_at)
                                : NULL;
        if (!drift)
            continue;
        hold(planning, action->kind, action->name,
             arena_printf(planning->arena,
                          "contested: \"%s\" came back after three repairs within 10 minutes", drift),
             "find out who changes it; fpsync apply by hand repairs it once more",
             action->causes.items[0].at);
        drop_action(planning, action);
    }
}

/* ---- the whole ---- */

static int by_kind_and_name(const void *left, const void *right)
{
    const struct object *a = *(struct object *const *)left, *b = *(struct object *const *)right;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

/* An implicit network belongs to whoever uses it, whatever source brought it in first. */
static bool is_needed_only(const struct entry *entry)
{
    return entry->object.implicit && entry->kind == KIND_NETWORK;
}

static void add_used(struct planning *planning, bool *taken)
{
    const struct actual *actual = planning->request->actual;
    struct object_set *all = &planning->plan->all;
    size_t before;
    do { /* a layer that is used uses its image */
        before = all->count;
        for (size_t i = 0; i < actual->count; i++)
            if (!taken[i] && user_of(planning, actual->items[i].kind, actual->items[i].name)) {
                *arena_append(planning->arena, all->items, all->count) = &actual->items[i].object;
                taken[i] = true;
            }
    } while (all->count != before);
}

/* Desired, what others (or a run that does not prune) leave in place, and what any of these still uses. */
static void collect_all(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    struct object_set *all = &planning->plan->all;
    bool *taken = arena_array_of(planning->arena, bool, request->actual->count + 1);
    for (size_t i = 0; i < request->desired->count; i++)
        *arena_append(planning->arena, all->items, all->count) = request->desired->items[i];
    for (size_t i = 0; i < request->actual->count; i++) {
        struct entry *entry = &request->actual->items[i];
        taken[i] = entry_is_retained(entry) || object_find(request->desired, entry->kind, entry->name);
        if (taken[i] || is_needed_only(entry) || is_own_source(request, entry->record->source, true))
            continue;
        *arena_append(planning->arena, all->items, all->count) = &entry->object;
        taken[i] = true;
    }
    add_used(planning, taken);
    if (all->count)
        qsort(all->items, all->count, sizeof(*all->items), by_kind_and_name);
}

/* What is held back stays as it is recorded, or out: its new ports and names must not become rules. */
static void withdraw_held(struct planning *planning)
{
    struct object_set *all = &planning->plan->all;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct object *object = all->items[i];
        struct entry *entry = actual_find(planning->request->actual, object->kind, object->name);
        bool back = is_held(planning, object->kind, object->name) &&
                    !plan_action_of(planning, object->kind, object->name);
        if (!back)
            all->items[kept++] = object;
        else if (!is_new(entry))
            all->items[kept++] = &entry->object;
    }
    all->count = kept;
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
        struct entry *entry = actual_find(request->actual, object->kind, object->name);
        struct action *action = plan_action_of(planning, object->kind, object->name);
        if (!changes_source(object, entry) || (!action && is_held(planning, object->kind, object->name)))
            continue;
        if (!action) {
            action = plan_append_action(
                planning, plan_make_action(planning, VERB_UPDATE, object->kind, object->name, object, entry));
            action->class = CLASS_RECORD;
        }
        add_cause(planning, &action->causes, "source", entry->record->source, object->source, object->place);
    }
}

static void check_sources(struct planning *planning)
{
    const struct plan_request *request = planning->request;
    for (size_t i = 0; i < request->desired->count && !planning->plan->moved; i++) {
        const struct object *object = request->desired->items[i];
        const struct entry *entry = actual_find(request->actual, object->kind, object->name);
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

int plan_make(const struct plan_request *request, struct arena *arena, struct plan *plan, struct error *error)
{
    *plan = (struct plan){0};
    struct planning planning = {.request = request, .arena = arena, .plan = plan};
    planning.rules_lost = !request->world->network.rules_present;
    check_sources(&planning);
    collect_all(&planning);
    int result = leases_grant(&plan->all, request->actual, request->world, request->lease_rules, arena,
                              &plan->grants, error);
    if (result < 0)
        return result;
    planning.target =
        (struct target){.paths = request->paths, .arena = arena, .all = &plan->all, .grants = &plan->grants};
    for (size_t i = 0; i < plan->all.count; i++) {
        const struct object *object = plan->all.items[i];
        struct entry *entry = actual_find(request->actual, object->kind, object->name);
        if (object->kind == KIND_IMAGE && object_find(request->desired, KIND_IMAGE, object->name))
            plan_image(&planning, object, entry);
        else if (object->kind == KIND_NETWORK)
            plan_network(&planning, object, entry);
        else if ((object->kind == KIND_VOLUME || object->kind == KIND_LAYER) &&
                 object_find(request->desired, object->kind, object->name))
            plan_data(&planning, object, entry);
    }
    _cleanup_map_ struct map done = {0};
    for (size_t i = 0; i < request->desired->count; i++)
        if (request->desired->items[i]->kind == KIND_CONTAINER)
            plan_containers_in_order(&planning, request->desired->items[i], &done);
    plan_moves(&planning);
    for (size_t i = 0; i < request->actual->count; i++) {
        struct entry *entry = &request->actual->items[i];
        if (entry_is_retained(entry) ||
            (!is_needed_only(entry) && !is_own_source(request, entry->record->source, true)))
            continue;
        plan->recorded += !entry->object.implicit && entry->kind != KIND_IMAGE;
        if (!object_find(request->desired, entry->kind, entry->name))
            plan_removal(&planning, entry);
    }
    withdraw_held(&planning);
    plan_rules(&planning);
    plan_resolvers(&planning);
    hold_contested(&planning);
    plan_order(&planning);
    map_clear(&planning.by_object);
    return 0;
}
