/* From an action to the steps that a worker runs. */
#pragma once

#include "drivers/steps.h"
#include "reconciler/fills.h"
#include "reconciler/plan.h"

struct step {
    enum step_kind kind;
    void *request;
};

struct steps {
    struct step *items;
    size_t count;
    const char *trouble; /* why there are none; NULL */
    const char *made_of; /* of a build; NULL */
    const char *fetched; /* of a build: struct build, `fetched`; NULL */
    struct texts
        anew; /* of a build with --no-cache: of each step the key it has, and the one that it is cached under */
};

struct compiling {
    const struct target *target;
    const struct world *world;
    const struct policy *policy;     /* NULL: not known */
    const struct snapshot *recorded; /* with the leases as they were before the run */
    const char *digest;              /* containers: of the image their layer stands on */
    struct fills *fills;
    const char *(*digest_of)(const void *context, const char *image);  /* see struct fill_digests */
    const char *(*config_of)(const void *context, const char *digest); /* of an image; NULL: it has none */
    const void *context;
    const struct builds *builds; /* of the set; NULL */
    const struct builds_request *builds_request;
    int64_t stop_timeout;   /* milliseconds; -1: the container's own */
    const char *stopped_by; /* of VERB_STOP: the person, and when; NULL: nobody */
};

/* What of an image's source its making and its asking are told: not what was there before. */
void compile_image_source(struct arena *arena, const struct policy *policy, const struct object *object,
                          struct image_make *make);
/* Empty for actions that change nothing but the record. Pure; requests live in target->arena. */
void compile_action(const struct compiling *compiling, const struct action *action, struct steps *steps);
/* What takes a container from its root before its action begins; empty where nothing holds it. */
void compile_release(const struct compiling *compiling, const struct action *action, struct steps *steps);
/* What takes containers from a network that goes under them (action->cuts); empty where none hangs on it. */
void compile_cut(const struct compiling *compiling, const struct action *action, struct steps *steps);
void steps_add(struct arena *arena, struct steps *steps, enum step_kind kind, void *request);
