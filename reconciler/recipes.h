/* The recipes of images, read: from the file of a folder, or from the steps in a spec. */
#pragma once

#include "specs/recipe.h"
#include "specs/specs.h"

/* Where the spec says how the image is built. */
struct place image_build_place(const struct object *image);
/* `folder`: the context on this host; NULL: the spec has steps. `file` becomes the path of what has the text. NULL after a
 * problem, where there is no text; of a text that is wrong the recipe is broken. */
struct recipe *recipe_of_image(const struct object *image, const char *folder, struct arena *arena,
                               struct problems *problems, const char **file);
/* Of a set that is refused for something else: tells what is wrong with its recipes by themselves. */
void recipes_check(const struct object_set *set, struct arena *arena, struct problems *problems);
