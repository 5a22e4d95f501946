/* What of our tables does not change with the elements of their sets, as a digest. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "drivers/network/view_rules.h"
#include "lib/digest.h"
#include "lib/error.h"

_Static_assert(WITNESS_SIZE == DIGEST_TEXT_SIZE, "the witness is a digest");

struct shape_walk {
    struct digest *digest;
    const char *table;
    size_t chains;
    struct rules_parts parts;
};

static int take_shape(const struct nlmsghdr *message, void *context);

/* `table`: the attribute that filters by table; 0: the kernel cannot. */
static int read_list(struct nl_sock *socket, int type, uint8_t family, int table, struct shape_walk *walk,
                     struct error *error)
{
    _cleanup_message_ struct nl_msg *message = netfilter_message(NFNL_SUBSYS_NFTABLES, type, family);
    if (table)
        message_put_text(message, table, walk->table);
    struct error failure = {0};
    int result = netlink_dump(socket, message, take_shape, walk, "tables", &failure);
    return result < 0 && result != -ENOENT && result != -EINTR ? error_set(error, result, "%s", failure.text)
                                                               : 0;
}

/* What is written at creation and does not change with the elements. Handles, use counts and the size of sets are
 * left out: they differ between two equal tables. */
int rules_read_shape(struct nl_sock *socket, const struct paths *paths, char shape[static WITNESS_SIZE],
                     struct rules_parts *parts, struct error *error)
{
    static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_BRIDGE, NFPROTO_IPV6};
    _cleanup_digest_ struct digest *digest = digest_new();
    struct shape_walk walk = {.digest = digest, .table = paths->nft_table};
    int result = read_list(socket, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, 0, &walk, error);
    for (size_t i = 0; i < sizeof(families) && result == 0; i++) {
        if (families[i] == NFPROTO_IPV6 && !walk.parts.has6)
            continue;
        result = read_list(socket, NFT_MSG_GETRULE, families[i], NFTA_RULE_TABLE, &walk, error);
        if (result == 0)
            result = read_list(socket, NFT_MSG_GETSET, families[i], NFTA_SET_TABLE, &walk, error);
    }
    if (result < 0)
        return result;
    *parts = walk.parts;
    if (walk.chains)
        digest_finish(digest, shape);
    else
        *shape = '\0';
    return 0;
}

static bool is_deaf_chain(const struct nlmsghdr *message, int type, uint8_t family)
{
    struct nlattr *name =
        type == NFT_MSG_NEWCHAIN && family == NFPROTO_BRIDGE
            ? nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_CHAIN_NAME)
            : NULL;
    return name && nla_strcmp(name, "postrouting") == 0;
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
    walk->parts.has6 = walk->parts.has6 || header->nfgen_family == NFPROTO_IPV6;
    walk->parts.has_deaf = walk->parts.has_deaf || is_deaf_chain(message, type, header->nfgen_family);
    digest_add(walk->digest, &header->nfgen_family, sizeof(header->nfgen_family));
    for (size_t i = 0; i < count; i++) {
        struct nlattr *attribute =
            nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), (int)kept[i]);
        if (attribute)
            digest_add(walk->digest, attribute, (size_t)nla_total_size(nla_len(attribute)));
    }
    return 0;
}
