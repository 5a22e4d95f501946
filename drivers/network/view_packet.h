/* A packet of which not everything is known, and what a rule makes of it.
 *
 * A rule is weighed as the kernel would run it, on registers whose bits are known or not. A condition is met, not met or
 * maybe met; so a packet that stands for many, from any address and port, has more than one fate, and all are noted. What
 * this program cannot evaluate is a maybe, never a yes or no. */
#pragma once

#include "drivers/network/view_ruleset.h"

enum certainty { NO, YES, MAYBE };

struct bits { /* of a header: bytes, and which bits of them are known */
    unsigned char value[40], known[40];
    size_t size;
};

struct packet {
    const char *in, *out; /* interfaces; NULL: none */
    bool in_is_any;
    struct bits network, transport;
    const unsigned char *original; /* target before it was translated; NULL: unknown */
    uint32_t state;                /* of the connection, as bits of nft's ct state */
    uint32_t status, status_known;
    uint16_t original_port; /* 0: unknown */
    uint8_t family;         /* NFPROTO_IPV4 or NFPROTO_IPV6 */
    uint8_t protocol;
    bool tracked; /* the connection is known by now */
    bool answer;
    bool from_local, to_local; /* an address of this host; known always but for !to_known */
    bool to_known;
};

/* What becomes of a packet: every end that it may come to. */
struct fate {
    bool passes;                            /* may be accepted */
    const struct ruleset_chain *base;       /* where it may end: of this chain, */
    const struct ruleset_chain *chain;      /* in this one, */
    const struct ruleset_rule *rule;        /* by this rule; NULL: by the policy */
    bool ends;                              /* may end */
    const struct ruleset_chain *exempts_in; /* who may accept what would end otherwise; NULL */
    const struct ruleset_rule *exempts;
    bool translates; /* may get another target */
    const struct ruleset_chain *translates_in;
    const struct ruleset_rule *translator;
};

struct walk {
    struct ruleset *ruleset;
    const struct packet *packet;
    const struct ruleset_chain *base;
    struct fate *fate;
    uint32_t mark, mark_known, ct_mark, ct_mark_known; /* go along through all hooks */
    size_t steps;
    unsigned depth;
    bool before_ours; /* who translates here does it instead of us: the packet goes elsewhere */
    bool left;        /* some of the packets may be out of the present chain, and go on behind it */
    bool unsure;      /* some of the packets are elsewhere by now: marks that are set are not set on all */
};

/* What a base chain does with the packet, added to the walk's fate. */
void walk_base(struct walk *walk, const struct ruleset_chain *chain);

/* ---- verdicts (view_walk.c), for expressions ---- */

#define VERDICT_TRANSLATE 100 /* beside NF_ACCEPT, NFT_JUMP...: another target */
#define VERDICT_UNKNOWN   101

enum flow { FLOW_ON, FLOW_RETURN, FLOW_END };
enum flow walk_verdict(struct walk *walk, const struct ruleset_chain *chain, const struct ruleset_rule *rule,
                       bool sure, int verdict, const char *target);

/* ---- expressions (view_expressions.c) ---- */

/* Runs a rule and all verdicts that it may come to. */
enum flow rule_run(struct walk *walk, const struct ruleset_chain *chain, const struct ruleset_rule *rule);

/* ---- extensions of iptables (view_xtables.c), which iptables-nft keeps in their binary form ---- */

enum certainty xt_matches(const struct walk *walk, const char *name, unsigned revision, const void *info,
                          size_t size);
/* NF_DROP, NFT_CONTINUE, ...; may change the walk's marks. */
int xt_target(struct walk *walk, const char *name, unsigned revision, const void *info, size_t size);

/* Whether some bytes, of which some bits are known, equal, or lie between, others. */
enum certainty bits_equal(const unsigned char *value, const unsigned char *known, const unsigned char *wanted,
                          size_t size);
enum certainty bits_between(const unsigned char *value, const unsigned char *known,
                            const unsigned char *first, const unsigned char *last, size_t size);
static inline enum certainty certainty_not(enum certainty is)
{
    return is == MAYBE ? MAYBE : is == NO ? YES : NO;
}
static inline enum certainty certainty_and(enum certainty left, enum certainty right)
{
    return left == NO || right == NO ? NO : left == YES && right == YES ? YES : MAYBE;
}
