/* Paths inside a container's root, resolved by the kernel as if it were "/" (openat2(2), RESOLVE_IN_ROOT): no
 * symlink of an image or guest leads out, and no string is ever compared to find that out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GUEST_PATH_SIZE 4096 /* bytes, with its end */

struct error;

/* O_PATH descriptor of `path`; `flags` as for open(). `root` is any descriptor of the root's folder. */
int guest_open(int root, const char *path, int flags, struct error *error);
/* The same of a folder, made with its parents (0755, owner as of the calling thread's file identity) when missing. */
int guest_open_folder(int root, const char *path, struct error *error);
/* The same of a folder that something is to be mounted on. Links on the way lead where they lead in the container, but one
 * in its place is refused (-ELOOP): by it whoever writes there would choose what is hidden, /etc say. */
int guest_open_place(int root, const char *path, struct error *error);
/* The same of a regular file, made empty when missing. A symlink in its place is refused. */
int guest_open_file(int root, const char *path, struct error *error);
/* Whole content; replaces by rename whatever is no folder, and leaves a file alone that is like this already. */
int guest_write_file(int root, const char *path, const char *content, int64_t mode, struct error *error);
/* The path without a symbolic link on the way to its last component, for those who follow none: as far as its folders
 * are there already; the path itself where that cannot be told. */
void guest_path_settle(int root, const char *path, char settled[static GUEST_PATH_SIZE]);
/* Absolute, without empty, "." and ".." components, without control characters, and not "/" itself. */
bool guest_path_is_clean(const char *path);
