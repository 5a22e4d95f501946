/* The plan: what to do, in order, and why. Pure: values in, a value out.
 *
 * An action is what a user sees and what the journal names. Its steps (driver effects) are compiled when it runs,
 * since some of what they need (an image's digest) is only known then. Rules and names are shared by many objects:
 * the actions that change them say so (`shares`), and the executor writes them once for all. */
#pragma once

#include "reconciler/builds.h"
#include "reconciler/follow.h"
#include "reconciler/renames.h"
#include "specs/policy.h"

struct metadata;

enum verb {
    VERB_CREATE,
    VERB_UPDATE, /* live */
    VERB_RESTART,
    VERB_RECREATE,
    VERB_START,
    VERB_STOP,
    VERB_REPAIR, /* drift, live */
    VERB_RETAIN, /* declared no more; the data stays */
    VERB_DELETE,
    VERB_FORGET,   /* record only */
    VERB_SNAPSHOT, /* by command alone, as the two below: what is there is kept under a name */
    VERB_RESET,    /* a layer begins anew */
    VERB_RESTORE,  /* data is as in a snapshot */
    VERB_ADOPT,    /* what LXC had before: marked and recorded as it is */
    VERB_RENAME,   /* goes on under another name */
    VERB_EXPAND,   /* nothing yet: what is to be done is known once an image of this run is made */
    VERB_BUILD,    /* an image is made by its recipe, for the first time or anew */
    VERB_FETCH,    /* the recipe of an image: what it asks for is known then */
};
const char *verb_name(enum verb verb);

struct warning { /* of what may keep an object from having its effect, and is no reason to hold it */
    const char *text;
    struct place at;
};

struct action {
    const char *id; /* "VERB kind/project/name" */
    enum kind kind;
    const char *name;
    enum verb verb;
    enum field_class class;
    struct changes causes;
    struct action **needs;
    size_t need_count;
    const struct object *object; /* desired; NULL when it goes */
    struct entry *entry;         /* recorded; NULL when it is new */
    const char *uid;             /* of the object: recorded, found in a mark, or new */
    int64_t generation;
    const char *snapshot; /* what is there is kept as this; NULL */
    const char *from;     /* VERB_RESTORE: the snapshot that is gone back to */
    const char *wish;     /* these verbs of data: the words of the command, */
    const char *token;    /* and what it is known by, as long as it has not come to its end */
    const char *digest;   /* of the image that the layer stands on after that; NULL: as before */
    const char *kept_as;  /* done: the snapshot that was made; NULL: none */
    struct record *layer; /* containers that are made: of their own layer, as written down before; NULL */
    const char *was;      /* full name that it goes on from; NULL */
    const char *expands;  /* VERB_EXPAND: the image */
    struct list leased;   /* containers: the lease_address of each network that it was not in before */
    const char *leased_subnet, *leased_subnet6; /* networks: of new ones; NULL */
    const char *hint;                           /* what else may have been meant; NULL */
    const char *asked; /* images: by which words of a recipe or spec, and where they stand; NULL */
    struct warning *warnings;
    size_t warning_count;
    bool cuts;  /* networks: it goes while NICs of containers hang on it, which come back elsewhere */
    bool wakes; /* containers: a person's stop ends with it, whatever else it does */
    bool rests; /* containers that are renamed: it does not run, and is not to */
    struct follow follow;         /* containers: whether the layer is put on another image */
    const char *made_of;          /* VERB_BUILD, once it is compiled: struct build */
    const char *flagged;          /* VERB_BUILD: flags of the command line that it is made with; NULL */
    struct texts anew;            /* the same: struct steps */
    struct build_run *failed_run; /* the same, and it failed in a RUN: that one; NULL */
    const char *fetched;          /* the same */
    struct object *builder;       /* VERB_BUILD: the container that RUN takes place in */
    bool shares_rules;            /* waits for the rules of this run */
    bool config_changed;          /* containers: the definition must be written */
    bool unfinished;       /* containers: an earlier run began something that did not come to its end */
    bool only_follows;     /* containers: nothing but another image is the cause */
    bool dropped;          /* contested: on its way out of the plan */
    size_t index;          /* in the plan that is being executed */
    struct record *record; /* what the run recorded of it, and its facts; NULL before */
    struct facts *facts;
};

/* A container lets go of its layer before it or who takes that layer begins: they wait for each other. */
struct release {
    struct action *leaves, *takes;
    struct action **needs;
    size_t need_count;
};

/* Some of the run's actions wait until the container has completed, or is healthy. For its health the run itself waits, too. */
struct await {
    const struct object *object;
    bool healthy;
    struct action *after; /* its own; NULL: it runs already */
    struct action **waiting;
    size_t waiting_count;
};

struct held {
    enum kind kind;
    const char *name;
    const char *reason;
    const char *hint; /* NULL: none */
    struct place at;
    bool serves;      /* what it is now goes on being used; only the change waits */
    const char *port; /* with `listener`: the forward that it is in the way of; NULL */
    const struct observed_listener *listener;
};

struct plan {
    struct action **actions; /* in order */
    size_t count;
    struct held *held;
    size_t held_count;
    struct release *releases;
    size_t release_count;
    struct await *awaits;
    size_t await_count;
    struct object_set all; /* what exists after the run */
    /* Of these the containers that no record has and this run does not begin to make: they wait for an image. What
     * the host knows of containers is what the record has, so that whoever asks next finds no other hand's doing. */
    struct object_set absent;
    struct grants grants;
    struct rules *rules_first; /* for the run: the final ones and those of what still goes */
    struct rules *rules_last;  /* after it */
    bool rules_change_first, rules_change_last;
    const struct renames *renames;
    const char **resolvers; /* networks whose names change, by name */
    size_t resolver_count;
    size_t removals,
        recorded;      /* for the mass-delete guard: declared objects that go, and that the sources hold */
    const char *moved; /* an object that another source holds: refused, this says so; NULL */
};

struct plan_request {
    const struct paths *paths;
    const struct object_set *desired;
    const struct spec_source *sources;
    size_t source_count;
    struct texts
        gone_sources; /* recorded ones whose path exists no more: what they hold may move by itself */
    const struct actual *actual;   /* under the names that it goes on with: */
    const struct renames *renames; /* NULL: none */
    const struct world *world;
    const struct lease_rules *lease_rules;
    bool narrowed;               /* by --target: nothing else is looked after, and nothing goes */
    const struct policy *policy; /* NULL: not asked, the objects are recorded ones */
    struct texts stops, starts;  /* full names of containers that stop and start beside what is planned */
    struct texts adopted;        /* full names of containers that this run takes over */
    struct texts failed;         /* ids of objects: this run has tried and could not; they stay as they are */
    bool force;                  /* limits may go below what is used */
    bool offline;                /* no server is asked */
    const struct metadata *metadata; /* what `desired` has of images; NULL: nothing, or it is recorded */
    const struct builds *builds;     /* what the recipes of `desired` ask for; NULL: none was read */
    int64_t contested_at; /* contest_now() of a run that lets contested drift stand; 0: it is repaired */
};

/* Trouble is part of the plan: what cannot be is held. */
void plan_make(const struct plan_request *request, struct arena *arena, struct plan *plan);

/* Whether there will be more to do once the plan's images are made. */
bool plan_has_expansions(const struct plan *plan);
/* plan_awaits.c: whether its health can be found out; and that the run waits for it, whatever else it does. */
bool plan_probes(const struct object *container);
void plan_await_health(struct plan *plan, struct arena *arena, const struct object *container);
/* Whether an action of the plan is about what is recorded so. */
bool plan_acts_on(const struct plan *plan, const struct entry *entry);
/* Whether `user` needs the object of that kind and name. */
bool plan_uses(const struct object *user, enum kind kind, const char *name);
/* Whether it is about data alone: what runs, runs on. */
bool verb_is_of_data(enum verb verb);

/* Whether the config on disk is not the one that the object asks for: gone, edited, or made otherwise today. */
bool plan_config_differs(const struct target *target, const struct object *object, const struct entry *entry,
                         const struct observed_container *seen);

#define PLAN_DEFAULT_ROUTE "default route" /* the cause where a network moves it */

/* Whether a cause names the field or something inside it. */
bool plan_field_changed(const struct changes *causes, const char *field);

struct json;
/* `verbose`: with what each action waits for. */
void plan_print(const struct plan *plan, bool color, bool verbose, struct buffer *out);
struct json *plan_to_json(const struct plan *plan);
struct json *action_to_json(const struct action *action);
/* "start container shop/web" */
char *action_text(struct arena *arena, const struct action *action);
