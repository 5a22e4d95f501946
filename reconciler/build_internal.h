/* How a recipe becomes a build, among the files of that: build.c walks the stages, build_values.c knows their variables,
 * build_config.c does what changes the config alone, build_run.c, build_copy.c and build_inputs.c make steps, build_key.c
 * their keys. */
#pragma once

#include "reconciler/build.h"
#include "specs/ignore.h"
#include "specs/recipe_check.h"
#include "specs/recipe_expand.h"

struct digest;

struct variables {
    struct pair *items;
    size_t count;
    /* There are others, of an image that is not known yet: becomes true when one is asked for that is not here. NULL: that is
     * known to be not set. */
    bool *missed;
};

struct stage_state {
    const struct recipe_stage *stage;
    bool needed;
    bool in_doubt; /* its variables may not have the values that were meant: nothing is judged by them */
    const struct stage_state *parent; /* FROM an earlier stage; NULL */
    struct build_base base;           /* of an image; name NULL: scratch */
    const char *key;            /* of the last step, or what stands for the image; NULL: not known yet */
    struct texts below;         /* keys of its steps, newest first */
    struct variables variables; /* that its instructions see: ARG and ENV, and what the base says */
    bool missed;                /* what these point to where the base is not known yet */
    struct image_config *config;
    bool has_command; /* it has a CMD of its own, which ENTRYPOINT does not take back */
};

struct making {
    const struct build_request *request;
    struct arena *arena;
    struct problems *problems;
    struct build *build;
    struct variables globals; /* ARG before the first FROM, and what is there without one */
    bool in_doubt;            /* these are: see stage_state */
    const char *epoch;
    struct stage_state *stages; /* one a stage of the recipe */
    struct ignore *ignore;      /* of the context; NULL: not read yet */
    int folder;                 /* of the context; -1 */
    bool has_context;           /* it is open, and what is ignored of it is known */
    const char **consumed;      /* names of arguments that an ARG took */
    size_t consumed_count;
    const char **mounted; /* ids of secrets that a RUN mounts */
    size_t mounted_count;
};

/* build_values.c */
const char *variables_get(const struct variables *variables, const char *name); /* NULL: not set */
const char *variables_ask(const struct variables *variables,
                          const char *name); /* the same for an instruction */
void variables_unset(struct variables *variables, const char *name);
void variables_set(struct arena *arena, struct variables *variables, const char *name, const char *value);
void globals_read(struct making *making);
/* NULL after a problem. */
const char *expand_text(struct making *making, const struct variables *variables, const char *text,
                        struct place place, const char *what);
bool apply_arg(struct making *making, struct stage_state *state,
               const struct recipe_instruction *instruction);
const char *given_argument(const struct making *making, const char *name); /* NULL */

/* build_config.c: instructions that make no step; `said` gets what they come to. */
bool apply_config(struct making *making, struct stage_state *state,
                  const struct recipe_instruction *instruction, struct buffer *said);

/* build_run.c, build_copy.c. `part` gets the inputs. */
bool apply_run(struct making *making, struct stage_state *state, const struct recipe_instruction *instruction,
               struct build_part *part);
bool apply_workdir(struct making *making, struct stage_state *state,
                   const struct recipe_instruction *instruction, struct buffer *said);
bool apply_copy(struct making *making, struct stage_state *state,
                const struct recipe_instruction *instruction, struct build_part *part, struct buffer *said);
/* "Recipe:4 COPY a b" */
const char *step_title(const struct making *making, const struct recipe_instruction *instruction);
/* `hashed` is what is said of the step in its key, or NULL where something of it is not known yet; taken over. */
void add_step(struct making *making, struct stage_state *state, const struct recipe_instruction *instruction,
              enum step_kind kind, void *request, struct build_place *place, bool has_network,
              struct digest *hashed);

/* build.c: what --from and from= name: an earlier stage or an image. `how` is what stands before the name, for people. NULL
 * after a problem, here or of a FROM that may have meant that name. `identity` is what stands for it in a key; NULL: not known yet. */
struct build_place *place_of(struct making *making, const struct stage_state *state, const char *how,
                             const char *from, struct place place, const char **identity);

/* build_inputs.c */
struct input_request {
    const char *pattern; /* a source, expanded; a glob, where `is_glob` */
    bool is_glob;
    const struct recipe_instruction *instruction; /* --exclude and --parents are its flags */
    struct place place;
};
/* Appends a source for each match. False after a problem, as when there is none. */
bool find_inputs(struct making *making, const struct input_request *request,
                 const struct variables *variables, struct list *sources, struct build_part *part);
void add_input(struct making *making, struct build_part *part, const char *path, const char *digest);
void inputs_close(struct making *making);

/* build_key.c: a digest over texts and numbers, none of which runs into the next. NULL is a text of its own. */
struct digest *key_begin(const char *epoch, const char *kind);
void key_text(struct digest *digest, const char *text);
void key_number(struct digest *digest, int64_t number);
void key_texts(struct digest *digest, const struct texts *texts);
const char *key_end(struct arena *arena, struct digest *digest);

/* build_changes.c */
const char *made_of(struct arena *arena, const struct build *build);
