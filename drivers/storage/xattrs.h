/* Extended attributes of a file, and among them the marks that overlay keeps for itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define XATTR_LIMIT    ((size_t)64 * 1024) /* bytes of all names, and of a value (limits.h: XATTR_LIST_MAX) */
#define OVERLAY_MARKS  "trusted.overlay."
#define OVERLAY_OPAQUE OVERLAY_MARKS "opaque"
#define OVERLAY_ORIGIN OVERLAY_MARKS "origin" /* of a folder that was copied up */

typedef bool xattr_filter(const void *context, const char *name);

/* user.*, capabilities and access lists: what a file is, wherever it lies. */
bool xattr_is_of_file(const char *name);
bool xattr_is_of_overlay(const char *name);
/* Nothing below this folder shows through. */
bool folder_is_opaque(int folder);

/* What goes from one upper to another. */
bool xattr_is_not_of_overlay(const void *context, const char *name);

/* Sets on `to` all those of `from` that `is_kept` (NULL: all). Those that `to` has besides stay. 0 or -errno. */
int xattrs_copy(int from, int to, xattr_filter *is_kept, const void *context);
