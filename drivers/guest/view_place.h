/* Places of the host and in a running container, by handles: for the views and the effects alike. */
#pragma once

#include <stdbool.h>

/* A handle (O_PATH) of what lies at that path of the host, no symbolic link on the way; -errno, -ELOOP for one. */
int place_open(const char *path);
/* The same below a container's root, whose links may lead anywhere in it. */
int place_open_inside(int root, const char *path);
/* The same by what the kernel has at hand; -EAGAIN: it would have to ask a file system. */
int place_open_cached(int root, const char *path);
/* What such a -errno of a source says to people; the one of -ELOOP. */
#define PLACE_BEHIND_LINK "a symbolic link is on the way to it"
const char *place_trouble(int code);
/* Whether the handle is the root of a mount. */
bool place_is_mount(int fd);
bool place_is_writable(int fd);
/* Whether both are handles of the one file. */
bool place_is_same(int left, int right);
/* Whether `source` is mounted at the path below `root`, and can be written to inside just as far as asked. */
bool place_is_at(int root, const char *path, int source, bool read_only);
