/* Links, addresses and routes as the kernel lists them, in this network namespace or, by its netnsid, in another. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/network/view_netlink.h"
#include "lib/arena.h"

#define MAC_TEXT_SIZE      18
#define PREFIX_TEXT_SIZE   19 /* "255.255.255.255/32" */
#define ADDRESS6_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */
#define PREFIX6_TEXT_SIZE  50
#define HERE               (-1) /* netnsid of the namespace the socket lives in */

enum link_kind { LINK_OTHER, LINK_BRIDGE, LINK_VETH, LINK_MACVLAN };

struct link {
    int index;
    char name[IFNAMSIZ];
    const char *mark; /* alias; NULL: none */
    const char *mac;  /* NULL: no Ethernet address */
    enum link_kind kind;
    unsigned flags; /* IFF_UP, ... */
    unsigned mtu;
    int master;                  /* index; 0: none */
    int peer;                    /* of a veth: index of the other end; of a macvlan: of its parent */
    int peer_netnsid;            /* HERE: the other end is in the same namespace */
    bool hairpin;                /* of a bridge's port: frames may leave by the port they came from */
    bool forwards6;              /* forwarding of IPv6 */
    bool forwards, routes_local; /* settings of IPv4 on it: forwarding, route_localnet */
};

struct links {
    struct link *items;
    size_t count;
};

struct address {
    int index;        /* of the link */
    uint32_t address; /* network order */
    uint8_t length;   /* of the prefix */
};

struct address6 {
    int index;
    unsigned char bytes[16];
    uint8_t length;
    bool lasting; /* until somebody takes it away: what routers give has an end */
};

struct addresses {
    struct address *items; /* in the kernel's order: a link's first address is its primary one */
    size_t count;
    struct address6 *six; /* IPv6, without those that count on the link alone */
    size_t six_count;
};

/* -EBUSY, and the last list, when they change faster than they can be listed. */
int links_dump(struct nl_sock *socket, struct arena *arena, struct links *out, struct error *error);
int addresses_dump(struct nl_sock *socket, int netnsid, struct arena *arena, struct addresses *out,
                   struct error *error);
/* 1 and `link` filled, 0 when there is none of that index in the namespace of that number, or the guest there has
 * given it more names than the kernel can tell of. */
int link_inside(struct nl_sock *socket, int netnsid, int index, struct arena *arena, struct link *link,
                struct error *error);
/* 1 and `link` filled, 0 when there is none of that name. */
int link_find(struct nl_sock *socket, const char *name, struct arena *arena, struct link *link,
              struct error *error);

const struct link *links_by_index(const struct links *links, int index); /* NULL when absent */

void mac_print(const unsigned char mac[static 6], char text[static MAC_TEXT_SIZE]);
void prefix_print(uint32_t address, unsigned length, char text[static PREFIX_TEXT_SIZE]);
void address6_print(const struct address6 *address, char text[static ADDRESS6_TEXT_SIZE]);
void prefix6_print(const struct address6 *address, char text[static PREFIX6_TEXT_SIZE]);
/* The strict inverses: only what the printers write is accepted. -EINVAL. */
int mac_parse(const char *text, unsigned char mac[static 6]);
int address_parse(const char *text, uint32_t *address);
int address6_parse(const char *text, struct address6 *address);
int prefix6_parse(const char *text, struct address6 *address);
int prefix_parse(const char *text, uint32_t *address, unsigned *length);
/* A name that the kernel takes and that means nothing special to nftables or in a path. */
bool ifname_is_valid(const char *name);
