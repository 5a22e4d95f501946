/* Whole trees: removed and copied by handles, never through a symlink, never into another file system. */
#pragma once

#include <stdint.h>

#include "drivers/call.h"

struct error;

/* Removes `name` below `directory` and all in it; nothing there is success. What is mounted in it is -EBUSY. */
int tree_remove(int directory, const char *name, struct error *error);
/* The store's way to remove: first renamed to ".tmp-del-NAME", so that a crash leaves no half object under its name.
 * 0 only when nothing is there any more, of what earlier removals of the name left, either. */
int tree_remove_from_store(const char *store, const char *name, struct error *error);
/* The second half of that: what is there under the name now stays. */
int tree_remove_leftovers(const char *store, const char *name, struct error *error);
#define TREE_LEFTOVER                                                                                        \
    ".tmp-del-" /* then the name, and ".N" where an earlier one stayed: no name has a dot in it */

struct tree_copied {
    int64_t entries, bytes, skipped; /* skipped: device nodes and sockets */
};
/* Copies what is in the folder `from` into the folder `to`, with owners, modes, times, hard links and the xattrs
 * user.*, security.capability and system.posix_acl_*. The attributes of the folder itself are copied too. Calls
 * call_check() and reports progress as "LABEL N files, M MiB". */
int tree_copy(int from, int to, const char *label, const struct call *call, struct tree_copied *copied,
              struct error *error);
/* How much of a tree: what an image may hold; its sockets, too, which a root has that was in use; its device nodes, too,
 * which are a hole in the wall of a container that may not make any itself; all xattrs, too. */
enum tree_what { TREE_PLAIN, TREE_NODES, TREE_DEVICES, TREE_EXACT };
int tree_copy_what(int from, int to, enum tree_what what, const char *label, const struct call *call,
                   struct tree_copied *copied, struct error *error);
/* Says as progress what TREE_NODES left out; silent about none. */
void tree_tell_devices(const struct call *call, int64_t skipped);
/* The same of what overlays keep their upper in, with nothing left out: devices and sockets too, and all xattrs. */
int tree_copy_exact(int from, int to, const char *label, const struct call *call, struct tree_copied *copied,
                    struct error *error);
