/* Looking at what is bound into a container, for the view and the effects alike. */
#pragma once

#include "drivers/storage/storage.h"

/* A handle (O_PATH) of what lies at that path of the host, no symbolic link on the way; -errno, -ELOOP for one. */
int bind_open_source(const char *path);
/* The same below a container's root, whose links may lead anywhere in it. */
int bind_open_inside(int root, const char *path);
/* What such a -errno of a source says to people. */
const char *bind_trouble(int code);
/* The view's look_binds. */
void bind_look(const struct paths *paths, int64_t init_pid, struct observed_bind *binds, size_t count);
/* Whether the handle is the root of a mount. */
bool bind_is_mount(int fd);
/* Whether `source` is mounted at the path below `root`, and can be written to inside just as far as asked. */
bool bind_is_at(int root, const char *path, int source, bool read_only);
