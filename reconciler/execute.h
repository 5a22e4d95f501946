/* Runs a plan: journals intent before a step and outcome after it, side by side where nothing forbids, and records
 * what became so.
 *
 * The graph has a node for every action and a few that the plan does not list because they are shared: the rules
 * (one nft transaction for all containers of the run) and the names of networks that existed before. They belong
 * to the actions that wait for them. */
#pragma once

#include "reconciler/plan.h"

enum outcome { OUTCOME_PENDING, OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_SKIPPED, OUTCOME_CANCELED };
const char *outcome_name(enum outcome outcome);

struct executed { /* one for each action, in the plan's order */
    enum outcome outcome;
    const char *message; /* NULL when done */
};

struct execution {
    const struct paths *paths;
    const struct plan *plan;
    const struct actual *actual;
    const struct world *world;
    const struct policy *policy; /* NULL: not known; then no remote but the preset ones is */
    struct state *state;
    const struct builds *builds; /* of the plan; NULL: none */
    const struct builds_request *builds_request;
    const struct spec_source *sources; /* to record; may be none (stop, start) */
    size_t source_count;
    const struct object_set *desired; /* what these declare */
    const char *digest;               /* of the sources' text */
    bool down;                        /* the sources are taken down: automatic runs skip them from now on */
    const char *stopped_by;           /* recorded with VERB_STOP; NULL: not a person's stop */
    size_t parallel;
    int64_t timeout;      /* milliseconds a task; 0: none */
    int64_t stop_timeout; /* -1: each container's own */
    int64_t gate_timeout; /* milliseconds that a container is waited for at most */
    /* Each may be NULL. Every action ends, and only once; what is skipped or canceled never begins. */
    void (*begun)(void *context, const struct action *action);
    void (*progress)(void *context, const struct action *action, const char *line);
    void (*ended)(void *context, const struct action *action, enum outcome outcome, const char *message);
    void *context;
    const volatile int *interrupted; /* 1: end the current steps and stop, 2: stop at once */
};

struct execution_result {
    struct executed *items;
    size_t failed, skipped;
    size_t gates_late;  /* waits that took too long: who waited is skipped */
    const char **gates; /* waits that came to no good end, and why */
    size_t gate_count;
    bool canceled;
};

/* Negative only when the record itself could not be written; failed actions are in `result`. */
int execute_plan(const struct execution *execution, struct arena *arena, struct execution_result *result,
                 struct error *error);
