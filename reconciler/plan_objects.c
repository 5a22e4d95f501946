/* Plans images, layers, volumes and networks, one function each. */
#include <string.h>

#include "reconciler/plan_internal.h"
#include "reconciler/repairs.h"

/* ---- images, volumes, layers ---- */

/* Whether what the image is made of may be asked for; else it is held. */
static bool source_is_at_hand(struct planning *planning, const struct object *object)
{
    const struct plan_request *request = planning->request;
    const struct image *image = object->body;
    const char *remote = remote_of_source(image->source, planning->arena), *reason = NULL, *hint = NULL;
    if (!remote && strncmp(image->source, "https:", 6) != 0 && strncmp(image->source, "oci:", 4) != 0)
        return true;
    if (remote && request->policy && !remote_find(request->policy, remote, planning->arena)) {
        reason = arena_printf(planning->arena, "no remote is called \"%s\"", remote);
        hint = remote_hint(request->policy, image->source, true, request->paths->conf, planning->arena);
    } else if (strcmp(image->pull, "never") == 0) {
        reason = "it is not in the store, and is never to be fetched (pull: never)";
    } else if (request->offline) {
        reason = "it is not in the store, and nothing is to be fetched (--offline)";
    }
    if (reason)
        plan_hold(planning, KIND_IMAGE, object->name, reason, hint, object->place);
    return !reason;
}

/* Changes that ask for no other bytes: also a pin of what was fetched. */
static bool is_record_only(const struct changes *causes, const struct image *image, const struct facts *facts)
{
    const size_t pin = image->digest ? strlen(image->digest) : 0,
                 known = facts->origin ? strlen(facts->origin) : 0;
    const bool met = !pin || (known >= pin && strcmp(facts->origin + known - pin, image->digest) == 0);
    for (size_t i = 0; i < causes->count; i++)
        if (causes->items[i].class != CLASS_RECORD && !(met && strcmp(causes->items[i].field, "digest") == 0))
            return false;
    return true;
}

/* "3f2a9b01c2d3" of an origin, or the version that it begins with. */
static const char *origin_brief(struct arena *arena, const char *origin)
{
    const char *digest = strstr(origin, "sha256:");
    return digest ? digest_brief(arena, digest + strlen("sha256:"))
                  : arena_strndup(arena, origin, strcspn(origin, " "));
}

/* SEMANTICS 12: the name stands for something else at its server by now. */
static void add_look(struct planning *planning, const struct object *object, const struct entry *entry,
                     struct changes *causes)
{
    const char *changed = world_image_changed(planning->request->world, object->name);
    if (!changed)
        return;
    const bool version = strncmp(changed, "v:", 2) == 0; /* says that it differs, and not what it is */
    const char *key = ((const struct image *)object->body)->follow ? "follow" : "pull";
    plan_add_cause(planning, causes, "at its server", origin_brief(planning->arena, entry->facts->origin),
                   version ? "another version" : origin_brief(planning->arena, changed),
                   field_place(&image_table, object->body, field_by_key(&image_table, key)));
}

static const char *asked_at(struct planning *planning, const char *words, struct place at)
{
    return arena_printf(planning->arena, "%s at %s:%u:%u", words, at.file, at.line, at.column);
}

void plan_image(struct planning *planning, const struct object *object, struct entry *entry)
{
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    if (plan_action_of(planning, KIND_IMAGE, object->name) ||
        plan_is_held(planning, KIND_IMAGE, object->name))
        return; /* it came before what is built on it */
    if (image_is_built(object->body)) {
        plan_build(planning, object, entry);
        return;
    }
    if (plan_is_new(entry)) {
        plan_add_cause(planning, &causes, plan_why_new(object, entry), NULL,
                       ((struct image *)object->body)->source, object->place);
    } else {
        fields_diff(&image_table, entry->object.body, object->body, planning->arena, &causes);
        add_look(planning, object, entry, &causes);
        verb = is_record_only(&causes, object->body, entry->facts) ? VERB_UPDATE : VERB_RECREATE;
        if (verb == VERB_UPDATE && !world_has_image(planning->request->world, entry->facts->digest)) {
            verb = VERB_REPAIR;
            plan_add_drift(planning, &causes, "its files are gone from the store", object->place);
        }
    }
    if (!causes.count || (verb != VERB_UPDATE && !source_is_at_hand(planning, object)))
        return;
    const struct build_base *asks =
        object->implicit ? builds_asks(planning->request->builds, object->name) : NULL;
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, verb, KIND_IMAGE, object->name, object, entry));
    if (asks) {
        plan_add_cause(planning, &causes, asks->asked, NULL, asks->why, asks->at);
        action->hint = asks->hint;
        action->asked = asked_at(planning, asks->asked, asks->at);
    } else {
        const struct place at = field_place(&image_table, object->body, field_by_key(&image_table, "source"));
        action->asked = at.line ? asked_at(planning, "source", at) : NULL;
    }
    action->causes = causes;
    if (verb == VERB_UPDATE)
        action->class = CLASS_RECORD;
}

/* What the store cannot be, and what was retained as something else (SEMANTICS 9). */
static bool volume_fits(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct observed_storage *store = &planning->request->world->storage;
    const struct volume *volume = object->body, *before = entry ? entry->object.body : NULL;
    const char *reason = NULL, *hint = NULL;
    if (strcmp(volume->type, "btrfs") == 0 && !store->on_btrfs) {
        reason = "it is of type btrfs, and the store is not on btrfs";
        hint = "leave type out, or mount a btrfs file system at the store";
    } else if (strcmp(volume->type, "btrfs") == 0 && volume->size && !store->has_quotas) {
        reason = "it has a size, and the store's btrfs has no quotas";
        hint = arena_printf(planning->arena, "btrfs quota enable %s", planning->request->paths->store);
    } else if (before && !plan_is_new(entry) && entry_is_retained(entry) &&
               (strcmp(volume->type, before->type) != 0 || (volume->size && volume->size < before->size))) {
        reason = arena_printf(planning->arena, "what is %s is of type %s%s", entry->left, before->type,
                              before->size ? " and larger" : "");
        hint = arena_printf(planning->arena, "declare it as it was, or throw it away: fpsync gc volume/%s",
                            object->name);
    }
    if (reason)
        plan_hold(planning, KIND_VOLUME, object->name, reason, hint, object->place);
    return !reason;
}

/* An upper belongs on the image it was made on (SEMANTICS 9): its record must not come to say another one. */
static bool layer_moves(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const char *image = object->kind == KIND_LAYER ? ((const struct layer *)object->body)->image : NULL;
    const char *made_on =
        image && !plan_is_new(entry) ? ((const struct layer *)entry->object.body)->image : NULL;
    if (!made_on || text_is_same(made_on, image) || plan_stands_on(planning, entry, image))
        return false;
    plan_hold(planning, KIND_LAYER, object->name,
              arena_printf(planning->arena, "what it holds was made on image %s, not on %s", made_on, image),
              plan_image_changes(planning, image)
                  ? "whether that is the same is known once it is made: then it goes on, in the next apply "
                    "at the latest"
                  : "declare another layer, or throw this one away: remove its line and its users, then "
                    "fpsync gc",
              object->place);
    return true;
}

/* Of a subvolume; the file of a loop is not another's to change, and may be a little larger. */
static const char *quota_drift(struct planning *planning, const struct object *object, const char *file)
{
    const struct observed_storage *storage = &planning->request->world->storage;
    const struct volume *volume = object->kind == KIND_VOLUME ? object->body : NULL;
    if (!volume || !storage->has_quotas || strcmp(volume->type, "btrfs") != 0)
        return NULL;
    const int64_t size = world_volume_size(planning->request->world, file);
    return size == volume->size ? NULL
           : size               ? arena_printf(planning->arena, "its quota is of %lld bytes", (long long)size)
                                : "its quota is gone";
}

/* Where more than one thing comes into question, which of them does. */
static void explain_filling(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct fill_sources sources = fills_of(&planning->target, &planning->fills, object->name);
    const char *text = NULL, *image = NULL, *path = NULL;
    bool several = false;
    for (size_t i = 0; i < sources.count; i++) {
        const struct fill_source *from = &sources.items[i];
        const char *its = target_image(&planning->target, from->container);
        if (text && strcmp(its, image) == 0 && strcmp(from->mount->path, path) == 0)
            continue;
        several = text != NULL;
        image = its;
        path = from->mount->path;
        text = arena_printf(planning->arena, "%s%s%s of image %s", text ? text : "", text ? ", or else " : "",
                            path, image);
    }
    if (several)
        plan_add_cause(planning, causes, "filled with", NULL, text, object->place);
}

/* The running containers that have the volume mounted, by the record: " NAME NAME"; NULL. */
static const char *running_users(const struct planning *planning, const char *volume)
{
    const struct plan_request *request = planning->request;
    const char *names = NULL;
    for (size_t i = 0; i < request->actual->count; i++) {
        const struct object *user = &request->actual->items[i].object;
        if (user->kind == KIND_CONTAINER && plan_uses(user, KIND_VOLUME, volume) &&
            container_is_up(
                world_container(request->world, object_lxc_name(request->paths, planning->arena, user))))
            names = arena_printf(planning->arena, "%s %s", names ? names : "", user->name);
    }
    return names;
}

/* The file of a loop grows while it is mounted where the kernel lets fpsync do that, and else when nobody has it. */
static bool growth_waits(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const bool renamed = plan_was(planning, object->kind, object->name);
    const struct volume *volume = object->kind == KIND_VOLUME ? object->body : NULL;
    if (!volume || !planning->request->world->cannot_grow || strcmp(volume->type, "loop") != 0 ||
        volume->size <= ((const struct volume *)entry->object.body)->size)
        return false;
    const char *users = running_users(planning, object->name);
    if (!users)
        return false;
    plan_hold(planning, KIND_VOLUME, object->name,
              arena_printf(planning->arena,
                           "size: it is mounted for%s, and fpsync may not make a file system larger that is "
                           "mounted (CAP_SYS_RESOURCE)",
                           users),
              arena_printf(planning->arena, "fpsync stop%s, apply this, fpsync start%s", users, users),
              field_place(&volume_table, volume, field_by_key(&volume_table, "size")));
    planning->plan->held[planning->plan->held_count - 1].serves = !renamed; /* nothing has the new name yet */
    return true;
}

/* A retained record is picked up again by declaring the name: data and identity are its own. */
void plan_data(struct planning *planning, const struct object *object, struct entry *entry)
{
    const struct world *world = planning->request->world;
    const char *file = paths_file_name(planning->arena, object->name);
    bool there = object->kind == KIND_VOLUME ? world_has_volume(world, file) : world_has_layer(world, file);
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    if (object->implicit && object->kind == KIND_LAYER)
        return; /* made and recorded with its container */
    if (object->kind == KIND_VOLUME && !volume_fits(planning, object, entry))
        return;
    if (there && layer_moves(planning, object, entry))
        return;
    if (plan_was(planning, object->kind, object->name)) {
        verb = VERB_RENAME;
        if (growth_waits(planning, object, entry))
            return;
        fields_diff(kind_table(object->kind), entry->object.body, object->body, planning->arena, &causes);
    } else if (plan_is_new(entry))
        plan_add_cause(planning, &causes, plan_why_new(object, entry), NULL, NULL, object->place);
    else if (entry_is_retained(entry))
        plan_add_cause(planning, &causes, "declared again", NULL, entry->left, object->place);
    else if (!there) {
        verb = VERB_REPAIR;
        plan_add_drift(planning, &causes, "its data is gone from the store", object->place);
    } else {
        verb = VERB_UPDATE;
        if (growth_waits(planning, object, entry))
            return;
        fields_diff(kind_table(object->kind), entry->object.body, object->body, planning->arena, &causes);
        if (object->kind == KIND_LAYER)
            plan_same_image(planning, entry, ((const struct layer *)object->body)->image, &causes);
        const char *drift = causes.count ? NULL : quota_drift(planning, object, file);
        if (drift) {
            verb = VERB_REPAIR;
            plan_add_drift(planning, &causes, drift, object->place);
        }
        if (!causes.count && entry_has_intent(planning->request->actual, entry))
            plan_add_cause(planning, &causes, "unfinished", NULL, NULL, object->place);
    }
    if (!causes.count && verb != VERB_RENAME)
        return;
    if (verb == VERB_CREATE && object->kind == KIND_VOLUME && plan_is_new(entry))
        explain_filling(planning, object, &causes);
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, verb, object->kind, object->name, object, entry));
    plan_add_was(planning, action);
    for (size_t i = 0; i < causes.count; i++)
        *arena_append(planning->arena, action->causes.items, action->causes.count) = causes.items[i];
    if (verb == VERB_UPDATE)
        action->class = changes_class(&causes);
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

/* The same of IPv6, whose subnet moves while containers run; held whenever it is not the recorded one. */
static bool subnet6_is_free(struct planning *planning, const struct object *object, const struct entry *entry,
                            const char *bridge)
{
    const struct observed_network *network = &planning->request->world->network;
    const struct lease *lease = grants_find(planning->target.grants, KIND_NETWORK, object->name);
    const char *said = ((const struct network *)object->body)->subnet6;
    if (!said ||
        (!plan_is_new(entry) && text_is_same(said, ((const struct network *)entry->object.body)->subnet6)))
        return true;
    for (size_t i = 0; i < network->route6_count; i++) {
        const struct observed_route *route = &network->routes6[i];
        if (text_is_same(route->ifname, bridge) || is_own_bridge(planning, route->ifname) ||
            !subnets6_overlap(route->subnet, lease->subnet6))
            continue;
        plan_hold(planning, KIND_NETWORK, object->name,
                  arena_printf(planning->arena, "subnet6 %s overlaps the host's route %s by %s",
                               lease->subnet6, route->subnet, route->ifname),
                  "choose another subnet6", object->place);
        return false;
    }
    return true;
}

static bool interface_is_there(const struct planning *planning, const char *ifname, bool bridge)
{
    const struct observed_network *seen = &planning->request->world->network;
    for (size_t i = 0; i < seen->foreign_count; i++)
        if ((seen->foreign[i].is_bridge || !bridge) && strcmp(seen->foreign[i].ifname, ifname) == 0)
            return true;
    return false;
}

/* Of an attached network there is nothing but the record; what it is attached to must be there. */
static void plan_attached(struct planning *planning, const struct object *object, struct entry *entry)
{
    const struct network *body = object->body;
    struct changes causes = {0};
    const char *ifname = body->bridge ? body->bridge : body->parent;
    if (!interface_is_there(planning, ifname, body->bridge)) {
        plan_hold(planning, KIND_NETWORK, object->name,
                  arena_printf(planning->arena, "the host has no %s %s",
                               body->bridge ? "bridge" : "interface", ifname),
                  "make it, or name another", object->place);
        return;
    }
    if (plan_is_new(entry))
        plan_add_cause(planning, &causes, plan_why_new(object, entry), NULL, ifname, object->place);
    else
        fields_diff(&network_table, entry->object.body, object->body, planning->arena, &causes);
    if (!causes.count)
        return;
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, plan_is_new(entry) ? VERB_CREATE : VERB_UPDATE, KIND_NETWORK,
                                   object->name, object, entry));
    action->causes = causes;
    action->shares_rules = true;
    planning->networks_change = true;
    /* Its own bridge goes, and all NICs with it: they come back where the network is now. */
    action->cuts = !plan_is_new(entry) && !network_is_attached(entry->object.body);
    action->class = action->cuts ? CLASS_LIVE : CLASS_RECORD;
}

static int nature_of(const struct network *network)
{
    return network->bridge ? 1 : network->parent ? 2 : 0;
}

bool plan_changes_nature(const struct planning *planning, const char *network, const char **old,
                         const char **new)
{
    static const char *const words[] = {"fpsync's own", "a bridge of the host", "a parent"};
    const struct object *now = object_find(&planning->plan->all, KIND_NETWORK, network);
    const struct entry *entry = actual_find(planning->request->actual, KIND_NETWORK, network);
    if (!now || plan_is_new(entry) || plan_was(planning, KIND_NETWORK, network) ||
        nature_of(entry->object.body) == nature_of(now->body))
        return false;
    *old = words[nature_of(entry->object.body)];
    *new = words[nature_of(now->body)];
    return true;
}

void plan_network(struct planning *planning, const struct object *object, struct entry *entry)
{
    if (network_is_attached(object->body)) {
        plan_attached(planning, object, entry);
        return;
    }
    if (!plan_gate_lease(planning, object))
        return;
    char ifname[PATHS_IFNAME_SIZE];
    paths_bridge(planning->request->paths, object->name, ifname);
    const struct observed_bridge *seen = world_bridge(planning->request->world, ifname);
    const char *subnet = target_subnet(&planning->target, object->name);
    bool ours = seen && seen->mark && strncmp(seen->mark, "fpsync ", strlen("fpsync ")) == 0;
    if (seen && !ours && !entry) { /* an unfinished record is the second witness of an unmarked bridge */
        plan_hold(planning, KIND_NETWORK, object->name,
                  arena_printf(planning->arena, "an interface %s exists that fpsync did not make", ifname),
                  "rename or delete that interface", object->place);
        return;
    }
    const struct observed_route *route = clashing_route(planning, subnet, ifname);
    if (route && (plan_is_new(entry) || network_is_attached(entry->object.body))) {
        plan_hold(planning, KIND_NETWORK, object->name,
                  arena_printf(planning->arena, "subnet %s overlaps the host's route %s by %s", subnet,
                               route->subnet, route->ifname),
                  "choose another subnet", object->place);
        return;
    }
    if (!subnet6_is_free(planning, object, entry, ifname))
        return;
    struct changes causes = {0};
    enum verb verb = VERB_CREATE;
    struct repairs repairs = {0};
    if (plan_is_new(entry)) {
        plan_add_cause(planning, &causes, plan_why_new(object, entry), NULL, subnet, object->place);
    } else if (plan_was(planning, KIND_NETWORK, object->name)) {
        verb = VERB_RENAME; /* two bridges cannot have one subnet: containers come back on the new one */
        fields_diff(&network_table, entry->object.body, object->body, planning->arena, &causes);
    } else {
        fields_diff(&network_table, entry->object.body, object->body, planning->arena, &causes);
        verb = causes.count ? VERB_UPDATE : VERB_REPAIR;
        repairs_of_network(&planning->target, planning->request->world, object, entry->record->uid, &repairs);
        for (size_t i = 0; i < repairs.count && verb == VERB_REPAIR; i++)
            plan_add_drift(planning, &causes, repairs.items[i].drift, object->place);
        const bool had_rules = !network_is_attached(entry->object.body);
        if (had_rules && (!world_has_network_rules(planning->request->world, ifname) || planning->rules_lost))
            plan_add_drift(planning, &causes, "its rules are gone", object->place);
    }
    if (!causes.count && entry && entry_has_intent(planning->request->actual, entry))
        plan_add_cause(planning, &causes, "unfinished", NULL, NULL, object->place);
    if (!causes.count && verb != VERB_RENAME)
        return;
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, verb, KIND_NETWORK, object->name, object, entry));
    plan_add_was(planning, action);
    for (size_t i = 0; i < causes.count; i++)
        *arena_append(planning->arena, action->causes.items, action->causes.count) = causes.items[i];
    action->cuts = action->was;
    action->shares_rules = true;
    planning->networks_change = true;
    if (!action->uid && ours) { /* what an interrupted run made: "fpsync UID NAME" */
        const char *uid = seen->mark + strlen("fpsync ");
        action->uid = arena_strndup(planning->arena, uid, strcspn(uid, " "));
    }
}
