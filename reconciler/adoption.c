#include "reconciler/adoption.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/found.h"

static bool is_named(const struct session *session, const struct object *object, const char *argument)
{
    static const char kind[] = "container/";
    const char *name = strncmp(argument, kind, strlen(kind)) == 0 ? argument + strlen(kind) : argument;
    return strcmp(name, object->name) == 0 || strcmp(name, name_bare(object->name)) == 0 ||
           strcmp(name, object_lxc_name(&session->paths, session->arena, object)) == 0;
}

static bool is_to_adopt(const struct session *session, const struct object *object)
{
    const struct entry *entry = actual_find(&session->actual, KIND_CONTAINER, object->name);
    return object->kind == KIND_CONTAINER && container_is_adopted(object->body) &&
           (!entry || entry_is_unfinished(entry));
}

static void add_address(struct session *session, struct lease *lease, const struct attachment *attachment,
                        const struct nic *nic, const char *mac)
{
    struct lease_address *address = lease_in(lease, attachment->network);
    if (!address) {
        address = described_new(session->arena, &lease_address_table);
        *arena_append(session->arena, lease->addresses.items, lease->addresses.count) = address;
    }
    address->network = attachment->network;
    address->mac = mac;
    address->address = attachment->address;
    address->address6 = attachment->address6;
    address->index = nic->index;
    described_whole(&lease_address_table, address);
}

/* What it is known by on its networks stays its own. An address that nobody knows is leased as any. */
static void add_addresses(struct session *session, const struct container_definition *definition,
                          const struct container *body, const struct observed_guest *inside,
                          struct lease *lease)
{
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *mac = found_mac(definition->nics.items[i], inside);
        if (mac)
            add_address(session, lease, body->networks.items[i], definition->nics.items[i], mac);
    }
}

/* A lease that says what is so; `left` has it written to the record. */
static void put_lease(struct session *session, const struct object *object,
                      const struct container_found *found, const struct observed_guest *inside)
{
    struct snapshot *snapshot = &session->snapshot;
    const struct lease *known = lease_recorded(snapshot, KIND_CONTAINER, object->name);
    struct lease *lease = known ? described_copy(session->arena, &lease_table, known)
                                : described_new(session->arena, &lease_table);
    struct lease **leases = arena_array_of(session->arena, struct lease *, snapshot->lease_count + 1);
    size_t count = 0, at = 0;
    lease->kind = kind_name(KIND_CONTAINER);
    lease->name = object->name;
    if (found->maps_ids)
        lease->id_base = found->definition->id_base;
    add_addresses(session, found->definition, object->body, inside, lease);
    lease->left = 1;
    described_whole(&lease_table, lease);
    for (; at < snapshot->lease_count; at++) {
        struct lease *other = snapshot->leases[at];
        int order = strcmp(other->kind, lease->kind);
        order = order ? order : strcmp(other->name, lease->name);
        if (order >= 0)
            break;
        leases[count++] = other;
    }
    leases[count++] = lease;
    for (at += known != NULL; at < snapshot->lease_count; at++)
        leases[count++] = snapshot->leases[at];
    snapshot->leases = leases;
    snapshot->lease_count = count;
    snapshot->leases_by_name =
        index_make_pointers(session->arena, (void *const *)leases, count, offsetof(struct lease, name));
}

static void add_networks(struct session *session, const struct object_set *from, struct object_set *to)
{
    for (size_t i = 0; i < from->count; i++)
        if (from->items[i]->kind == KIND_NETWORK)
            *arena_append(session->arena, to->items, to->count) = from->items[i];
}

struct found_networks adoption_networks(struct session *session)
{
    struct found_networks networks = {.paths = &session->paths, .arena = session->arena};
    add_networks(session, &session->set.objects, &networks.known);
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_NETWORK && !object_find(&session->set.objects, KIND_NETWORK, entry->name))
            *arena_append(session->arena, networks.known.items, networks.known.count) = &entry->object;
    }
    return networks;
}

/* Those that the declaration names go before others of the same bridge. */
static struct found_networks networks_for(struct session *session, const struct object *declared)
{
    struct found_networks all = adoption_networks(session), networks = all;
    const struct list *said = &((const struct container *)declared->body)->networks;
    networks.known = (struct object_set){0};
    for (size_t i = 0; i < said->count; i++)
        for (size_t j = 0; j < all.known.count; j++)
            if (strcmp(all.known.items[j]->name, item_key(&attachment_table, said->items[i])) == 0)
                *arena_append(session->arena, networks.known.items, networks.known.count) =
                    all.known.items[j];
    add_networks(session, &all.known, &networks.known);
    return networks;
}

int adoption_look(struct session *session, const char *lxc_name, struct observed_guest **inside,
                  struct error *error)
{
    const struct call call = {.arena = session->arena, .cancel = -1};
    const struct observed_container *seen = world_container(&session->world, lxc_name);
    *inside = NULL;
    if (!container_is_up(seen))
        return 0;
    *inside = arena_new_of(session->arena, struct observed_guest);
    (*inside)->init_pid = seen->init_pid;
    return network_view.look_inside(&session->paths, *inside, &call, error);
}

bool adoption_is_frozen(const struct session *session, const char *lxc_name)
{
    const struct observed_container *seen = world_container(&session->world, lxc_name);
    return container_is_up(seen) && seen->frozen;
}

/* The object as it is found under the name, place and source of its declaration. */
static int choose(struct session *session, const struct object *declared, struct adoption *adoption,
                  struct error *error)
{
    const struct call call = {.arena = session->arena, .cancel = -1};
    struct container_found *found;
    struct observed_guest *inside;
    const char *lxc_name = object_lxc_name(&session->paths, session->arena, declared);
    int result =
        container_view.read_found(&session->paths, session->paths.lxc, lxc_name, &call, &found, error);
    if (result == -ENOENT)
        *error = (struct error){0}; /* the plan says so */
    else if (result < 0)
        return result;
    struct object *object = arena_copy(session->arena, declared, sizeof(*declared));
    if (result >= 0) {
        result = adoption_look(session, lxc_name, &inside, error);
        if (result < 0)
            return result;
        struct found_networks networks = networks_for(session, declared);
        const struct found_context context = {
            .networks = &networks, .inside = inside, .frozen = adoption_is_frozen(session, lxc_name)};
        object->body =
            found_container(&session->paths, session->arena, declared->name, found, &context)->body;
        if (found->maps_ids || ((const struct container *)object->body)->networks.count)
            put_lease(session, object, found, inside);
    }
    *arena_append(session->arena, adoption->chosen.items, adoption->chosen.count) = object;
    return 0;
}

int adoption_choose(struct session *session, char *const *arguments, size_t count, struct adoption *adoption,
                    struct error *error)
{
    bool *known = arena_array_of(session->arena, bool, count + 1);
    int result = 0;
    *adoption = (struct adoption){0};
    for (size_t i = 0; i < session->set.objects.count && result >= 0; i++) {
        const struct object *object = session->set.objects.items[i];
        bool chosen = !count;
        for (size_t j = 0; j < count && object->kind == KIND_CONTAINER; j++)
            if (is_named(session, object, arguments[j]))
                chosen = known[j] = true;
        if (chosen && is_to_adopt(session, object))
            result = choose(session, object, adoption, error);
    }
    for (size_t j = 0; j < count; j++)
        if (!known[j])
            *arena_append(session->arena, adoption->unknown.items, adoption->unknown.count) = arguments[j];
    return result;
}

/* ---- the plan ---- */

/* Networks that are only declared yet come with who is in them. */
static void add_used_networks(const struct session *session, const struct adoption *adoption,
                              struct object_set *set)
{
    for (size_t i = 0; i < session->set.objects.count; i++) {
        struct object *network = session->set.objects.items[i];
        bool used = false;
        for (size_t j = 0; j < adoption->chosen.count && network->kind == KIND_NETWORK; j++)
            used = used || list_find(&((const struct container *)adoption->chosen.items[j]->body)->networks,
                                     &attachment_table, network->name);
        if (used && !actual_find(&session->actual, KIND_NETWORK, network->name))
            *arena_append(session->arena, set->items, set->count) = network;
    }
}

static struct object_set desired_of(const struct session *session, const struct adoption *adoption)
{
    struct object_set set = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (!entry_is_retained(entry) && !object_find(&adoption->chosen, entry->kind, entry->name))
            *arena_append(session->arena, set.items, set.count) = &entry->object;
    }
    for (size_t i = 0; i < adoption->chosen.count; i++)
        *arena_append(session->arena, set.items, set.count) = adoption->chosen.items[i];
    add_used_networks(session, adoption, &set);
    object_set_sort(&set);
    return set;
}

static void mark_needed(const struct plan *plan, const struct action *action, bool *kept)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i] == action && !kept[i]) {
            kept[i] = true;
            for (size_t j = 0; j < action->need_count; j++)
                mark_needed(plan, action->needs[j], kept);
        }
}

/* Drift of others is not what was asked for. */
static void keep_adoptions(const struct session *session, const struct adoption *adoption, struct plan *plan)
{
    bool *kept = arena_array_of(session->arena, bool, plan->count + 1), any = false;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->verb == VERB_ADOPT)
            mark_needed(plan, plan->actions[i], kept);
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (kept[i]) {
            any = any || plan->actions[i]->shares_rules;
            plan->actions[count++] = plan->actions[i];
        }
    plan->count = count;
    plan->rules_change_first = plan->rules_change_first && any;
    plan->rules_change_last = false;
    plan->moved = NULL;
    count = 0;
    for (size_t i = 0; i < plan->held_count; i++)
        if (object_find(&adoption->chosen, plan->held[i].kind, plan->held[i].name))
            plan->held[count++] = plan->held[i];
    plan->held_count = count;
}

void adoption_plan(struct session *session, const struct adoption *adoption, struct plan *plan)
{
    const struct object_set desired = desired_of(session, adoption);
    struct texts names = {0};
    for (size_t i = 0; i < adoption->chosen.count; i++)
        *arena_append(session->arena, names.items, names.count) = adoption->chosen.items[i]->name;
    const struct plan_request request = {.paths = &session->paths,
                                         .desired = &desired,
                                         .actual = &session->actual,
                                         .world = &session->world,
                                         .policy = session->policy,
                                         .lease_rules = &session->lease_rules,
                                         .adopted = names};
    plan_make(&request, session->arena, plan);
    keep_adoptions(session, adoption, plan);
}
