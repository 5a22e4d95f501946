/* Names: what a network's resolver is told, and whom the containers on several networks ask.
 *
 * A container hears the names of the networks that it shares with others, and of no other. Each network's resolver
 * knows the names of one; for every set of networks that some container is on there is one that knows them all, which
 * belongs to the first of them. */
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "reconciler/addresses.h"
#include "reconciler/routes.h"
#include "reconciler/target_internal.h"

#define UNION_ADDRESSES 0x7f400000u /* 127.64.0.0/10 */
#define UNION_BITS      0x003fffffu

static int by_first_text(const void *left, const void *right, void *table)
{
    return strcmp(item_key(table, *(void *const *)left), item_key(table, *(void *const *)right));
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void target_add(struct arena *arena, struct list *list, void *item)
{
    *arena_append(arena, list->items, list->count) = item;
}

void target_sort(struct list *list, const struct table *table)
{
    if (list->count)
        qsort_r(list->items, list->count, sizeof(*list->items), by_first_text, (void *)table);
}

static bool is_isolated(const struct target *target, const char *network)
{
    const struct network *body = target_network(target, network);
    return body && body->isolated;
}

static bool is_own(const struct target *target, const char *network)
{
    return target_subnet(target, network) && !target_is_attached(target, network);
}

/* ---- several networks ---- */

/* Of one set of networks always the same, and of another root another one. */
static const char *union_address(struct arena *arena, const struct texts *bridges)
{
    const char *all = "";
    for (size_t i = 0; i < bridges->count; i++)
        all = arena_join(arena, all, ' ', bridges->items[i]);
    return address_text(arena, UNION_ADDRESSES | (uint32_t)(digest_short(all) & UNION_BITS));
}

/* Of the networks that a container is on; NULL: it is on one alone, whose resolver does. */
static struct resolver_union *union_of(const struct target *target, const struct container *body)
{
    if (body->networks.count < 2)
        return NULL;
    struct resolver_union *all = described_new(target->arena, &resolver_union_table);
    all->isolated = true;
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *network = item_key(&attachment_table, body->networks.items[i]);
        if (!is_own(target, network))
            continue;
        *arena_append(target->arena, all->bridges.items, all->bridges.count) =
            target_bridge_name(target, network);
        all->isolated = all->isolated && is_isolated(target, network);
    }
    if (all->bridges.count < 2)
        return NULL;
    qsort(all->bridges.items, all->bridges.count, sizeof(*all->bridges.items), by_text);
    all->address = union_address(target->arena, &all->bridges);
    return described_whole(&resolver_union_table, all);
}

void target_add_askers(const struct target *target, const struct object *container, struct list *askers)
{
    const struct container *body = container->body;
    const struct resolver_union *all = union_of(target, body);
    for (size_t i = 0; all && i < body->networks.count; i++) {
        const char *network = item_key(&attachment_table, body->networks.items[i]);
        if (!is_own(target, network))
            continue;
        struct rule_asker *asker = described_new(target->arena, &rule_asker_table);
        char *server = subnet_gateway(target->arena, target_subnet(target, network));
        *strchr(server, '/') = '\0';
        asker->address =
            lease_in(grants_find(target->grants, KIND_CONTAINER, container->name), network)->address;
        asker->bridge = target_bridge_name(target, network);
        asker->server = server;
        asker->resolver = all->address;
        target_add(target->arena, askers, described_whole(&rule_asker_table, asker));
    }
}

static void add_union(const struct target *target, const struct container *body, struct resolver *resolver)
{
    struct resolver_union *all = union_of(target, body);
    if (all && strcmp(all->bridges.items[0], resolver->bridge) == 0 &&
        !list_find(&resolver->unions, &resolver_union_table, all->address))
        target_add(target->arena, &resolver->unions, all);
}

/* ---- one network ---- */

static void add_names(struct arena *arena, struct texts *texts, const char *bare, const char *project)
{
    *arena_append(arena, texts->items, texts->count) = bare;
    *arena_append(arena, texts->items, texts->count) = arena_printf(arena, "%s.%s", bare, project);
    *arena_append(arena, texts->items, texts->count) = arena_printf(arena, "%s.%s.internal", bare, project);
}

static struct resolver_name *name_in(const struct target *target, const struct object *object,
                                     const char *network)
{
    const struct container *body = object->body;
    const struct lease_address *address =
        lease_in(grants_find(target->grants, KIND_CONTAINER, object->name), network);
    const char *bare = name_bare(object->name), *project = name_project(target->arena, object->name);
    struct resolver_name *name = described_new(target->arena, &resolver_name_table);
    name->container = object->name;
    name->mac = address->mac;
    name->address = address->address;
    name->address6 = address->address6;
    name->is_default = target_gateway_in(target, object, network, false);
    add_names(target->arena, &name->names, bare, project);
    if (body->set)
        add_names(target->arena, &name->names, name_bare(body->set), project);
    return described_whole(&resolver_name_table, name);
}

struct resolver *target_resolver(const struct target *target, const char *network)
{
    struct resolver *resolver = described_new(target->arena, &resolver_table);
    resolver->network = network;
    resolver->bridge = target_bridge_name(target, network);
    resolver->isolated = is_isolated(target, network);
    resolver->gateway = routes_gateway(&(struct routes){.arena = target->arena, .target = target}, network);
    resolver->address = subnet_gateway(target->arena, target_subnet(target, network));
    for (size_t i = 0; i < target->all->count; i++) {
        const struct object *object = target->all->items[i];
        const struct container *body = object->body;
        if (object->kind != KIND_CONTAINER || !list_find(&body->networks, &attachment_table, network) ||
            target_is_absent(target, object->name))
            continue;
        target_add(target->arena, &resolver->names, name_in(target, object, network));
        add_union(target, body, resolver);
    }
    target_sort(&resolver->names, &resolver_name_table);
    target_sort(&resolver->unions, &resolver_union_table);
    return described_whole(&resolver_table, resolver);
}
