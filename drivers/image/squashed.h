/* Archives into roots: a squashfs is kept as it is and mounted where the kernel can do that, all else is unpacked. */
#pragma once

struct error;
struct image_making;

/* Fills the making's root with the archive. `what` is what messages call it. A squashfs is copied into the making's folder,
 * walked there by fpsync-fetch, under the rules of unpacking, and only then mounted; `making->root` is then the root that
 * it shows. It is unpacked, and progress says why, where the kernel cannot mount it, or where unpacking would change what
 * it holds: device nodes, attributes of another host, two roots in one. */
int squashed_make(struct image_making *making, const char *what, int archive, struct error *error);
