/* Our rules as the kernel holds them.
 *
 * libnftables writes them (rules.c); reading through it would parse the kernel's answer into its syntax tree, print
 * that as JSON and parse it again, at ten times the cost, on every run. So the view asks nf_tables itself: the
 * elements of the sets become struct rules, and the rest (chains, hooks, rules, set types) is digested and
 * compared with what was written down when the tables were made. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "specs/ports.h"

#define ATTEMPTS 16

_Static_assert(WITNESS_SIZE == DIGEST_TEXT_SIZE, "the witness is a digest");

static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_BRIDGE};

struct element {
    const unsigned char *key, *end, *data; /* end: NULL unless the key is a range */
    int key_size, data_size;
};

struct element_walk {
    struct arena *arena;
    struct rules *rules;
    const char *protocol; /* of a forward */
    int (*take)(struct element_walk *, const struct element *);
    size_t others; /* elements of the sets that repeat what another set says */
};

struct shape_walk {
    struct digest *digest;
    const char *table;
    size_t chains;
};

static int read_rules(struct nl_sock *socket, const struct paths *paths, struct arena *arena,
                      struct rules *rules, bool *consistent, struct error *error);
static int read_generation(struct nl_sock *socket, uint32_t *generation, struct error *error);
static int take_generation(const struct nlmsghdr *message, void *context);
static int read_set(struct nl_sock *socket, uint8_t family, const char *table, const char *set,
                    struct element_walk *walk, struct error *error);
static int take_elements(const struct nlmsghdr *message, void *context);
static int take_network(struct element_walk *walk, const struct element *element);
static int take_isolated(struct element_walk *walk, const struct element *element);
static int take_source(struct element_walk *walk, const struct element *element);
static int take_masqueraded(struct element_walk *walk, const struct element *element);
static int take_guard(struct element_walk *walk, const struct element *element);
static int take_router(struct element_walk *walk, const struct element *element);
static int take_forward(struct element_walk *walk, const struct element *element);
static int take_forward_at(struct element_walk *walk, const struct element *element);
static int take_span(struct element_walk *walk, const struct element *element);
static int take_other(struct element_walk *walk, const struct element *element);
static int read_shape(struct nl_sock *socket, const struct paths *paths, char shape[static WITNESS_SIZE],
                      struct error *error);
static int take_shape(const struct nlmsghdr *message, void *context);
static void mark_all(const struct table *table, void *object);
static void sort_list(struct list *list);
static bool witness_matches(const struct paths *paths, struct arena *arena, const char *shape);

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
    {NFPROTO_BRIDGE, "guards", NULL, take_guard},   {NFPROTO_BRIDGE, "routers", NULL, take_router},
    {NFPROTO_BRIDGE, "roaming", NULL, take_guard},  {NFPROTO_BRIDGE, "clients", NULL, take_other},
};

int view_rules(const struct paths *paths, struct arena *arena, struct observed_network *out,
               struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    if (result < 0)
        return error_wrap(error, result, "rules");
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct rules *rules = described_new(arena, &rules_table);
        bool present = false;
        uint32_t before, after;
        char shape[WITNESS_SIZE];
        if ((result = read_generation(socket, &before, error)) < 0 ||
            (result = read_shape(socket, paths, shape, error)) < 0)
            return error_wrap(error, result, "rules");
        result = *shape ? read_rules(socket, paths, arena, rules, &present, error) : 0;
        /* An error as well may come from reading while somebody commits. */
        struct error failure;
        if (read_generation(socket, &after, &failure) < 0)
            return error_set(error, failure.code, "rules: %s", failure.text);
        if (before != after || result == -EINTR)
            continue;
        if (result < 0)
            return error_wrap(error, result, "rules");
        out->rules = rules;
        out->rules_present = present && witness_matches(paths, arena, shape);
        return 0;
    }
    return error_set(error, -EBUSY, "rules change faster than they can be listed");
}

int rules_shape(const struct paths *paths, char shape[static WITNESS_SIZE], struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    return result < 0 ? result : read_shape(socket, paths, shape, error);
}

char *rules_witness_file(const struct paths *paths, struct arena *arena)
{
    return arena_printf(arena, "%s/rules", paths->networks);
}

static int read_rules(struct nl_sock *socket, const struct paths *paths, struct arena *arena,
                      struct rules *rules, bool *consistent, struct error *error)
{
    struct element_walk walk = {.arena = arena, .rules = rules};
    bool complete = true;
    for (const struct set *set = sets; set < sets + sizeof(sets) / sizeof(sets[0]); set++) {
        walk.protocol = set->protocol;
        walk.take = set->take;
        struct error failure = {0};
        int result = read_set(socket, set->family, paths->nft_table, set->name, &walk, &failure);
        if (result == -ENOENT)
            complete = false; /* somebody removed it: the rules are not as they were set */
        else if (result == -EINTR)
            return result;
        else if (result < 0)
            return error_set(error, result, "set %s: %s", set->name, failure.text);
    }
    *consistent = complete && walk.others == 2 * rules->networks.count + rules->guards.count;
    sort_list(&rules->networks);
    sort_list(&rules->guards);
    sort_list(&rules->forwards);
    mark_all(&rules_table, rules);
    return 0;
}

static struct nl_msg *request(int type, uint8_t family)
{
    struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
    return message_new(NFNL_SUBSYS_NFTABLES << 8 | type, 0, &header, sizeof(header));
}

static int read_generation(struct nl_sock *socket, uint32_t *generation, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = request(NFT_MSG_GETGEN, NFPROTO_UNSPEC);
    *generation = 0;
    return netlink_transact(socket, message, take_generation, generation, "generation", error);
}

static int take_generation(const struct nlmsghdr *message, void *context)
{
    struct nlattr *id = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_GEN_ID);
    if (id)
        *(uint32_t *)context = nla_get_u32(id);
    return 0;
}

static int read_set(struct nl_sock *socket, uint8_t family, const char *table, const char *set,
                    struct element_walk *walk, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = request(NFT_MSG_GETSETELEM, family);
    message_put_text(message, NFTA_SET_ELEM_LIST_TABLE, table);
    message_put_text(message, NFTA_SET_ELEM_LIST_SET, set);
    return netlink_dump(socket, message, take_elements, walk, "elements", error);
}

static const unsigned char *value_of(struct nlattr *data, int *size)
{
    struct nlattr *value = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VALUE) : NULL;
    *size = value ? nla_len(value) : 0;
    return value ? nla_data(value) : NULL;
}

static int take_elements(const struct nlmsghdr *message, void *context)
{
    struct element_walk *walk = context;
    struct nlattr *attributes[NFTA_SET_ELEM_MAX + 1], *item;
    int left, ignored, result = 0;
    struct nlattr *list =
        nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
    if (!list)
        return 0;
    nla_for_each_nested(item, list, left)
    {
        if (nla_parse_nested(attributes, NFTA_SET_ELEM_MAX, item, NULL) < 0)
            return -EBADMSG;
        struct element element = {0};
        element.key = value_of(attributes[NFTA_SET_ELEM_KEY], &element.key_size);
        element.end = value_of(attributes[NFTA_SET_ELEM_KEY_END], &ignored);
        element.data = value_of(attributes[NFTA_SET_ELEM_DATA], &element.data_size);
        if (element.key && (result = walk->take(walk, &element)) < 0)
            return result;
    }
    return 0;
}

static const char *address_text(struct arena *arena, const unsigned char *bytes)
{
    char *text = arena_alloc(arena, INET_ADDRSTRLEN);
    inet_ntop(AF_INET, bytes, text, INET_ADDRSTRLEN);
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
    struct rule_network *network = element->data_size >= 4 ? network_of(walk, element) : NULL;
    if (network) {
        network->nat_address = address_text(walk->arena, element->data);
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
    guard->address = roams ? NULL : address_text(walk->arena, element->key + IFNAMSIZ + 8);
    mark_all(&rule_guard_table, guard);
    *arena_append(walk->arena, walk->rules->guards.items, walk->rules->guards.count) = guard;
    return 0;
}

static int take_router(struct element_walk *walk, const struct element *element)
{
    struct rule_guard *guard = element->key_size >= IFNAMSIZ
                                   ? list_find(&walk->rules->guards, &rule_guard_table,
                                               arena_strndup(walk->arena, (const char *)element->key,
                                                             strnlen((const char *)element->key, IFNAMSIZ)))
                                   : NULL;
    if (guard)
        guard->router = true;
    else
        walk->others++;
    return 0;
}

static int port_number(const unsigned char *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

static void add_forward(struct element_walk *walk, const unsigned char *address, int host, int last,
                        const unsigned char *target, int guest)
{
    struct rule_forward *forward = described_new(walk->arena, &rule_forward_table);
    forward->protocol = walk->protocol;
    forward->address = address ? address_text(walk->arena, address) : NULL;
    forward->host = host;
    forward->target = address_text(walk->arena, target);
    forward->guest = guest;
    forward->count = last - host + 1;
    forward->listen = port_key(walk->arena, forward->address, forward->host, forward->count, walk->protocol);
    mark_all(&rule_forward_table, forward);
    *arena_append(walk->arena, walk->rules->forwards.items, walk->rules->forwards.count) = forward;
}

static int take_forward(struct element_walk *walk, const struct element *element)
{
    if (element->key_size < 2 || element->data_size < 6)
        return 0;
    const int host = port_number(element->key);
    add_forward(walk, NULL, host, host, element->data, port_number(element->data + 4));
    return 0;
}

static int take_forward_at(struct element_walk *walk, const struct element *element)
{
    if (element->key_size < 6 || element->data_size < 6)
        return 0;
    const int host = port_number(element->key + 4);
    add_forward(walk, element->key, host, host, element->data, port_number(element->data + 4));
    return 0;
}

/* All addresses are a range of them; a range that we do not make reads as something else than what we want. */
static int take_span(struct element_walk *walk, const struct element *element)
{
    static const unsigned char none[4];
    if (element->key_size < 6 || element->data_size < 4 || !element->end)
        return 0;
    const int host = port_number(element->key + 4);
    add_forward(walk, memcmp(element->key, none, sizeof(none)) == 0 ? NULL : element->key, host,
                port_number(element->end + 4), element->data, host);
    return 0;
}

static int take_other(struct element_walk *walk, const struct element *element)
{
    (void)element;
    walk->others++;
    return 0;
}

/* What is written at creation and does not change with the elements. Handles, use counts and the size of sets are
 * left out: they differ between two equal tables. */
static int read_shape(struct nl_sock *socket, const struct paths *paths, char shape[static WITNESS_SIZE],
                      struct error *error)
{
    static const struct {
        int type, table; /* request, attribute that filters by table (0: the kernel cannot) */
    } lists[] = {{NFT_MSG_GETCHAIN, 0}, {NFT_MSG_GETRULE, NFTA_RULE_TABLE}, {NFT_MSG_GETSET, NFTA_SET_TABLE}};
    _cleanup_digest_ struct digest *digest = digest_new();
    struct shape_walk walk = {.digest = digest, .table = paths->nft_table};
    for (size_t family = 0; family < sizeof(families); family++) {
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
            _cleanup_message_ struct nl_msg *message = request(lists[i].type, families[family]);
            if (lists[i].table)
                message_put_text(message, lists[i].table, paths->nft_table);
            struct error failure = {0};
            int result = netlink_dump(socket, message, take_shape, &walk, "tables", &failure);
            if (result < 0 && result != -ENOENT && result != -EINTR)
                return error_set(error, result, "%s", failure.text);
        }
    }
    if (walk.chains)
        digest_finish(digest, shape);
    else
        *shape = '\0';
    return 0;
}

static int take_shape(const struct nlmsghdr *message, void *context)
{
    struct shape_walk *walk = context;
    static const unsigned chain[] = {NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE};
    static const unsigned rule[] = {NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS};
    static const unsigned set[] = {NFTA_SET_NAME,    NFTA_SET_FLAGS,     NFTA_SET_KEY_TYPE,
                                   NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN};
    int type = message->nlmsg_type & 0xff;
    const unsigned *kept = type == NFT_MSG_NEWCHAIN ? chain : type == NFT_MSG_NEWRULE ? rule : set;
    size_t count = type == NFT_MSG_NEWCHAIN ? 4 : type == NFT_MSG_NEWRULE ? 2 : 6;
    /* NFTA_CHAIN_TABLE, NFTA_RULE_TABLE and NFTA_SET_TABLE are all the first attribute. */
    struct nlattr *table =
        nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_CHAIN_TABLE);
    if (!table || nla_strcmp(table, walk->table) != 0)
        return 0;
    walk->chains += type == NFT_MSG_NEWCHAIN;
    const struct nfgenmsg *header = nlmsg_data((struct nlmsghdr *)message);
    digest_add(walk->digest, &header->nfgen_family, sizeof(header->nfgen_family));
    for (size_t i = 0; i < count; i++) {
        struct nlattr *attribute =
            nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), (int)kept[i]);
        if (attribute)
            digest_add(walk->digest, attribute, (size_t)nla_total_size(nla_len(attribute)));
    }
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

static bool witness_matches(const struct paths *paths, struct arena *arena, const char *shape)
{
    _cleanup_buffer_ struct buffer text = {0};
    return buffer_read_file(&text, AT_FDCWD, rules_witness_file(paths, arena), WITNESS_SIZE, NULL) == 0 &&
           text.bytes && strcmp(text.bytes, shape) == 0;
}
