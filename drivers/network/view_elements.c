/* See view_elements.h. */
#include "drivers/network/view_elements.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

struct walk {
    element_handler *handler;
    void *context;
};

static const unsigned char *value_of(struct nlattr *data, size_t *size)
{
    struct nlattr *value = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VALUE) : NULL;
    *size = value ? (size_t)nla_len(value) : 0;
    return value ? nla_data(value) : NULL;
}

static int take(const struct nlmsghdr *message, void *context)
{
    const struct walk *walk = context;
    struct nlattr *attributes[NFTA_SET_ELEM_MAX + 1], *item;
    int left, result = 0;
    struct nlattr *list =
        nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
    if (!list)
        return 0;
    nla_for_each_nested(item, list, left)
    {
        if (nla_parse_nested(attributes, NFTA_SET_ELEM_MAX, item, NULL) < 0)
            return -EBADMSG;
        struct nlattr *flags = attributes[NFTA_SET_ELEM_FLAGS];
        struct element element = {
            .data = attributes[NFTA_SET_ELEM_DATA],
            .flags = flags ? ntohl(nla_get_u32(flags)) : 0,
            .is_conditional = attributes[NFTA_SET_ELEM_EXPR] || attributes[NFTA_SET_ELEM_EXPRESSIONS],
        };
        element.key = value_of(attributes[NFTA_SET_ELEM_KEY], &element.key_size);
        element.end = value_of(attributes[NFTA_SET_ELEM_KEY_END], &element.end_size);
        element.value = value_of(element.data, &element.value_size);
        if ((result = walk->handler(&element, walk->context)) < 0)
            return result;
    }
    return 0;
}

int elements_dump(struct nl_sock *socket, uint8_t family, const char *table, const char *set,
                  element_handler *handler, void *context, struct error *error)
{
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM, family);
    message_put_text(message, NFTA_SET_ELEM_LIST_TABLE, table);
    message_put_text(message, NFTA_SET_ELEM_LIST_SET, set);
    return netlink_dump(socket, message, take, &(struct walk){handler, context}, "elements", error);
}
