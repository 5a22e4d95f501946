/* Flows of UDP as the kernel tracks them. Each was led somewhere by the rules that stood when its first packet came, and
 * goes on being led there, whatever the rules say since, until it is silent for 30 to 120 s. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;

struct flow_side {
    unsigned char address[16]; /* of IPv4 the first four, others are 0 */
    uint16_t port;
};
struct flow {
    bool is6;
    bool led;                  /* its target was changed (DNAT, whosoever) */
    bool sourced;              /* its source was (SNAT, masquerade) */
    bool answered;             /* something came back, be it once */
    struct flow_side from, to; /* of its first packet, before any translation */
    struct flow_side answer_from,
        answer_to; /* of what comes back: whom it was led to, and as whom it came there */
};

/* Whether a flow is to end. */
typedef bool flow_chooser(const struct flow *flow, void *context);

/* Ends those of this network namespace and family that `goes` picks, by their identity: what began since under the same
 * addresses stays. One list, and a message for each that ends. A kernel that tells of no flows (no ctnetlink) has none. */
int conntrack_end(bool is6, flow_chooser *goes, void *context, struct arena *arena, struct error *error);
