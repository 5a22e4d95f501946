/* One probe of a container's health, for the loop in probe.c. Each is made by a child of its own, which may be as slow
 * or as broken as the guest makes it: whoever waits has a clock and kills. */
#pragma once

#include "drivers/container/internal.h"

#define PROBE_TEXT 200 /* bytes of what a probe said, with its end */

struct verdict { /* what the child tells, by one write into a pipe */
    int code;    /* 0 and more: an exit status, a status of HTTP, or 0 for a connection; negative errno */
    char text[PROBE_TEXT]; /* the last line of a command; "" */
};

struct probing {
    const struct paths *paths;
    const struct container_probe *request;
    int init; /* pidfd */
};

/* In the child; they do not return. probe_network.c and probe_command.c */
_Noreturn void probe_network(const struct probing *probing, int verdict);
_Noreturn void probe_command(const struct probing *probing, int verdict);
_Noreturn void probe_tell(int verdict, int code, const char *text);

/* Kills a child of this process, all that descends from it, and who is left of the sessions that those lead: process_tree.c */
void process_tree_kill(pid_t root);
