/* All rules that nf_tables holds, of everybody, in the kernel's own terms: read when somebody asks what they do, not by
 * runs that change nothing. Rules that iptables-nft writes are among them, those of iptables-legacy are not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/index.h"

struct error;
struct nl_sock;
struct nlattr;

struct ruleset_rule {
    struct nlattr *expressions; /* NFTA_RULE_EXPRESSIONS; NULL: it has none */
    const char *comment;        /* NULL: none */
    uint64_t handle;
};

struct ruleset_chain {
    const char *key; /* "FAMILY/TABLE/CHAIN", the family as a number */
    const char *table, *name;
    struct ruleset_rule *rules;
    size_t count;
    const char **devices; /* that it is hooked to; none: all */
    size_t device_count;
    uint64_t handle;
    uint32_t hook; /* NF_INET_... or NF_NETDEV_... */
    int32_t priority;
    uint8_t family;
    bool is_base, drops, is_nat;
};

struct ruleset_element {
    const unsigned char *key, *end; /* end: of a range of joined keys; NULL */
    size_t size, end_size;
    struct nlattr *data; /* NFTA_SET_ELEM_DATA; NULL */
    bool ends_interval;  /* the one before does not reach this key */
    bool is_default;     /* of all keys that have no element */
    bool is_conditional; /* carries a limit or the like */
};

struct ruleset_set {
    const char *key; /* "FAMILY/TABLE/SET" */
    const char *table, *name;
    uint8_t family;
    bool intervals;
    unsigned char fields[16]; /* bytes of each of joined keys; 0 behind the last */
    struct ruleset_element *elements;
    size_t count;
    int state; /* 0: its elements are not read yet; 1: they are; negative: they cannot be */
};

struct ruleset {
    struct arena *arena;
    struct nl_sock *socket; /* for elements, which are read when they are asked for */
    struct ruleset_chain *chains;
    size_t chain_count;
    struct ruleset_set *sets;
    size_t set_count;
    struct index chains_by_key, sets_by_key;
};

/* The socket (NETLINK_NETFILTER) must outlive the rule set. -EBUSY when it changes faster than it can be listed. */
int ruleset_read(struct nl_sock *socket, struct arena *arena, struct ruleset *out, struct error *error);
/* NULL when there is none of that name, or its elements cannot be read. */
const struct ruleset_chain *ruleset_chain(const struct ruleset *ruleset, uint8_t family, const char *table,
                                          const char *name);
const struct ruleset_set *ruleset_set(struct ruleset *ruleset, uint8_t family, const char *table,
                                      const char *name);
/* "ip", "inet", ...; NULL: one that has no part in this. */
const char *ruleset_family(uint8_t family);
