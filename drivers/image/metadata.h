/* What an image of a server says about itself, beside its root: LXD's metadata.yaml, and the config that fpsync publishes.
 *
 * Both are files of the folder that the metadata was unpacked into, at its top, by name. They are a stranger's: each is
 * opened below the folder without following any link, has to be a regular file with one name, and is bounded. */
#pragma once

#include "lib/arena.h"

struct error;

#define METADATA_CONFIG "fpsync.json" /* canonical JSON of specs/image_config.h */

/* That metadata.yaml is there, and that the machine code is `arch` ("amd64", as Debian calls it) as far as it says; and what
 * there is of a config, in the arena: NULL where there is none. -EBADMSG; `what` is the image's source, for messages. */
int metadata_take(int folder, const char *what, const char *arch, struct arena *arena, const char **config,
                  struct error *error);
