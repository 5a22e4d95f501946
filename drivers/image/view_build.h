/* Notes of steps, for the view and the effects. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"

/* Text of the note of a step of this boot, on the step `on`, or on none (NULL). What was not synced may be gone after a
 * power cut, its note not: so it counts as long as the boot that it names, or for ever when it names none. */
char *build_note_text(struct arena *arena, int64_t bytes, const char *on);
#define BUILD_NOTE_LIMIT ((size_t)64 * 1024)

struct build_place;
struct build_run;
struct buffer;
struct error;
struct observed_failed;
#define BUILD_FAILED_RUN "run" /* in the folder of a root that is kept: what was to be run there, encoded */
int build_failed_read(int folder, struct arena *arena, struct build_run **run, struct error *error);
/* The note in the folder of a root that is kept. False: there is none, and it is a leftover. */
bool build_failed_note(int folder, const char *key, struct arena *arena, struct observed_failed *root);
/* The text of such a note, for a root that stands on `place`. */
void build_failed_describe(const struct observed_failed *root, const struct build_place *place,
                           struct buffer *note);
