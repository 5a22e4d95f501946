/* Changes of what lies below a layer's upper, and snapshots: see view_stack.h for what is on disk.
 *
 * A change is made in steps of which each leaves the data as it was or as it shall be, so that a crash anywhere is
 * put right by asking again:
 *   1. an empty frozen folder is made and put on top of the stack: the data reads the same;
 *   2. it trades places with the upper, by one rename: the data reads the same, and the upper is empty;
 *   3. a snapshot is noted;
 *   4. the stack is written anew, with the token of the change.
 * Asked again with the token of the last change, nothing is done. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "drivers/storage/view_stack.h"

struct error;
struct data_change;
struct data_changed;
struct layer_check;

/* The effects of drivers/storage/storage.h. */
int stack_change_layer(const struct paths *, const struct data_change *, const struct call *,
                       struct data_changed *, struct error *);
int stack_change_volume(const struct paths *, const struct data_change *, const struct call *,
                        struct data_changed *, struct error *);
int stack_drop_layer(const struct paths *, const struct data_change *, const struct call *, struct error *);
int stack_drop_volume(const struct paths *, const struct data_change *, const struct call *, struct error *);
int stack_check_layer(const struct paths *, const struct layer_check *, const struct call *, struct error *);

/* Under the layer's lock, while nothing is mounted, `data` being what it holds (drivers/storage/disk.h): merges the oldest
 * frozen uppers until at most as many as SEMANTICS 10 allows lie below the live one (those that snapshots name stand as
 * they are), and answers the stack. */
int stack_settle(int folder, int data, struct arena *arena, struct stack *stack, struct error *error);
/* Also when it is not there at all. */
bool folder_is_empty(int folder, const char *inside);
/* An interrupted change of a whole is brought to its end or taken back, and what it left half made taken away; before
 * anybody uses it. `notes`: where its snapshots are noted; `live` in `folder` is "root" or "data". */
int whole_settle(int notes, int folder, const char *live, struct error *error);
int volume_settle(int folder, struct error *error);
/* And what no note names is taken away, too. */
int stack_tidy_volume(int folder, struct arena *arena, struct error *error);
/* Replaces a note; makes "snapshots" where needed. */
int stack_write(int folder, const char *note, const struct stack *stack, struct error *error);

/* Moves all of the upper `newer` into the upper `older`, so that one shows what both showed; `newer` is empty then, but
 * for its own attributes, which `older` has now. By rename alone; a crash in the middle shows the same as before. */
int upper_merge(int newer, int older, struct error *error);
