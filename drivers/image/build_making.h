/* One step in the making, and the roots of those that are made. */
#pragma once

#include <stdbool.h>

#include "drivers/image/build.h"
#include "lib/cleanup.h"

struct error;

#define STEP_LOWERS "l" /* in its folder: links "0", "1", ... to what lies below it, newest first */

struct build_making {
    const struct paths *paths;
    const struct call *call;
    const struct build_place *place;
    const char *what; /* the instruction, for messages */
    int steps;        /* folder build/steps */
    int folder; /* of the step, locked as long as it is open: upper, work, l, and what an effect needs */
    const char *temporary; /* its name in `steps`; NULL: it lies elsewhere, and stays there */
    const char *inside;    /* the folder, below paths->build */
    struct texts lowers;   /* names of the links, the upper's folder for short */
    bool is_there;         /* the step is made already: nothing else is set */
    bool keeps;            /* its folder is not thrown away at the end */
};
#define NO_BUILD_MAKING ((struct build_making){.steps = -1, .folder = -1})

/* Removes what crashes left, waits for whoever makes the same step, and makes its folder. */
int build_making_begin(struct build_making *making, const struct paths *paths,
                       const struct build_place *place, const char *what, const struct call *call,
                       struct error *error);
/* What it stands on, and where the overlay works: in a folder that has none of it but its upper. */
int build_making_link(struct build_making *making, struct error *error);
/* All that is in its folder but its upper goes, and the names in `kept`, which ends with NULL. */
int build_making_clear(const struct build_making *making, const char *const *kept, struct error *error);
int build_making_note(const struct build_making *making, const char *text, struct error *error);
/* Under its own name, with times, attributes and a note as they should be; nothing of it may be mounted. `epoch` as in
 * build_copy. */
int build_making_finish(struct build_making *making, const char *epoch, struct error *error);
/* The two halves of it: all but the name; and that. */
int build_making_settle(struct build_making *making, const char *epoch, struct error *error);
int build_making_publish(struct build_making *making, struct error *error);
/* The first without its note. */
int build_making_strip(const struct build_making *making, const char *epoch, int64_t *bytes,
                       struct error *error);
void build_making_end(struct build_making *making);
#define _cleanup_build_making_ _cleanup_(build_making_end)

/* The step's root, written to as the host's root: in no mount namespace, and gone with its last handle. */
int build_making_mount(const struct build_making *making, struct error *error);
/* The root of another place, to be read; `name` is that of a folder that is made for it in the step's. */
int build_making_open(const struct build_making *making, const struct build_place *place, const char *name,
                      struct error *error);

/* Links in the folder `name` of `folder`, which is made in a step's, to what a place is made of; an empty folder lies below
 * scratch. Overlays take as many as these, where the store's own paths would be too long for fsconfig(2). */
int build_place_link(const struct paths *paths, const struct build_place *place, int folder, const char *name,
                     struct texts *links, struct arena *arena, struct error *error);
const char *build_place_name(const struct build_place *place); /* of one that is read, for messages */
/* `path` in the root of such a place, which is open as `root`. O_PATH; negative after an error, which names both. */
int build_place_find(const struct build_place *place, int root, const char *path, struct error *error);
/* Every step of it, and the image, are there. -ENOENT. */
int build_place_check(const struct paths *paths, const struct build_place *place, struct error *error);

/* Removes what lies under temporary names and nobody works at; and ends what shells in failed roots have left. */
int build_remove_leftovers(const struct paths *paths, int steps, const struct call *call,
                           struct error *error);
/* The container of a step or shell whose worker was killed, and its root. */
int build_end_container(const struct paths *paths, const char *key, const struct call *call,
                        struct error *error);
/* Whether the folder that was opened has that name still. */
bool build_has_name(int parent, const char *name, int folder);
/* The note of the step in the folder, all of which has been synced. */
void build_note_sync(const char *folder);
int build_folder_open(const struct paths *paths, const char *inside, struct error *error);
/* "SECONDS" in digits; -EINVAL. NULL is -1. */
int build_epoch(const char *text, int64_t *epoch, struct error *error);

/* settle.c: an upper that nobody writes to any more: attributes of overlay's own go but for "opaque", times after `epoch`
 * (-1: none) become that. */
int build_upper_settle(int upper, int64_t epoch, int64_t *bytes, struct error *error);
