/* A build: what a recipe asks for, as the steps that the drivers make, each known by a key.
 *
 * The recipe is read (specs/recipe.h), its variables are given their values, and every instruction that changes the root
 * becomes one step of drivers/image/build.h: RUN, COPY and ADD, and WORKDIR. The others only change what the steps after
 * them see, and the config of the image. Only the stages that the wanted one needs are looked at.
 *
 * The key of a step is a digest over the key before it (or the digest of the image that the stage stands on), the
 * instruction in canonical form with all that it sees (environment, arguments, user, directory, shell), the digests of
 * its inputs, and SOURCE_DATE_EPOCH; never over a time. A step with a known key need not be made again. As long as the
 * image below a stage is not known (it is made by the same run), its steps have no keys; what they are made of is known
 * all the same, and is what a plan compares (`made_of`).
 *
 * Pure, but for reading the context through drivers/image/view_context.h. Everything lives in the arena. */
#pragma once

#include "drivers/image/build.h"
#include "drivers/steps.h"
#include "specs/image_config.h"
#include "specs/recipe.h"

/* What stands behind the name of an image in FROM or --from. */
struct build_base {
    const char *asked;                 /* as the recipe has it: "FROM base", "COPY --from=tools" */
    struct place at;                   /* and where */
    const char *name;                  /* as told to people: "image base", "images:debian/12"; never NULL */
    const char *image;                 /* full name of the image of the set that it is; NULL: it is none */
    const char *digest;                /* NULL: not known yet */
    const struct image_config *config; /* NULL: it says nothing, or is not known yet */
    const char *why;                   /* it is this one, for plans; NULL: nothing is said */
    bool is_local;    /* an image of the spec or the record by its name, which means that on this host only */
    bool is_alias;    /* what fpsync.conf has for the name, which is another file elsewhere */
    const char *hint; /* it is pulled, and something here has nearly that name: which; NULL */
};

struct build_request {
    const struct recipe *recipe;
    const char *file;              /* of the recipe, for messages: "Recipe" */
    const char *folder;            /* context, absolute; NULL: there is none */
    const struct pairs *arguments; /* values of ARG */
    const char *stage;             /* that is wanted; NULL: the last */
    struct place stage_place;      /* where that is said; none: by no file */
    const char *architecture;      /* "amd64" */
    const char *epoch;             /* SOURCE_DATE_EPOCH, as it is declared; NULL */
    const char *stamp; /* of the environment, where none is declared: in keys and files, and in nothing
                                      that a plan compares; NULL */
    const char *salt;  /* gives every step another key than it is cached under: --no-cache; NULL */
    /* Digests (64 hex digits) of what addresses hold, by address, as far as they were fetched; "!REASON": it was tried in
     * vain. NULL: none. */
    const struct pairs *fetched;
    const struct pairs *
        secrets; /* files of the host by the id that --mount=type=secret names, the first of an id; NULL: none */
    /* What the name means: fills what `base` does not have yet, which is all but how and where it is asked for. -ENOENT and
     * a hint: nothing. */
    int (*find)(void *context, const char *reference, struct build_base *base, struct error *error);
    void *context;
};

struct build_step {
    enum step_kind kind; /* STEP_BUILD_RUN, _COPY, _FOLDER */
    /* struct build_run, build_copy or build_folder, with its `place`; of a RUN all but definition, start, ports, files and
     * keep. Its place has no key, nor has it what is not known of `below`, as long as a base is not known. */
    void *request;
    bool has_network;   /* of RUN: not --network=none */
    const char *key;    /* NULL: not known yet */
    const char *cached; /* the key that others know it by: without the salt the same */
    struct place at;
    const char *text; /* the instruction, for people */
};

struct build_input {
    const char *path;   /* as a context or another root has it */
    const char *digest; /* NULL: not known yet */
};

/* What an image is made of: an instruction, or a base. */
struct build_part {
    struct place at;
    const char
        *digest; /* of an instruction, its variables expanded; of a base the image's, NULL: not known yet */
    const char *text; /* the instruction; the base's name */
    bool is_base;
    struct build_input *inputs;
    size_t input_count;
};

struct build {
    struct build_step *steps; /* in an order in which they can be made */
    size_t count;
    struct build_base *bases; /* images that it is made from, each once */
    size_t base_count;
    bool is_known;               /* all keys are there, and `place` and `config` are the image's */
    struct build_place *place;   /* the image: without a key */
    struct image_config *config; /* as far as it is known */
    const char *epoch;           /* of what is made; NULL */
    struct texts
        addresses;       /* of ADD without a checksum: what they hold is to be looked at before it is made */
    const char *fetched; /* "DIGEST ADDRESS" of each of those that is known, a line each; NULL: none */
    struct build_part *parts; /* in order */
    size_t part_count;
    struct list taken; /* of build_source: all that its steps take of the context */
    struct problems
        missing; /* secrets that it requires and that are not given: it cannot be made, but may be made already */
    struct problems warnings; /* beside those of the recipe */
    /* A line for each of the parts: "LINE DIGEST TEXT"; for a base "LINE base DIGEST|- NAME"; for an input of the
     * instruction above it "LINE in DIGEST|- PATH". Digests are cut. Recorded with the image. */
    const char *made_of;
};

/* False when the recipe, or what it names in its context, is wrong: problems say what, with the recipe's line. Of a recipe
 * that was told to be wrong they say what else is, as far as that does not depend on what was told already. */
bool build_make(const struct build_request *request, struct arena *arena, struct problems *problems,
                struct build **build);

/* Why an image that was made of `before` has to be made again: "Recipe:4" with the instruction before and now,
 * "Recipe:3 COPY app.py" with the digests of that input, or "base debian" with those of the base. Nothing: it does not.
 * Lines that only moved are no reason. What is there no more is at `recipe`. */
void build_changes(const char *file, struct place recipe, const char *before, const struct build *now,
                   struct arena *arena, struct changes *changes);
