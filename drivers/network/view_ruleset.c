/* See view_ruleset.h. */
#include "drivers/network/view_ruleset.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "drivers/network/view_elements.h"
#include "lib/error.h"

#define ATTEMPTS 16

struct set_walk {
    struct ruleset *ruleset;
    struct ruleset_set *set;
};

static int read_list(struct ruleset *ruleset, int type, netlink_handler *take, struct error *error);
static int take_chain(const struct nlmsghdr *message, void *context);
static int take_rule(const struct nlmsghdr *message, void *context);
static int take_set(const struct nlmsghdr *message, void *context);
static int take_element(const struct element *element, void *context);

int ruleset_read(struct nl_sock *socket, struct arena *arena, struct ruleset *out, struct error *error)
{
    /* The kernel marks an answer that a commit came between; what comes between two answers leaves at worst a jump or a
     * set without its target, which is taken for unknown. */
    int result = -EINTR;
    for (int attempt = 0; result == -EINTR && attempt < ATTEMPTS; attempt++) {
        *out = (struct ruleset){.arena = arena, .socket = socket};
        if ((result = read_list(out, NFT_MSG_GETCHAIN, take_chain, error)) < 0)
            continue;
        out->chains_by_key = index_make(arena, out->chains, out->chain_count, sizeof(*out->chains),
                                        offsetof(struct ruleset_chain, key));
        if ((result = read_list(out, NFT_MSG_GETRULE, take_rule, error)) < 0 ||
            (result = read_list(out, NFT_MSG_GETSET, take_set, error)) < 0)
            continue;
        out->sets_by_key = index_make(arena, out->sets, out->set_count, sizeof(*out->sets),
                                      offsetof(struct ruleset_set, key));
    }
    return result == -EINTR ? error_set(error, -EBUSY, "rules change faster than they can be listed")
                            : result;
}

static const char *key_of(struct arena *arena, uint8_t family, const char *table, const char *name)
{
    return arena_printf(arena, "%u/%s/%s", family, table, name);
}

const struct ruleset_chain *ruleset_chain(const struct ruleset *ruleset, uint8_t family, const char *table,
                                          const char *name)
{
    return index_find(&ruleset->chains_by_key, key_of(ruleset->arena, family, table, name));
}

const struct ruleset_set *ruleset_set(struct ruleset *ruleset, uint8_t family, const char *table,
                                      const char *name)
{
    struct ruleset_set *set = index_find(&ruleset->sets_by_key, key_of(ruleset->arena, family, table, name));
    if (!set)
        return NULL;
    for (int attempt = 0; !set->state && attempt < ATTEMPTS; attempt++) {
        struct error ignored;
        set->elements = NULL;
        set->count = 0;
        int result = elements_dump(ruleset->socket, family, table, name, take_element,
                                   &(struct set_walk){ruleset, set}, &ignored);
        set->state = result == 0 ? 1 : result == -EINTR ? 0 : result;
    }
    return set->state > 0 ? set : NULL;
}

const char *ruleset_family(uint8_t family)
{
    return family == NFPROTO_IPV4     ? "ip"
           : family == NFPROTO_IPV6   ? "ip6"
           : family == NFPROTO_INET   ? "inet"
           : family == NFPROTO_NETDEV ? "netdev"
           : family == NFPROTO_BRIDGE ? "bridge"
                                      : NULL;
}

static int read_list(struct ruleset *ruleset, int type, netlink_handler *take, struct error *error)
{
    _cleanup_message_ struct nl_msg *message = netfilter_message(NFNL_SUBSYS_NFTABLES, type, NFPROTO_UNSPEC);
    return netlink_dump(ruleset->socket, message, take, ruleset, "list of rules", error);
}

/* Attributes of a message, or false: it is of a family without a part in this. */
static bool parse(const struct nlmsghdr *message, struct nlattr **attributes, int last, uint8_t *family)
{
    const struct nfgenmsg *header = nlmsg_data(message);
    *family = header->nfgen_family;
    return ruleset_family(*family) &&
           nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, last, NULL) == 0;
}

static void take_hook(struct arena *arena, struct nlattr *hook, struct ruleset_chain *chain)
{
    struct nlattr *attributes[NFTA_HOOK_MAX + 1], *device;
    int left;
    if (nla_parse_nested(attributes, NFTA_HOOK_MAX, hook, NULL) < 0 || !attributes[NFTA_HOOK_HOOKNUM] ||
        !attributes[NFTA_HOOK_PRIORITY])
        return;
    chain->is_base = true;
    chain->hook = ntohl(nla_get_u32(attributes[NFTA_HOOK_HOOKNUM]));
    chain->priority = (int32_t)ntohl(nla_get_u32(attributes[NFTA_HOOK_PRIORITY]));
    if (attributes[NFTA_HOOK_DEVS])
        nla_for_each_nested(device, attributes[NFTA_HOOK_DEVS], left) *
            arena_append(arena, chain->devices, chain->device_count) =
            arena_strdup(arena, nla_get_string(device));
    else if (attributes[NFTA_HOOK_DEV])
        *arena_append(arena, chain->devices, chain->device_count) =
            arena_strdup(arena, nla_get_string(attributes[NFTA_HOOK_DEV]));
}

static int take_chain(const struct nlmsghdr *message, void *context)
{
    struct ruleset *ruleset = context;
    struct arena *arena = ruleset->arena;
    struct nlattr *attributes[NFTA_CHAIN_MAX + 1];
    uint8_t family;
    if (!parse(message, attributes, NFTA_CHAIN_MAX, &family) || !attributes[NFTA_CHAIN_TABLE] ||
        !attributes[NFTA_CHAIN_NAME])
        return 0;
    struct ruleset_chain *chain = arena_append(arena, ruleset->chains, ruleset->chain_count);
    *chain = (struct ruleset_chain){
        .table = arena_strdup(arena, nla_get_string(attributes[NFTA_CHAIN_TABLE])),
        .name = arena_strdup(arena, nla_get_string(attributes[NFTA_CHAIN_NAME])),
        .family = family,
        .handle = attributes[NFTA_CHAIN_HANDLE] ? be64toh(nla_get_u64(attributes[NFTA_CHAIN_HANDLE])) : 0,
        .drops =
            attributes[NFTA_CHAIN_POLICY] && ntohl(nla_get_u32(attributes[NFTA_CHAIN_POLICY])) == NF_DROP,
        .is_nat = attributes[NFTA_CHAIN_TYPE] && nla_strcmp(attributes[NFTA_CHAIN_TYPE], "nat") == 0,
    };
    chain->key = key_of(arena, family, chain->table, chain->name);
    if (attributes[NFTA_CHAIN_HOOK])
        take_hook(arena, attributes[NFTA_CHAIN_HOOK], chain);
    return 0;
}

/* nft keeps a comment among a rule's private data: type 0, its length, the text with its end. */
static const char *comment_of(struct arena *arena, struct nlattr *attribute)
{
    if (!attribute)
        return NULL;
    const unsigned char *bytes = nla_data(attribute);
    for (int at = 0, size = nla_len(attribute); at + 2 <= size && at + 2 + bytes[at + 1] <= size;
         at += 2 + bytes[at + 1])
        if (bytes[at] == 0 && bytes[at + 1])
            return arena_strndup(arena, (const char *)bytes + at + 2,
                                 strnlen((const char *)bytes + at + 2, bytes[at + 1]));
    return NULL;
}

static int take_rule(const struct nlmsghdr *message, void *context)
{
    struct ruleset *ruleset = context;
    struct nlattr *attributes[NFTA_RULE_MAX + 1];
    uint8_t family;
    if (!parse(message, attributes, NFTA_RULE_MAX, &family) || !attributes[NFTA_RULE_TABLE] ||
        !attributes[NFTA_RULE_CHAIN])
        return 0;
    struct ruleset_chain *chain = index_find(
        &ruleset->chains_by_key, key_of(ruleset->arena, family, nla_get_string(attributes[NFTA_RULE_TABLE]),
                                        nla_get_string(attributes[NFTA_RULE_CHAIN])));
    if (!chain)
        return 0;
    struct nlattr *expressions = attributes[NFTA_RULE_EXPRESSIONS];
    *arena_append(ruleset->arena, chain->rules, chain->count) = (struct ruleset_rule){
        .expressions = expressions ? arena_copy(ruleset->arena, expressions, expressions->nla_len) : NULL,
        .comment = comment_of(ruleset->arena, attributes[NFTA_RULE_USERDATA]),
        .handle = attributes[NFTA_RULE_HANDLE] ? be64toh(nla_get_u64(attributes[NFTA_RULE_HANDLE])) : 0,
    };
    return 0;
}

static void take_fields(struct nlattr *description, struct ruleset_set *set)
{
    struct nlattr *joined = nla_find(nla_data(description), nla_len(description), NFTA_SET_DESC_CONCAT);
    struct nlattr *field;
    size_t count = 0;
    int left;
    if (!joined)
        return;
    nla_for_each_nested(field, joined, left)
    {
        struct nlattr *length = nla_find(nla_data(field), nla_len(field), NFTA_SET_FIELD_LEN);
        if (length && count < sizeof(set->fields) - 1)
            set->fields[count++] = (unsigned char)((ntohl(nla_get_u32(length)) + 3) & ~3U);
    }
}

static int take_set(const struct nlmsghdr *message, void *context)
{
    struct ruleset *ruleset = context;
    struct arena *arena = ruleset->arena;
    struct nlattr *attributes[NFTA_SET_MAX + 1];
    uint8_t family;
    if (!parse(message, attributes, NFTA_SET_MAX, &family) || !attributes[NFTA_SET_TABLE] ||
        !attributes[NFTA_SET_NAME])
        return 0;
    uint32_t flags = attributes[NFTA_SET_FLAGS] ? ntohl(nla_get_u32(attributes[NFTA_SET_FLAGS])) : 0;
    struct ruleset_set *set = arena_append(arena, ruleset->sets, ruleset->set_count);
    *set = (struct ruleset_set){
        .table = arena_strdup(arena, nla_get_string(attributes[NFTA_SET_TABLE])),
        .name = arena_strdup(arena, nla_get_string(attributes[NFTA_SET_NAME])),
        .family = family,
        .intervals = flags & NFT_SET_INTERVAL,
    };
    set->key = key_of(arena, family, set->table, set->name);
    if (attributes[NFTA_SET_DESC])
        take_fields(attributes[NFTA_SET_DESC], set);
    return 0;
}

static const void *keep(struct arena *arena, const void *bytes, size_t size)
{
    return bytes ? arena_copy(arena, bytes, size) : NULL;
}

static int take_element(const struct element *element, void *context)
{
    struct set_walk *walk = context;
    struct arena *arena = walk->ruleset->arena;
    *arena_append(arena, walk->set->elements, walk->set->count) = (struct ruleset_element){
        .key = keep(arena, element->key, element->key_size),
        .end = keep(arena, element->end, element->end_size),
        .size = element->key_size,
        .end_size = element->end_size,
        .data = element->data ? arena_copy(arena, element->data, element->data->nla_len) : NULL,
        .ends_interval = element->flags & NFT_SET_ELEM_INTERVAL_END,
        .is_default = element->flags & NFT_SET_ELEM_CATCHALL,
        .is_conditional = element->is_conditional,
    };
    return 0;
}
