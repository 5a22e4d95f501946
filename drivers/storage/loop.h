/* Loop devices for files, and the file systems in them: ext4, and squashfs. loop(4), linux/loop.h. */
#pragma once

#include <stdint.h>

struct error;

/* A detached mount of the ext4 file system in the file `image`. By the device that the kernel has for the file already,
 * or by a new one; it goes with the last mount of it. */
int loop_mount(int image, uint64_t attributes, struct error *error);
/* The same of the squashfs in it, which is only read; its size is a multiple of LOOP_BLOCK. */
int loop_mount_squashfs(int image, struct error *error);
#define LOOP_BLOCK 4096
/* Makes its file system as large as the file is now, mounted or not. -EPERM without CAP_SYS_RESOURCE. */
int loop_grow(int image, struct error *error);
/* Whether any device stands for the file. */
int loop_is_bound(int image);
