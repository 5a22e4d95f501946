/* Notes of what is about to be kept. A snapshot that a replacement leaves is noted under ".NAME" before anything moves, so
 * that a note names its data in every moment, and under its own name once all is in place. Names with a dot in front are
 * no snapshots to anybody else. */
#pragma once

struct changing;
struct error;
struct stack;

int promise_make(const struct changing *changing, const struct stack *what, struct error *error);
/* What was there is kept, and what comes in its place is on disk. */
int promise_keep(const struct changing *changing, struct error *error);
/* Puts LIVE.new in the place of the empty LIVE, if there is one. */
int promise_place(int data, const char *live, struct error *error);
/* Replacements that were interrupted: brought to their end where what was there has moved, else taken back. Under the lock
 * of the folder `notes`; `live` in `data` is "root", "data" or, of a volume in a file, "image". */
int promise_settle(int notes, int data, const char *live, struct error *error);
