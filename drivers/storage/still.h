/* Guests that stand still while their data is copied. */
#pragma once

#include "lib/arena.h"
#include "lib/fields.h"

struct error;

/* Held as long as the processes of some containers are frozen. They are thawed by a process of their own, so that they
 * run on whatever becomes of us. */
struct still {
    int pipe;     /* -1: nothing is held; its end is the sign to thaw */
    int guardian; /* pid */
};
#define NOT_STILL ((struct still){.pipe = -1})

/* Freezes the containers of `guests` (of struct data_guest) and waits until they stand; those that are gone, and
 * those that somebody else froze, are left out. -ETIMEDOUT when one does not come to a stand: then all run on. -EAGAIN
 * when one has got another init since. */
int still_hold(struct still *still, const struct list *guests, struct arena *arena, struct error *error);
void still_release(struct still *still);
#define _cleanup_still_ _cleanup_(still_release)
