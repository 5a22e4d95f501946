/* The containers that the RUN of recipes takes place in.
 *
 * Each image that a run builds has one for as long as that takes. Nobody declares it, it is on no record, and no network
 * knows its name; but like any container it has ids, a MAC and an address of its own, and the rules see to it that it
 * uses no others. Its name is the image's with a dot, which no declared one has. */
#pragma once

#include "reconciler/target.h"

struct planning;

char *builder_name(struct arena *arena, const char *image);
/* The container in which the image is built; the same for the same image. */
struct object *builder_of(struct arena *arena, const struct object *image);
bool builder_is(const struct object *object);
const char *builder_image(struct arena *arena, const struct object *builder); /* what is built in it */

/* Adds to plan->all one for each image that the run will build, until builders_leave(). */
void builders_enter(struct planning *planning);
/* Those that got no lease take part in nothing: their image is held. */
void builders_drop_denied(struct planning *planning);
/* Whether there were any. */
bool builders_leave(struct planning *planning);
