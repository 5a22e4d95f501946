#include "reconciler/leases.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/map.h"
#include "reconciler/addresses.h"
#include "reconciler/addresses6.h"
#include "reconciler/leases_internal.h"

struct lease_address *lease_in(const struct lease *lease, const char *network)
{
    return list_find(&lease->addresses, &lease_address_table, network);
}

struct lease *grants_find(const struct grants *grants, enum kind kind, const char *name)
{
    return index_find(kind == KIND_NETWORK ? &grants->networks : &grants->containers, name);
}

static struct index index_leases(struct arena *arena, struct lease *const *items, size_t count)
{
    return index_make_pointers(arena, (void *const *)items, count, offsetof(struct lease, name));
}

static int compare_lease(const void *left, const void *right)
{
    const struct lease *a = *(struct lease *const *)left, *b = *(struct lease *const *)right;
    int order = strcmp(a->kind, b->kind);
    return order ? order : strcmp(a->name, b->name);
}

/* The record holds them in order of kind and name. */
const struct lease *lease_recorded(const struct snapshot *snapshot, enum kind kind, const char *name)
{
    const struct lease *first = index_find(&snapshot->leases_by_name, name);
    if (!first || strcmp(first->kind, kind_name(kind)) == 0)
        return first;
    const struct lease key = {.kind = kind_name(kind), .name = name}, *wanted = &key;
    struct lease **found = snapshot->lease_count ? bsearch(&wanted, snapshot->leases, snapshot->lease_count,
                                                           sizeof(*found), compare_lease)
                                                 : NULL;
    return found ? *found : NULL;
}

/* Texts stay the recorded ones. */
static struct lease *copy_lease(struct arena *arena, const struct lease *lease)
{
    struct lease *copy = arena_copy(arena, lease, sizeof(*lease));
    struct list *addresses = &copy->addresses;
    addresses->items = arena_copy(arena, addresses->items, addresses->count * sizeof(*addresses->items));
    for (size_t i = 0; i < addresses->count; i++)
        addresses->items[i] = arena_copy(arena, addresses->items[i], sizeof(struct lease_address));
    return copy;
}

/* The recorded lease to continue, or an empty one. */
static struct lease *lease_for(struct granting *granting, const struct object *object, bool *fresh)
{
    const struct lease *recorded = lease_recorded(granting->snapshot, object->kind, object->name);
    *fresh = !recorded || recorded->left || renames_changed(granting->renames, recorded);
    if (recorded) {
        struct lease *kept = copy_lease(granting->arena, recorded);
        kept->left = 0;
        return kept;
    }
    struct lease *lease = described_new(granting->arena, &lease_table);
    lease->kind = kind_name(object->kind);
    lease->name = object->name;
    field_mark(&lease_table, lease, offsetof(struct lease, kind));
    field_mark(&lease_table, lease, offsetof(struct lease, name));
    return lease;
}

const char *grants_denied(const struct grants *grants, enum kind kind, const char *name)
{
    for (size_t i = 0; i < grants->denied_count; i++)
        if (grants->denied[i].kind == kind && strcmp(grants->denied[i].name, name) == 0)
            return grants->denied[i].reason;
    return NULL;
}

static void add_grant(struct granting *granting, struct lease *lease, bool fresh)
{
    granting->grants->items[granting->grants->count] = lease;
    granting->grants->fresh[granting->grants->count++] = fresh;
}

/* What it had it keeps. */
static void deny(struct granting *granting, const struct object *object, const char *reason)
{
    const struct lease *recorded = lease_recorded(granting->snapshot, object->kind, object->name);
    *arena_append(granting->arena, granting->grants->denied, granting->grants->denied_count) =
        (struct denial){.kind = object->kind, .name = object->name, .reason = reason};
    if (recorded)
        add_grant(granting, (struct lease *)recorded, false);
}

/* ---- subnets ---- */

bool granting_subnet_is_free(const struct granting *granting, const char *subnet, const char *network)
{
    for (size_t i = 0; i < granting->world->network.route_count; i++) {
        const struct observed_route *route = &granting->world->network.routes[i];
        if (subnets_overlap(route->subnet, subnet))
            return false;
    }
    for (size_t i = 0; i < granting->all->count; i++) {
        const struct object *other = granting->all->items[i];
        const struct network *body = other->body;
        if (other->kind == KIND_NETWORK && body->subnet && subnets_overlap(body->subnet, subnet))
            return false;
    }
    for (size_t i = 0; i < granting->snapshot->lease_count; i++) {
        const struct lease *lease = granting->snapshot->leases[i];
        if (lease->subnet && strcmp(lease->name, network) != 0 && subnets_overlap(lease->subnet, subnet))
            return false;
    }
    for (size_t i = 0; i < granting->grants->count; i++)
        if (granting->grants->items[i]->subnet && subnets_overlap(granting->grants->items[i]->subnet, subnet))
            return false;
    return true;
}

static bool subnet6_is_free(const struct granting *granting, const char *subnet, const char *network)
{
    for (size_t i = 0; i < granting->all->count; i++) {
        const struct object *other = granting->all->items[i];
        if (other->kind == KIND_NETWORK &&
            text_is_same(((const struct network *)other->body)->subnet6, subnet))
            return false;
    }
    for (size_t i = 0; i < granting->snapshot->lease_count; i++) {
        const struct lease *lease = granting->snapshot->leases[i];
        if (text_is_same(lease->subnet6, subnet) && lease->subnet6 && strcmp(lease->name, network) != 0)
            return false;
    }
    for (size_t i = 0; i < granting->grants->count; i++)
        if (text_is_same(granting->grants->items[i]->subnet6, subnet))
            return false;
    return true;
}

static void grant_subnet6(struct granting *granting, const struct object *object, struct lease *lease,
                          bool *fresh)
{
    const char *said = ((const struct network *)object->body)->subnet6;
    const char *subnet = said;
    if (said && strcmp(said, "auto") == 0) {
        subnet = lease->subnet6;
        for (unsigned attempt = 0;
             attempt < UINT16_MAX && (!subnet || !subnet6_is_free(granting, subnet, object->name)); attempt++)
            subnet = subnet6_derived(granting->arena, granting->rules->host, object->name, attempt);
    }
    *fresh = *fresh || !text_is_same(lease->subnet6, subnet);
    lease->subnet6 = subnet;
    field_mark(&lease_table, lease, offsetof(struct lease, subnet6));
}

static void grant_network(struct granting *granting, const struct object *object)
{
    const struct network *body = object->body;
    bool fresh;
    struct lease *lease = lease_for(granting, object, &fresh);
    const struct entry *entry = actual_find(granting->actual, KIND_NETWORK, object->name);
    if (entry && network_is_attached(entry->object.body) && !network_is_attached(body))
        lease->subnet = lease->subnet6 = NULL; /* those of a LAN */
    if (network_is_attached(body)) {           /* the LAN's own, or unknown */
        fresh = fresh || !text_is_same(lease->subnet, body->subnet);
        lease->subnet = body->subnet;
    } else if (body->subnet) {
        fresh = fresh || !lease->subnet || strcmp(lease->subnet, body->subnet) != 0;
        lease->subnet = body->subnet;
    } else if (!lease->subnet) {
        int bits;
        uint32_t base = subnet_split(granting->rules->pool, &bits);
        uint32_t end = base + ((uint32_t)1 << (32 - bits));
        for (; base < end; base += 256) {
            char *subnet = arena_printf(granting->arena, "%s/24", address_text(granting->arena, base));
            if (!granting_subnet_is_free(granting, subnet, object->name))
                continue;
            lease->subnet = subnet;
            break;
        }
        if (!lease->subnet)
            lease->subnet = reclaim_subnet(granting);
        if (!lease->subnet) {
            deny(granting, object,
                 arena_printf(granting->arena, "no free /24 is left in the pool %s", granting->rules->pool));
            return;
        }
        fresh = true;
    }
    if (lease->subnet)
        field_mark(&lease_table, lease, offsetof(struct lease, subnet));
    grant_subnet6(granting, object, lease, &fresh);
    add_grant(granting, lease, fresh);
}

/* ---- containers ---- */

/* Locally administered, derived from host, container and network: the same after a lost database. */
static const char *mac_of(const struct granting *granting, const char *container, const char *network)
{
    uint64_t bits =
        digest_short(arena_printf(granting->arena, "%s %s %s", granting->rules->host, container, network));
    return arena_printf(granting->arena, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(bits >> 32) & 255,
                        (unsigned)(bits >> 24) & 255, (unsigned)(bits >> 16) & 255,
                        (unsigned)(bits >> 8) & 255, (unsigned)bits & 255);
}

static int64_t lowest_free_index(const struct lease *lease)
{
    for (int64_t index = 0;; index++) {
        bool used = false;
        for (size_t i = 0; i < lease->addresses.count; i++)
            used = used || ((struct lease_address *)lease->addresses.items[i])->index == index;
        if (!used)
            return index;
    }
}

static struct lease_address *new_address(struct granting *granting, struct lease *lease, const char *network)
{
    struct lease_address *address = described_new(granting->arena, &lease_address_table);
    address->network = network;
    address->mac = mac_of(granting, lease->name, network);
    address->index = -1;
    for (size_t i = 0; i < lease_address_table.count; i++)
        field_mark_present(&lease_address_table, address, &lease_address_table.rows[i]);
    void **grown = arena_array_of(granting->arena, void *, lease->addresses.count + 1);
    if (lease->addresses.count)
        memcpy(grown, lease->addresses.items, lease->addresses.count * sizeof(*grown));
    grown[lease->addresses.count++] = address;
    lease->addresses.items = grown;
    field_mark(&lease_table, lease, offsetof(struct lease, addresses));
    return address;
}

/* Of one family. Why not, or NULL. */
static const char *choose_address(struct granting *granting, const struct lease *lease,
                                  struct lease_address *address, const struct attachment *attachment,
                                  bool of6, bool *fresh)
{
    const char **place = of6 ? &address->address6 : &address->address;
    const char *said = of6 ? attachment->address6 : attachment->address, *chosen = NULL;
    const char *from = granting_offered(granting, attachment->network, of6);
    if (said)
        chosen = said;
    else if (from && !attachment->dhcp)
        chosen = granting_address(granting, lease, address, of6);
    *fresh = *fresh || !text_is_same(*place, chosen);
    *place = chosen;
    if (chosen || attachment->dhcp || (of6 && !from))
        return NULL;
    return arena_printf(granting->arena, "no free address is left in network %s (%s)", attachment->network,
                        from ? from : "it has no subnet");
}

/* Why not, or NULL. */
static const char *grant_address(struct granting *granting, struct lease *lease,
                                 const struct attachment *attachment, bool *fresh)
{
    struct lease_address *address = lease_in(lease, attachment->network);
    if (!grants_find(granting->grants, KIND_NETWORK, attachment->network))
        return arena_printf(granting->arena, "network %s has no subnet", attachment->network);
    if (!address)
        address = new_address(granting, lease, attachment->network);
    const char *denied = choose_address(granting, lease, address, attachment, false, fresh);
    if (denied)
        return denied;
    if (address->index < 0) {
        address->index = lowest_free_index(lease);
        *fresh = true;
    }
    const char *had = address->address6 ? address->address6 : address->left6;
    denied = choose_address(granting, lease, address, attachment, true, fresh);
    address->left6 = address->address6 ? NULL : had;
    field_mark(&lease_address_table, address, offsetof(struct lease_address, address6));
    field_mark(&lease_address_table, address, offsetof(struct lease_address, left6));
    return denied;
}

/* A NIC that is gone frees its place; address and MAC stay the name's own. */
static void release_left(struct lease *lease, const struct container *body, bool *fresh)
{
    for (size_t i = 0; i < lease->addresses.count; i++) {
        struct lease_address *address = lease->addresses.items[i];
        if (address->index >= 0 && !list_find(&body->networks, &attachment_table, address->network)) {
            address->index = -1;
            *fresh = true;
        }
    }
}

static size_t place_in(const struct list *networks, const char *network)
{
    size_t i = 0;
    while (i < networks->count && strcmp(item_key(&attachment_table, networks->items[i]), network) != 0)
        i++;
    return i;
}

static int by_number(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Networks that were there before and changed places share their places out among themselves in the new order. Asked
 * again before the record follows, that gives the same: a run that was cut off does not turn them back. */
static void follow_order(struct granting *granting, struct lease *lease, const struct container *body,
                         bool *fresh)
{
    const struct entry *entry = actual_find(granting->actual, KIND_CONTAINER, lease->name);
    if (!entry)
        return;
    const struct list *before = &((const struct container *)entry->object.body)->networks;
    struct lease_address **kept =
        arena_array_of(granting->arena, struct lease_address *, body->networks.count + 1);
    int64_t *places = arena_array_of(granting->arena, int64_t, body->networks.count + 1);
    size_t count = 0, last = 0;
    bool moved = false;
    for (size_t i = 0; i < body->networks.count; i++) {
        struct lease_address *address = lease_in(lease, item_key(&attachment_table, body->networks.items[i]));
        size_t place = address && address->index >= 0 ? place_in(before, address->network) : before->count;
        if (place == before->count)
            continue;
        moved = moved || place < last;
        last = place;
        places[count] = address->index;
        kept[count++] = address;
    }
    if (!moved)
        return;
    qsort(places, count, sizeof(*places), by_number);
    for (size_t i = 0; i < count; i++) {
        *fresh = *fresh || kept[i]->index != places[i];
        kept[i]->index = places[i];
    }
}

static void grant_container(struct granting *granting, const struct object *object)
{
    const struct container *body = object->body;
    bool fresh;
    struct lease *lease = lease_for(granting, object, &fresh);
    const char *denied = body->privileged ? NULL : granting_ids(granting, lease, &fresh);
    release_left(lease, body, &fresh);
    follow_order(granting, lease, body, &fresh);
    for (size_t i = 0; i < body->networks.count && !denied; i++)
        denied = grant_address(granting, lease, body->networks.items[i], &fresh);
    if (denied)
        deny(granting, object, denied);
    else
        add_grant(granting, lease, fresh);
}

void leases_grant(const struct object_set *all, const struct actual *actual, const struct renames *renames,
                  const struct world *world, const struct lease_rules *rules, struct arena *arena,
                  struct grants *grants)
{
    struct granting granting = {.all = all,
                                .actual = actual,
                                .renames = renames,
                                .snapshot = actual->snapshot,
                                .world = world,
                                .rules = rules,
                                .arena = arena,
                                .grants = grants,
                                .next_range = rules->id_first};
    *grants = (struct grants){.items = arena_array_of(arena, struct lease *, all->count + 1),
                              .fresh = arena_array_of(arena, bool, all->count + 1)};
    granting_collect_ids(&granting);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->kind == KIND_NETWORK)
            grant_network(&granting, all->items[i]);
    grants->network_count = grants->count;
    grants->networks = index_leases(arena, grants->items, grants->count);
    granting_collect_addresses(&granting);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->kind == KIND_CONTAINER)
            grant_container(&granting, all->items[i]);
    grants->containers =
        index_leases(arena, grants->items + grants->network_count, grants->count - grants->network_count);
    map_clear(&granting.taken);
    map_clear(&granting.lans);
}
