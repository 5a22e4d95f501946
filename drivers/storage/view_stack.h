/* What lies below a layer's upper, and what was kept of a layer or volume: small notes in its folder.
 *
 *   FILE/stack            the frozen uppers that the live one lies on, newest first; missing: none
 *   FILE/frozen/NUMBER    one frozen upper, or the whole data of a copy root or a volume
 *   FILE/snapshots/NAME   which of them were the data when the snapshot was taken, on which image
 *
 * A frozen folder is never written to again; several notes may name the same one. A frozen folder that no note
 * names is a leftover. Notes are replaced whole, by rename. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/fields.h"

struct error;

struct stack {
    const char *token;   /* of the change that wrote the note: asked for again, it is already so; NULL */
    const char *image;   /* digest: of layers' snapshots, and of what was brought back; NULL: as recorded */
    int64_t made;        /* seconds since the epoch, of snapshots */
    bool kept;           /* a person asked for the snapshot: it goes by name, or with what it is of */
    bool whole;          /* the frozen folder is no upper but all there is: of a copy root, of a volume */
    struct texts frozen; /* numbers, newest first */
};

/* `note` is "stack" or "snapshots/NAME" below the folder of a layer or volume. A missing one is an empty stack. */
int stack_read(int folder, const char *note, struct arena *arena, struct stack *stack, struct error *error);
bool stack_exists(int folder, const char *note);
bool stack_holds(const struct stack *stack, const char *number);
