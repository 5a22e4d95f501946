/* Images that no spec lists: what a build of the command line makes, and what was imported. Each has a record like any other,
 * under one of these sources, which no -f is called. No run prunes it; its name is there for specs. */
#pragma once

#include "specs/specs.h"

struct session;
struct error;

#define UNLISTED_IMPORT "image import"
#define UNLISTED_BUILD  "build"

/* What a word of `build` says where it is no name of an image. */
struct unlisted {
    const char *name;    /* full */
    const char *context; /* as image_build.context */
    const char *recipe;  /* in that; NULL: Recipe, else Dockerfile */
    const char *file;    /* for messages: the word as an absolute path, or as it is */
};

/* A path (one that begins with '.' or '/', or has letters that no name has), an address or REMOTE:ALIAS. */
bool unlisted_is(const char *word);
/* `name` NULL: that of the folder or file. -EINVAL, -ENOENT. */
int unlisted_read(const char *word, const char *name, struct arena *arena, struct unlisted *unlisted,
                  struct error *error);
/* Whether the record lets the build have the name: -EEXIST where another source has it. And whether `build NAME` was
 * rather meant. */
int unlisted_check(const struct session *session, const struct unlisted *unlisted, struct error *error);
/* The image, with the network of its project where its RUN has that and nobody has declared it. */
void unlisted_make(const struct session *session, const struct unlisted *unlisted, struct arena *arena,
                   struct spec_set *set);
