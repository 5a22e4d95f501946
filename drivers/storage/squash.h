/* Images that are kept as the squashfs that they came in, images/DIGEST/image.squashfs, and mounted where they are used.
 *
 * Nothing of them stays mounted for itself. Whoever needs one mounts it detached, as his own ids see it, and hands it to
 * an overlay, which keeps a private copy, or to a handle; with the last of these the file system and its loop device are
 * gone, whatever killed whom. All of them share one device and one file system: loop.h. Its folder "root" is where a copy
 * of the store shows it, in the moment in which an overlay is made, and has the attributes of its root.
 *
 * The kernel reads what drivers/image/squashed.c has let pass. From then on the file is root's alone, 0400 in a folder
 * that only root enters, and no program here opens it for writing; so its digest is not taken again at each mount, as
 * little as that of a folder. */
#pragma once

#include <stdbool.h>

#include "drivers/storage/view_squash.h"
#include "lib/fields.h"

struct error;

/* Whether this kernel mounts squashfs with mapped ids and attributes: found out by doing it with one of a few bytes, once
 * a process. The error says what it lacks. */
int squash_probe(struct error *error);

/* A detached mount of the squashfs in an image's folder. -ENOENT when it is kept as a folder. */
int squash_mount(int image, int user_namespace, struct error *error);
/* The same of an image by the handle of its folder "root". */
int squash_mount_beside(int root, int user_namespace, struct error *error);
/* Opens an image's root for reading, however it is kept; `image` is the handle of its folder. -errno. */
int squash_open_root(int image, struct error *error);

/* Whether one of these roots of images, paths relative to `folder`, is to be mounted before it shows anything. */
bool squash_is_among(const char *folder, const struct texts *paths);
/* Mounts those, each over its folder as `folder` leads to it, which is `own` in the store or the same in an attached copy
 * of it. The files are opened by the store itself: a device would else keep the copy. */
int squash_attach(const char *own, const char *folder, const struct texts *paths, int user_namespace,
                  struct error *error);
