/* What doctor's parts share: one line for each thing that it looks at. */
#pragma once

#include "reconciler/session.h"

struct finding {
    const char *what;  /* how it is to be: its name in data */
    const char *fault; /* how it is otherwise, as people are told */
    const char *cost, *mend;
    bool fatal;
};

struct report {
    struct json *list;
    size_t fatal, warnings;
    const struct options *options;
};

void doctor_check(struct report *report, bool good, const struct finding *finding);

/* Addresses and gateways that recorded objects name. */
void doctor_check_networks(struct report *report, const struct session *session);

/* What the firewalls of this host do to forwards, to what leaves networks, and between containers of one. */
void doctor_check_firewall(struct report *report, struct session *session);
