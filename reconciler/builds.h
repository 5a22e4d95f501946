/* The builds of a set: its recipes, read before anything is planned, each with what it asks for at present.
 *
 * A recipe may stand on an image of the set, on one that is built before it, or copy from one: such an image comes first,
 * and when it is made anew so is what stands on it. Where the digest of a base is not known before the run, the build is
 * worked out once more when it is (builds_again()). */
#pragma once

#include "reconciler/actual.h"
#include "reconciler/build.h"
#include "reconciler/build_flags.h"
#include "specs/policy.h"
#include "specs/problems.h"

struct build_wish {
    const struct object *image;
    const char *file;   /* path of the recipe, or of the spec that has the steps */
    const char *folder; /* context; NULL: there is none */
    const struct recipe *recipe;
    struct build *build;
    bool made; /* by this run, as far as that can be told without a look at the store */
    struct changes
        changes; /* why the image that is recorded is not this one; none where it is, or there is none */
    const char *flagged; /* flags that it is made with: build_flags.told; NULL */
    bool has_flags;      /* arguments or secrets of the command line */
};

/* A recipe that has to be fetched first. */
struct build_fetch {
    const struct object *image;
    const char *source; /* the archive, as the spec says it */
    const char *digest; /* that it must have; NULL: whatever comes */
};

struct builds {
    struct build_wish *items; /* in order of name */
    size_t count;
    struct build_fetch *fetches; /* images that are in no item */
    size_t fetch_count;
    bool tried;              /* fetching was: what is not here by now does not come */
    bool forced;             /* --no-cache: all are made, whether anything changed or not */
    struct object **implied; /* images that nobody declares and FROM names by a source of theirs */
    size_t implied_count;
};

struct builds_request {
    const struct paths *paths;
    const struct object_set *desired;
    const struct actual *actual;
    const struct spec_source *sources; /* of this run; NULL: it prunes none */
    size_t source_count;
    const struct policy *policy; /* aliases and remotes that FROM may name; NULL: none */
    const char *salt;            /* of --no-cache: other keys than ever before; NULL */
    bool fetched;                /* this run has fetched recipes already */
    struct texts moved;          /* images that stand for something else at their servers by now */
    bool offline;
    const struct pairs *held;        /* what addresses hold, fetched by this run: see build_request; NULL */
    const struct build_flags *flags; /* of the command line; NULL */
    const char *stamp;               /* SOURCE_DATE_EPOCH of the environment, in digits; NULL */
};

/* What is wrong is told as problems, with the line of the recipe. */
void builds_read(const struct builds_request *request, struct arena *arena, struct problems *problems,
                 struct builds *builds);
/* Says anew which of them are made, once more is known of what they stand on. */
void builds_judge(const struct builds_request *request, struct arena *arena, struct builds *builds);
/* Puts the implied images into the set, each once. */
void builds_imply(const struct builds *builds, struct arena *arena, struct object_set *set);
const struct build_wish *builds_find(const struct builds *builds, const char *image);   /* full name; NULL */
const struct build_fetch *builds_fetch(const struct builds *builds, const char *image); /* NULL */
/* The first that a recipe names that image by; NULL: none does. */
const struct build_base *builds_asks(const struct builds *builds, const char *image);
/* Whether what its recipe asks for is not known, since that has to be fetched, or that of an image which it is made from. */
bool builds_awaits(const struct builds *builds, const char *image);
/* Whether what is said of the build otherwise counts by itself: not where it is known what the image was made of, which
 * tells more, and tells of nothing that changes nothing. */
bool builds_compare_words(const struct entry *entry);
/* What is asked of a worker for what an address holds; `digest` NULL: whatever that is. */
struct build_address *builds_address(const struct builds_request *request, const char *url,
                                     const char *digest, struct arena *arena);
/* Once more, with what is known of bases by now; an error where the recipe or its context is not what it was. */
int builds_again(const struct build_wish *wish, const struct builds_request *request,
                 int (*known)(void *context, const char *image, struct build_base *base), void *context,
                 struct arena *arena, struct build **build, struct error *error);
