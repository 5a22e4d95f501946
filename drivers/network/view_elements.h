/* Elements of a set or map of nftables, ours or another's, one after the other. */
#pragma once

#include <stdbool.h>

#include "drivers/network/view_netlink.h"

struct element { /* lives as long as its message */
    const unsigned char *key,
        *end; /* of an element without a key, for all that have none: NULL. end: of a range;
                                       NULL */
    size_t key_size, end_size;
    struct nlattr *data;        /* NFTA_SET_ELEM_DATA; NULL */
    const unsigned char *value; /* in it; NULL: it is a verdict, or there is none */
    size_t value_size;
    uint32_t flags;      /* NFT_SET_ELEM_* */
    bool is_conditional; /* carries a limit or the like */
};

/* A negative return ends the walk and is returned. */
typedef int element_handler(const struct element *element, void *context);

/* Results as of netlink_dump(); -EBADMSG for what is no element. */
int elements_dump(struct nl_sock *socket, uint8_t family, const char *table, const char *set,
                  element_handler *handler, void *context, struct error *error);
