/* The elements of our sets, read back as the rules that they were made of (rules.c, rules6.c, rules_forwards.c). */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <string.h>

#include "drivers/network/view_elements.h"
#include "drivers/network/view_rules.h"
#include "lib/error.h"

#define SHARE_FORMAT "%05" PRIu32 "-%05" PRIu32 " "
#define SHARE_SIZE   32

struct element_walk {
    struct arena *arena;
    struct rules *rules;
    const char *protocol; /* of a forward */
    int (*take)(struct element_walk *, const struct element *);
    bool is6;
    size_t others6; /* elements of the sets of IPv6 that repeat what another set says */
    size_t others;  /* elements of the sets that repeat what another set says */
};

struct set;
static int read_sets(struct nl_sock *socket, const struct paths *paths, const struct set *from, size_t count,
                     struct element_walk *walk, bool *complete, struct error *error);
static size_t wanted_others6(const struct rules *rules, bool has6);
static int take_element(const struct element *element, void *context);
static int take_network(struct element_walk *walk, const struct element *element);
static int take_isolated(struct element_walk *walk, const struct element *element);
static int take_source(struct element_walk *walk, const struct element *element);
static int take_masqueraded(struct element_walk *walk, const struct element *element);
static int take_guard(struct element_walk *walk, const struct element *element);
static int take_router(struct element_walk *walk, const struct element *element);
static int take_deaf(struct element_walk *walk, const struct element *element);
static int take_asker(struct element_walk *walk, const struct element *element);
static int take_forward(struct element_walk *walk, const struct element *element);
static int take_forward_at(struct element_walk *walk, const struct element *element);
static int take_span(struct element_walk *walk, const struct element *element);
static int take_share(struct element_walk *walk, const struct element *element);
static void join_shares(struct rules *rules);
static int take_other(struct element_walk *walk, const struct element *element);
static int take_network6(struct element_walk *walk, const struct element *element);
static int take_source6(struct element_walk *walk, const struct element *element);
static int take_guard6(struct element_walk *walk, const struct element *element);
static int take_other6(struct element_walk *walk, const struct element *element);
static void mark_all(const struct table *table, void *object);
static void sort_list(struct list *list);

/* The sets, their families, and what an element of each means; networks before what says more of them. */
static const struct set {
    uint8_t family;
    const char *name, *protocol;
    int (*take)(struct element_walk *, const struct element *);
} sets[] = {
    {NFPROTO_IPV4, "networks", NULL, take_network}, {NFPROTO_IPV4, "bridges", NULL, take_other},
    {NFPROTO_IPV4, "inside", NULL, take_other},     {NFPROTO_IPV4, "isolated", NULL, take_isolated},
    {NFPROTO_IPV4, "sources", NULL, take_source},   {NFPROTO_IPV4, "masqueraded", NULL, take_masqueraded},
    {NFPROTO_IPV4, "tcp_any", "tcp", take_forward}, {NFPROTO_IPV4, "tcp_at", "tcp", take_forward_at},
    {NFPROTO_IPV4, "udp_any", "udp", take_forward}, {NFPROTO_IPV4, "udp_at", "udp", take_forward_at},
    {NFPROTO_IPV4, "tcp_span", "tcp", take_span},   {NFPROTO_IPV4, "udp_span", "udp", take_span},
    {NFPROTO_IPV4, "tcp_share", "tcp", take_share}, {NFPROTO_IPV4, "tcp_share_span", "tcp", take_share},
    {NFPROTO_IPV4, "udp_share", "udp", take_share}, {NFPROTO_IPV4, "udp_share_span", "udp", take_share},
    {NFPROTO_BRIDGE, "guards", NULL, take_guard},   {NFPROTO_BRIDGE, "routers", NULL, take_router},
    {NFPROTO_BRIDGE, "roaming", NULL, take_guard},  {NFPROTO_BRIDGE, "clients", NULL, take_other},
    {NFPROTO_IPV4, "resolvers", NULL, take_asker},  {NFPROTO_IPV4, "askers", NULL, take_other},
};

/* Only where there is IPv6; after those of IPv4, whose networks and guards they say more of. */
static const struct set sets6[] = {
    {NFPROTO_IPV6, "networks", NULL, take_network6},     {NFPROTO_IPV6, "bridges", NULL, take_other6},
    {NFPROTO_IPV6, "isolated", NULL, take_other6},       {NFPROTO_IPV6, "masqueraded", NULL, take_other6},
    {NFPROTO_IPV6, "sources", NULL, take_source6},       {NFPROTO_IPV6, "inside", NULL, take_other6},
    {NFPROTO_BRIDGE, "links6", NULL, take_other6},       {NFPROTO_IPV6, "tcp_any", "tcp", take_forward},
    {NFPROTO_IPV6, "tcp_at", "tcp", take_forward_at},    {NFPROTO_IPV6, "udp_any", "udp", take_forward},
    {NFPROTO_IPV6, "udp_at", "udp", take_forward_at},    {NFPROTO_IPV6, "tcp_span", "tcp", take_span},
    {NFPROTO_IPV6, "udp_span", "udp", take_span},        {NFPROTO_IPV6, "tcp_share", "tcp", take_share},
    {NFPROTO_IPV6, "tcp_share_span", "tcp", take_share}, {NFPROTO_IPV6, "udp_share", "udp", take_share},
    {NFPROTO_IPV6, "udp_share_span", "udp", take_share}, {NFPROTO_BRIDGE, "guards6", NULL, take_guard6},
    {NFPROTO_BRIDGE, "targets6", NULL, take_other6},
};

/* Only where somebody in a LAN is not to hear its routers. */
static const struct set deaf_set = {NFPROTO_BRIDGE, "deaf", NULL, take_deaf};

int rules_read_sets(struct nl_sock *socket, const struct paths *paths, const struct rules_parts *parts,
                    struct arena *arena, struct rules *rules, bool *consistent, struct error *error)
{
    struct element_walk walk = {.arena = arena, .rules = rules};
    bool complete = true;
    int result = read_sets(socket, paths, sets, sizeof(sets) / sizeof(sets[0]), &walk, &complete, error);
    if (result == 0 && parts->has_deaf)
        result = read_sets(socket, paths, &deaf_set, 1, &walk, &complete, error);
    if (result == 0 && parts->has6) {
        walk.is6 = true;
        result = read_sets(socket, paths, sets6, sizeof(sets6) / sizeof(sets6[0]), &walk, &complete, error);
    }
    if (result < 0)
        return result;
    *consistent = complete &&
                  walk.others == 2 * rules->networks.count + rules->guards.count + rules->askers.count &&
                  walk.others6 == wanted_others6(rules, parts->has6);
    join_shares(rules);
    sort_list(&rules->networks);
    sort_list(&rules->guards);
    sort_list(&rules->forwards);
    sort_list(&rules->askers);
    mark_all(&rules_table, rules);
    return 0;
}

static int read_sets(struct nl_sock *socket, const struct paths *paths, const struct set *from, size_t count,
                     struct element_walk *walk, bool *complete, struct error *error)
{
    for (const struct set *set = from; set < from + count; set++) {
        walk->protocol = set->protocol;
        walk->take = set->take;
        struct error failure = {0};
        int result =
            elements_dump(socket, set->family, paths->nft_table, set->name, take_element, walk, &failure);
        if (result == -ENOENT)
            *complete = false; /* somebody removed it: the rules are not as they were set */
        else if (result == -EINTR)
            return result;
        else if (result < 0)
            return error_set(error, result, "set %s: %s", set->name, failure.text);
    }
    return 0;
}

/* As rules6.c fills them: every bridge, twice; what is isolated; what is translated; a guard's two addresses once more, and
 * the link's own one, which the guard does not say; the MAC address of each that speaks IPv6. */
static size_t wanted_others6(const struct rules *rules, bool has6)
{
    size_t wanted = 2 * rules->networks.count;
    for (size_t i = 0; i < rules->networks.count; i++) {
        const struct rule_network *network = rules->networks.items[i];
        wanted += network->isolated || (network->subnet6 && !network->routed && !network->nat_address6);
    }
    for (size_t i = 0; i < rules->guards.count; i++) {
        const struct rule_guard *guard = rules->guards.items[i];
        wanted += guard->address6 ? 4 : guard->address ? 0 : 1;
    }
    return has6 ? wanted : 0;
}

static int take_element(const struct element *element, void *context)
{
    struct element_walk *walk = context;
    return element->key ? walk->take(walk, element) : 0;
}

static const char *address_text(struct arena *arena, bool is6, const unsigned char *bytes)
{
    char *text = arena_alloc(arena, INET6_ADDRSTRLEN);
    inet_ntop(is6 ? AF_INET6 : AF_INET, bytes, text, INET6_ADDRSTRLEN);
    return text;
}

/* Keys are the parts one after another, each filled up to a multiple of four bytes; a name is 16 bytes. */
static int take_network(struct element_walk *walk, const struct element *element)
{
    uint32_t first, last;
    if (element->key_size < IFNAMSIZ + 4 || !element->end)
        return 0;
    memcpy(&first, element->key + IFNAMSIZ, sizeof(first));
    memcpy(&last, element->end + IFNAMSIZ, sizeof(last));
    struct rule_network *network = described_new(walk->arena, &rule_network_table);
    char *subnet = arena_alloc(walk->arena, PREFIX_TEXT_SIZE);
    uint32_t host_bits = ntohl(first) ^ ntohl(last);
    prefix_print(first, host_bits ? (unsigned)__builtin_clz(host_bits) : 32, subnet);
    network->bridge =
        arena_strndup(walk->arena, (const char *)element->key, strnlen((const char *)element->key, IFNAMSIZ));
    network->subnet = subnet;
    network->routed = true; /* until another set says otherwise */
    mark_all(&rule_network_table, network);
    *arena_append(walk->arena, walk->rules->networks.items, walk->rules->networks.count) = network;
    return 0;
}

/* The network that an element says more about; one that there is not makes the sets inconsistent. */
static struct rule_network *network_of(struct element_walk *walk, const struct element *element)
{
    struct rule_network *network =
        element->key_size >= IFNAMSIZ
            ? list_find(&walk->rules->networks, &rule_network_table,
                        arena_strndup(walk->arena, (const char *)element->key,
                                      strnlen((const char *)element->key, IFNAMSIZ)))
            : NULL;
    if (!network)
        walk->others++;
    else
        network->routed = false;
    return network;
}

static int take_isolated(struct element_walk *walk, const struct element *element)
{
    struct rule_network *network = network_of(walk, element);
    if (network)
        network->isolated = true;
    return 0;
}

static int take_source(struct element_walk *walk, const struct element *element)
{
    struct rule_network *network = element->value_size >= 4 ? network_of(walk, element) : NULL;
    if (network) {
        network->nat_address = address_text(walk->arena, walk->is6, element->value);
        mark_all(&rule_network_table, network);
    }
    return 0;
}

static int take_masqueraded(struct element_walk *walk, const struct element *element)
{
    network_of(walk, element);
    return 0;
}

static int take_guard(struct element_walk *walk, const struct element *element)
{
    const bool roams = element->key_size < IFNAMSIZ + 8 + 4;
    if (element->key_size < IFNAMSIZ + 8)
        return 0;
    struct rule_guard *guard = described_new(walk->arena, &rule_guard_table);
    char *mac = arena_alloc(walk->arena, MAC_TEXT_SIZE);
    mac_print(element->key + IFNAMSIZ, mac);
    guard->port =
        arena_strndup(walk->arena, (const char *)element->key, strnlen((const char *)element->key, IFNAMSIZ));
    guard->mac = mac;
    guard->address = roams ? NULL : address_text(walk->arena, walk->is6, element->key + IFNAMSIZ + 8);
    mark_all(&rule_guard_table, guard);
    *arena_append(walk->arena, walk->rules->guards.items, walk->rules->guards.count) = guard;
    return 0;
}

/* The guard that an element says more about; one that there is not makes the sets inconsistent. */
static struct rule_guard *guard_of(struct element_walk *walk, const struct element *element)
{
    return element->key_size >= IFNAMSIZ
               ? list_find(&walk->rules->guards, &rule_guard_table,
                           arena_strndup(walk->arena, (const char *)element->key,
                                         strnlen((const char *)element->key, IFNAMSIZ)))
               : NULL;
}

static int take_deaf(struct element_walk *walk, const struct element *element)
{
    struct rule_guard *guard = guard_of(walk, element);
    if (guard)
        guard->deaf = true;
    else
        walk->others++;
    return 0;
}

static int take_router(struct element_walk *walk, const struct element *element)
{
    struct rule_guard *guard = guard_of(walk, element);
    if (guard)
        guard->router = true;
    else
        walk->others++;
    return 0;
}

static int take_asker(struct element_walk *walk, const struct element *element)
{
    const char *name = (const char *)element->key;
    if (element->key_size < IFNAMSIZ + 8 || element->value_size < 4)
        return 0;
    struct rule_asker *asker = described_new(walk->arena, &rule_asker_table);
    asker->bridge = arena_strndup(walk->arena, name, strnlen(name, IFNAMSIZ));
    asker->address = address_text(walk->arena, false, element->key + IFNAMSIZ);
    asker->server = address_text(walk->arena, false, element->key + IFNAMSIZ + 4);
    asker->resolver = address_text(walk->arena, false, element->value);
    mark_all(&rule_asker_table, asker);
    *arena_append(walk->arena, walk->rules->askers.items, walk->rules->askers.count) = asker;
    return 0;
}

static int port_number(const unsigned char *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

static struct rule_forward *add_forward(struct element_walk *walk, const unsigned char *address, int host,
                                        int last, const unsigned char *target, int guest)
{
    struct rule_forward *forward = described_new(walk->arena, &rule_forward_table);
    forward->protocol = walk->protocol;
    forward->address = address ? address_text(walk->arena, walk->is6, address) : NULL;
    forward->host = host;
    forward->target = address_text(walk->arena, walk->is6, target);
    forward->guest = guest;
    forward->count = last - host + 1;
    forward->listen =
        forward_key(walk->arena, forward->address, walk->is6, forward->host, forward->count, walk->protocol);
    mark_all(&rule_forward_table, forward);
    *arena_append(walk->arena, walk->rules->forwards.items, walk->rules->forwards.count) = forward;
    return forward;
}

static size_t address_size(const struct element_walk *walk)
{
    return walk->is6 ? 16 : 4;
}

static int take_forward(struct element_walk *walk, const struct element *element)
{
    const size_t size = address_size(walk);
    if (element->key_size < 2 || element->value_size < size + 2)
        return 0;
    const int host = port_number(element->key);
    add_forward(walk, NULL, host, host, element->value, port_number(element->value + size));
    return 0;
}

static int take_forward_at(struct element_walk *walk, const struct element *element)
{
    const size_t size = address_size(walk);
    if (element->key_size < size + 2 || element->value_size < size + 2)
        return 0;
    const int host = port_number(element->key + size);
    add_forward(walk, element->key, host, host, element->value, port_number(element->value + size));
    return 0;
}

/* All addresses are a range of them; a range that we do not make reads as something else than what we want. */
static int take_span(struct element_walk *walk, const struct element *element)
{
    static const unsigned char none[16];
    const size_t size = address_size(walk);
    if (element->key_size < size + 2 || element->value_size < size || !element->end)
        return 0;
    const int host = port_number(element->key + size);
    add_forward(walk, memcmp(element->key, none, (size_t)size) == 0 ? NULL : element->key, host,
                port_number(element->end + size), element->value, host);
    return 0;
}

/* One target of a forward; others may have come before. It is noted with its share, by which they are put in order. */
static int take_share(struct element_walk *walk, const struct element *element)
{
    static const unsigned char none[16];
    const size_t size = address_size(walk);
    uint32_t first, last;
    if (element->key_size < size + 8 || element->value_size < size || !element->end)
        return 0;
    const int host = port_number(element->key + size), end = port_number(element->end + size);
    const unsigned char *address = memcmp(element->key, none, (size_t)size) == 0 ? NULL : element->key;
    const char *said = address ? address_text(walk->arena, walk->is6, address) : NULL;
    struct rule_forward *forward =
        list_find(&walk->rules->forwards, &rule_forward_table,
                  forward_key(walk->arena, said, walk->is6, host, end - host + 1, walk->protocol));
    if (!forward)
        forward = add_forward(walk, address, host, end, element->value,
                              element->value_size >= size + 2 ? port_number(element->value + size) : host);
    memcpy(&first, element->key + size + 4, sizeof(first));
    memcpy(&last, element->end + size + 4, sizeof(last));
    *arena_append(walk->arena, forward->shared.items, forward->shared.count) =
        arena_printf(walk->arena, SHARE_FORMAT "%s", ntohl(first), ntohl(last),
                     address_text(walk->arena, walk->is6, element->value));
    return 0;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Shares that are not as rules_forwards.c deals them stay in the text, which then is nothing that anybody asks for. */
static void join_shares(struct rules *rules)
{
    for (size_t i = 0; i < rules->forwards.count; i++) {
        struct rule_forward *forward = rules->forwards.items[i];
        struct texts *shared = &forward->shared;
        if (!shared->count)
            continue;
        qsort(shared->items, shared->count, sizeof(*shared->items), compare_texts);
        for (size_t j = 0; j < shared->count; j++) {
            char wanted[SHARE_SIZE];
            const int length =
                snprintf(wanted, sizeof(wanted), SHARE_FORMAT, (uint32_t)forward_share(j, shared->count),
                         (uint32_t)forward_share(j + 1, shared->count) - 1);
            if (strncmp(shared->items[j], wanted, (size_t)length) == 0)
                shared->items[j] += length;
        }
        forward->target = shared->items[0];
    }
}

/* One of none that we know is one too many. */
static struct rule_network *network6_of(struct element_walk *walk, const struct element *element)
{
    for (size_t i = 0; i < walk->rules->networks.count; i++) {
        struct rule_network *network = walk->rules->networks.items[i];
        if (strncmp(network->bridge, (const char *)element->key, IFNAMSIZ) == 0)
            return network;
    }
    walk->others6++;
    return NULL;
}

static int take_network6(struct element_walk *walk, const struct element *element)
{
    struct rule_network *network = element->key_size >= IFNAMSIZ + 16 ? network6_of(walk, element) : NULL;
    if (!network)
        return 0;
    network->subnet6 =
        arena_printf(walk->arena, "%s/64", address_text(walk->arena, true, element->key + IFNAMSIZ));
    field_mark(&rule_network_table, network, offsetof(struct rule_network, subnet6));
    return 0;
}

static int take_source6(struct element_walk *walk, const struct element *element)
{
    struct rule_network *network =
        element->key_size >= IFNAMSIZ && element->value_size >= 16 ? network6_of(walk, element) : NULL;
    if (!network)
        return 0;
    network->nat_address6 = address_text(walk->arena, true, element->value);
    field_mark(&rule_network_table, network, offsetof(struct rule_network, nat_address6));
    return 0;
}

static int take_guard6(struct element_walk *walk, const struct element *element)
{
    const char *name = (const char *)element->key;
    const unsigned char *address = element->key + IFNAMSIZ + 8;
    if (element->key_size < IFNAMSIZ + 8 + 16 || (address[0] == 0xfe && address[1] == 0x80))
        return take_other6(walk, element);
    for (size_t i = 0; i < walk->rules->guards.count; i++) {
        struct rule_guard *guard = walk->rules->guards.items[i];
        if (strncmp(guard->port, name, IFNAMSIZ) != 0)
            continue;
        guard->address6 = address_text(walk->arena, true, address);
        field_mark(&rule_guard_table, guard, offsetof(struct rule_guard, address6));
        return 0;
    }
    return take_other6(walk, element);
}

static int take_other6(struct element_walk *walk, const struct element *element)
{
    (void)element;
    walk->others6++;
    return 0;
}

static int take_other(struct element_walk *walk, const struct element *element)
{
    (void)element;
    walk->others++;
    return 0;
}

static void mark_all(const struct table *table, void *object)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        bool absent = row->type == FIELD_TEXT && !*(const char **)field_at(object, row);
        if (!absent)
            field_mark_present(table, object, row);
    }
}

static int compare_keys(const void *left, const void *right)
{
    /* Every item of the three lists begins with `described` and its key. */
    const struct rule_network *const *a = left, *const *b = right;
    return strcmp((*a)->bridge, (*b)->bridge);
}

static void sort_list(struct list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), compare_keys);
}
