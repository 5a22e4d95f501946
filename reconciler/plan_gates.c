/* What must be so before anything happens to a container: each gate holds it back with a reason, or lets it through. All
 * of them are asked, so that one run tells all that there is to mend. */
#include <string.h>

#include "reconciler/forwards.h"
#include "reconciler/permission.h"
#include "reconciler/plan_internal.h"
#include "reconciler/routes.h"

static void need_held(struct planning *planning, const struct object *object, enum kind kind,
                      const char *name)
{
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "it needs %s %s, which is held", kind_name(kind), name), NULL,
              object->place);
}

static bool networks_are_there(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    bool fine = true;
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *network = ((struct attachment *)body->networks.items[i])->network;
        if (!plan_is_held(planning, KIND_NETWORK, network) || plan_action_of(planning, KIND_NETWORK, network))
            continue;
        need_held(planning, object, KIND_NETWORK, network);
        fine = false;
    }
    return fine;
}

/* A volume that cannot become larger now is as good as before. */
static bool serves(const struct planning *planning, enum kind kind, const char *name)
{
    for (size_t i = 0; i < planning->plan->held_count; i++) {
        const struct held *held = &planning->plan->held[i];
        if (held->kind == kind && text_is_same(held->name, name) && !held->serves)
            return false;
    }
    return true;
}

static bool data_is_there(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    bool fine = !plan_is_blocked(planning, KIND_LAYER, body->layer);
    if (!fine)
        need_held(planning, object, KIND_LAYER, body->layer);
    for (size_t i = 0; i < body->volumes.count; i++) {
        const char *volume = ((struct mount *)body->volumes.items[i])->volume;
        if (!plan_is_held(planning, KIND_VOLUME, volume) || serves(planning, KIND_VOLUME, volume))
            continue;
        need_held(planning, object, KIND_VOLUME, volume);
        fine = false;
    }
    return fine;
}

/* SEMANTICS 40: what root has to permit first. */
static bool is_permitted(struct planning *planning, const struct object *object)
{
    const struct plan_request *request = planning->request;
    struct refusal refusal;
    if (!request->policy ||
        !permission_is_refused(request->policy, request->paths, object, planning->arena, &refusal))
        return true;
    plan_hold(planning, KIND_CONTAINER, object->name, refusal.reason, refusal.hint, refusal.at);
    return false;
}

/* Recorded objects stand in for declared ones where there is no file to ask. */
static bool values_are_kept(struct planning *planning, const struct object *object)
{
    const char *lost = object_lost_value(object, planning->arena);
    if (!lost)
        return true;
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "the value of %s is not kept any more", lost),
              "fpsync apply with the file that declares it brings it back", object->place);
    return false;
}

static bool has_port_of(const struct container *body, const struct observed_listener *listener, bool has6)
{
    for (size_t i = 0; i < body->ports.count; i++)
        if (listener_meets(listener, body->ports.items[i], has6))
            return true;
    return false;
}

/* Ports that the recorded container has already are not checked again: whoever listens there came later, and
 * taking the forward away would be the greater surprise. */
static const struct observed_listener *listener_in_way(const struct world *world, const struct port *port,
                                                       bool has6, const struct container *before, bool had6)
{
    for (size_t i = 0; i < world->network.listener_count; i++) {
        const struct observed_listener *listener = &world->network.listeners[i];
        if (listener_meets(listener, port, has6) && (!before || !has_port_of(before, listener, had6)))
            return listener;
    }
    return NULL;
}

/* Nor are those that are on record asked about whose rules lead them elsewhere. */
static bool ports_are_unclaimed(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    bool fine = true;
    for (size_t i = 0; i < body->ports.count; i++) {
        const struct port *port = body->ports.items[i];
        const char *rule = port->take ? NULL : world_claim(planning->request->world, port);
        if (!rule)
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "port %s: %s leads it elsewhere", port->listen, rule),
                  "choose another host port, take that rule away, or say take: true", port->described.place);
        fine = false;
    }
    return fine;
}

static bool ports_are_free(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct container *body = object->body;
    const struct container *before = entry ? entry->object.body : NULL;
    const struct routes routes = {.arena = planning->arena, .target = &planning->target};
    const struct routes recorded = {.arena = planning->arena, .actual = planning->request->actual};
    const bool has6 = body->ports.count && routes_lead_in6(&routes, object->name, body);
    const bool had6 = body->ports.count && before && routes_lead_in6(&recorded, object->name, before);
    bool fine = true;
    for (size_t i = 0; i < body->ports.count; i++) {
        const struct port *port = body->ports.items[i];
        const struct observed_listener *listener =
            port->take ? NULL : listener_in_way(planning->request->world, port, has6, before, had6);
        if (!listener)
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "port %s: %s listens there on the host", port->listen,
                               listener->process ? listener->process : "a process"),
                  "choose another host port, stop that process, or say take: true", port->described.place);
        struct held *held = &planning->plan->held[planning->plan->held_count - 1];
        held->port = port->listen;
        held->listener = listener;
        fine = false;
    }
    return fine;
}

/* What was retained is picked up as what it is, a layer or a copy: SEMANTICS 9. */
static bool left_layer_fits(struct planning *planning, const struct object *object, const struct entry *layer)
{
    const char *type =
        world_layer_type(planning->request->world, target_layer_file(&planning->target, object));
    bool copy = root_is_copy(object->body);
    if (!layer || !layer->left || !type || copy == (strcmp(type, "copy") == 0))
        return true;
    plan_hold(
        planning, KIND_CONTAINER, object->name,
        arena_printf(planning->arena, "what is %s is %s", layer->left,
                     copy ? "a layer, and its root is to be a copy"
                          : "a copy, and its root is to be a layer"),
        arena_printf(planning->arena, "root: %s, or throw it away: fpsync gc layer/%s", type, layer->name),
        object->place);
    return false;
}

/* An upper belongs on the image it was made on, whatever its name is by now: SEMANTICS 9. What is made in this run will
 * tell its bytes, and this is asked again. */
static bool layer_fits(struct planning *planning, const struct object *object)
{
    const struct container *body = object->body;
    if (container_is_adopted(body))
        return true;
    const char *layer = body->layer ? body->layer : object->name;
    const struct entry *entry = actual_find(planning->request->actual, KIND_LAYER, layer);
    const char *image = target_image(&planning->target, object);
    const struct object *wanted = object_find(planning->request->desired, KIND_LAYER, layer);
    bool thrown_away = wanted && text_is_same(((struct layer *)wanted->body)->retain, "none");
    if (thrown_away)
        return true;
    if (!left_layer_fits(planning, object, entry))
        return false;
    if (!layer_of_other_image(planning->request->actual, object, image) ||
        plan_stands_on(planning, entry, image) || plan_awaits_image(planning, object))
        return true;
    const char *made_on = ((struct layer *)entry->object.body)->image;
    plan_hold(
        planning, KIND_CONTAINER, object->name,
        arena_printf(planning->arena, "its layer %s was made on image %s, not on %s", layer, made_on, image),
        "fresh: true begins with an empty one and keeps the old one as a snapshot", object->place);
    return false;
}

static bool layer_is_there(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct plan_request *request = planning->request;
    const char *layer =
        layer_lost(request->actual, object, entry,
                   world_has_layer(request->world, target_layer_file(&planning->target, object)));
    if (!layer)
        return true;
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "the data of its layer %s is gone from the store", layer),
              arena_printf(planning->arena,
                           "fpsync restore --from FILE brings back a backup; fpsync reset %s begins anew",
                           object->name),
              object->place);
    return false;
}

static bool has_files(const struct planning *planning, const char *image)
{
    const struct entry *entry = actual_find(planning->request->actual, KIND_IMAGE, image);
    return entry && world_has_image(planning->request->world, entry->facts->digest);
}

const char *plan_image_lacks(struct planning *planning, const char *image, const char **hint)
{
    const struct entry *entry = actual_find(planning->request->actual, KIND_IMAGE, image);
    *hint = NULL;
    if (plan_action_of(planning, KIND_IMAGE, image) || plan_is_held(planning, KIND_IMAGE, image) ||
        plan_is_blocked(planning, KIND_IMAGE, image))
        return NULL;
    if (has_files(planning, image))
        return NULL;
    if (entry)
        *hint = arena_printf(planning->arena, "%s declares it: an apply of that makes it",
                             entry->object.place.file ? entry->object.place.file : entry->record->source);
    return entry && entry->facts->digest ? "its files are gone from the store" : "it was never made";
}

/* What is held, or what another source has not made, does not come in this run. */
static bool image_is_there(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const char *image = target_image(&planning->target, object), *hint;
    const bool is_new = image && plan_is_new(entry) && !container_is_adopted(object->body);
    if (image && plan_is_held(planning, KIND_IMAGE, image) && !plan_stands(planning, object->name) &&
        (plan_awaits_image(planning, object) || (is_new && !has_files(planning, image)))) {
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "its image %s is held", image), NULL, object->place);
        return false;
    }
    const char *lacks = is_new ? plan_image_lacks(planning, image, &hint) : NULL;
    if (lacks)
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "its image %s: %s", image, lacks), hint, object->place);
    return !lacks;
}

bool plan_gate_lease(struct planning *planning, const struct object *object)
{
    const char *denied = grants_denied(&planning->plan->grants, object->kind, object->name);
    if (denied)
        plan_hold(planning, object->kind, object->name, denied,
                  "take something out first; what is taken out in this run is free in the next",
                  object->place);
    return !denied;
}

bool plan_gates_open(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const bool open[] = {values_are_kept(planning, object),       is_permitted(planning, object),
                         plan_gate_loans(planning, object),       plan_gate_limits(planning, object, entry),
                         networks_are_there(planning, object),    data_is_there(planning, object),
                         layer_is_there(planning, object, entry), layer_fits(planning, object),
                         plan_gate_lease(planning, object),       ports_are_free(planning, object, entry),
                         ports_are_unclaimed(planning, object),   plan_gate_inherited(planning, object),
                         image_is_there(planning, object, entry)};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (!open[i])
            return false;
    return true;
}
