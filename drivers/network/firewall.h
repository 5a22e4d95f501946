/* What the packet filters of this host, everybody's, do to connections that reach containers or leave them.
 *
 * Asked for by commands that tell of it and by plans that open a port, never by a run that has nothing to do: it reads
 * all rules. The answer is "passes" or "ends" only where that is so for every packet of the connection; what depends on
 * something that cannot be known beforehand, or is not understood, is "may end". */
#pragma once

#include "drivers/paths.h"
#include "specs/model.h"

struct error;

struct crossing {         /* a connection through this host: its first packet and the answer to that */
    const char *from;     /* interface that it comes in by; NULL: it is the host's own */
    const char *to;       /* interface that it leaves by */
    const char *protocol; /* "tcp" or "udp" */
    const char *source;   /* address or prefix; NULL: any */
    const char *target;   /* the same, after what we translate; NULL: any */
    int64_t port;         /* of the target; 0: any */
    const char *listen;   /* host's address that it was sent to; NULL: any of them */
    int64_t host;         /* port that it was sent to; 0: it is not translated */
    int64_t count;        /* of ports in a row, from both; 0 is 1 */
    bool is6;
    bool bridged; /* frames from one port of a bridge to another, which bridge-nf shows to these rules */
};

enum weight { WEIGHT_PASSES, WEIGHT_ENDS, WEIGHT_MAY_END };

/* Whose rule it is, as far as that shows: it decides what can be done about it. */
enum firewall {
    FIREWALL_NFT,
    FIREWALL_IPTABLES,
    FIREWALL_DOCKER,
    FIREWALL_UFW,
    FIREWALL_FIREWALLD,
    FIREWALL_LEGACY,
    FIREWALL_OURS
};

struct weighed {
    enum weight weight;
    bool answer;        /* it is the answer that ends */
    const char *rule;   /* "table ip filter, chain FORWARD: policy drop"; NULL: it passes */
    const char *unless; /* a rule that may accept it before; NULL */
    enum firewall firewall;
    const char *table; /* "ip filter", */
    const char *chain; /* and its chain in the hook */
};

struct way_in {
    const char *ifname;
    bool is_default; /* a default route leads there */
};

struct firewall_view {
    /* `out` has room for as many as there are crossings. */
    int (*weigh)(const struct paths *, const struct crossing *crossings, size_t count, struct arena *,
                 struct weighed *out, struct error *);
    /* Rules of others that lead a new connection to `host` and `listen` elsewhere: a text for each crossing; `out`, of
     * as many, stays as it is where there is none. */
    int (*claims)(const struct paths *, const struct crossing *crossings, size_t count, struct arena *,
                  const char **out, struct error *);
    /* Interfaces by which strangers may come: that are up, have an address and are not ours. */
    int (*ways_in)(const struct paths *, bool is6, struct arena *, struct way_in **out, size_t *count,
                   struct error *);
};
/* Pointers may be NULL: the fakes have no packet filter. */
extern const struct firewall_view firewall_view;
