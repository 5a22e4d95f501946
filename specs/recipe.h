/* Recipes: the text of a Recipe or Dockerfile as stages of instructions, each with the place it stands at.
 *
 * Shared keywords are read as the Dockerfile reference says (https://docs.docker.com/reference/dockerfile/); PORT, DBASE,
 * `VOLUME name:path` and `RUN --init` are ours. Reading is pure: variables are not expanded here (recipe_expand.h does, when
 * build arguments and the base image are known), and no file is looked at. All that is wrong is told in one run; what can
 * only be judged once variables are expanded is judged where that is done, by the same functions (recipe_check.h), of a
 * recipe that is wrong too: what of it is in doubt is marked for that.
 *
 * Everything lives in the arena. Places count lines and characters from 1, also of words that stand in continuation lines. */
#pragma once

#include "specs/problems.h"

#define RECIPE_SIZE         ((size_t)1 << 20)   /* bytes of a recipe */
#define RECIPE_LINE         ((size_t)256 << 10) /* bytes of an instruction, its continuation lines joined */
#define RECIPE_INSTRUCTIONS 4096
#define RECIPE_STAGES       256

/* As in recipe_words.c, where the names stand. */
enum recipe_keyword {
    RECIPE_ADD,
    RECIPE_ARG,
    RECIPE_CMD,
    RECIPE_COPY,
    RECIPE_DBASE,
    RECIPE_ENTRYPOINT,
    RECIPE_ENV,
    RECIPE_EXPOSE,
    RECIPE_FROM,
    RECIPE_HEALTHCHECK,
    RECIPE_LABEL,
    RECIPE_MAINTAINER,
    RECIPE_ONBUILD,
    RECIPE_PORT,
    RECIPE_RUN,
    RECIPE_SHELL,
    RECIPE_STOPSIGNAL,
    RECIPE_USER,
    RECIPE_VOLUME,
    RECIPE_WORKDIR,
    RECIPE_KEYWORDS
};
const char *recipe_keyword_name(enum recipe_keyword keyword); /* "RUN" */

struct recipe_document { /* a here-document */
    const char *name;
    const char *text; /* as it stands there, with the tabs that "<<-" takes away; no NUL in it */
    bool expands;     /* its name was not quoted */
    bool strips;      /* "<<-" */
    struct place place;
};

struct recipe_word {
    const char *text; /* of a shell form or a variable's value: with its quotes and variables */
    const struct recipe_document *document; /* a source of COPY or ADD that is one; NULL */
    struct place place;
};

struct recipe_pair { /* of ARG, ENV and LABEL */
    const char *key;
    const char *value; /* NULL: an ARG without default */
    struct place place;
};

struct recipe_flag {
    const char *name;  /* "mount", without the dashes */
    const char *value; /* NULL: none was written */
    struct place place;
};

struct recipe_health {
    bool none;
    int64_t interval, timeout, start_period, start_interval; /* milliseconds; 0: not said */
    int64_t retries;                                         /* 0: not said */
};

/* What was told of an instruction already. */
enum recipe_flaw {
    RECIPE_SOUND,
    RECIPE_FLAWED, /* parts of it are wrong, and the others can be judged */
    RECIPE_BROKEN, /* what it means is not known */
};

struct recipe_instruction {
    enum recipe_keyword keyword; /* of a broken one what may be meant; RECIPE_KEYWORDS: anything */
    enum recipe_flaw flaw;
    struct place place; /* of the keyword */
    const char
        *text; /* for people: as written, continuation lines joined, without comments and here-documents */
    /* RUN, CMD, ENTRYPOINT, HEALTHCHECK: a JSON array, whose items are `words`; else the one word is for the shell. */
    bool exec;
    bool json; /* COPY, ADD, VOLUME, SHELL too: as a JSON array, so that blanks are no ends of words */
    struct recipe_flag *flags;
    size_t flag_count;
    struct recipe_word
        *words; /* what follows the flags, as the keyword has it; of COPY and ADD the last is the target */
    size_t word_count;
    struct recipe_pair *pairs;
    size_t pair_count;
    struct recipe_document *documents;
    size_t document_count;
    struct recipe_health *health; /* of HEALTHCHECK */
};
const struct recipe_flag *recipe_flag(const struct recipe_instruction *instruction,
                                      const char *name); /* NULL */

struct recipe_stage {
    size_t number;           /* from 0 */
    const char *name;        /* in lower case; NULL: none was given */
    struct recipe_word base; /* what FROM says: an image, an earlier stage, "scratch"; with variables */
    const char *platform;    /* with variables; NULL */
    struct place platform_place;
    const char *text;   /* "FROM debian AS build" */
    struct place place; /* of FROM */
    bool is_broken;     /* its FROM is: it may have been meant to have any name that stands there */
    bool base_in_doubt; /* `base` is not what FROM was meant to say */
    struct recipe_instruction **instructions;
    size_t count;
};

struct recipe {
    char escape; /* '\\' or '`' */
    const char
        *syntax; /* of the directive; NULL. Ignored: it names a program that reads Dockerfiles for BuildKit */
    const char *check;
    struct recipe_pair *arguments; /* ARG before the first FROM */
    size_t argument_count;
    bool arguments_in_doubt; /* there are others, that could not be read */
    bool is_broken;          /* something is wrong, which problems told */
    bool is_partial;         /* and not all of its instructions are here */
    struct recipe_stage **stages;
    size_t count;
    struct problems warnings; /* what is read, but hardly meant; no reason not to build */
};

/* One text of instructions. A recipe of its own is one piece, placed at its file's line 1, column 1. Steps that stand in a
 * spec are a piece each, which must be whole: no line of one continues in the next, nor does a here-document. All lines of
 * a piece begin at its place's column. */
struct recipe_piece {
    const char *text;
    size_t length;
    struct place place;
    bool fixed; /* all of it is placed there: its lines are not those of a file */
};

/* False when something is wrong: problems say what, and `recipe` holds what could be read. */
bool recipe_read(const struct recipe_piece *pieces, size_t count, struct arena *arena,
                 struct problems *problems, struct recipe **recipe);

/* The instruction of an ONBUILD, by itself; NULL after a problem: it is none, or one that cannot be put off. */
struct recipe_instruction *recipe_trigger(const char *text, char escape, struct place place,
                                          struct arena *arena, struct problems *problems);

/* The stage of that name, or number; as FROM, COPY --from and --target say it. NULL. */
const struct recipe_stage *recipe_stage(const struct recipe *recipe, const char *name);
