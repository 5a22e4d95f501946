/* How large an ext4 file system in a file is. */
#pragma once

#include <stdint.h>

/* Bytes: `size`, which its file has or is to have, but what its superblock says where that is less: the file grew, and
 * the file system did not yet. */
int64_t sized_bytes(int image, int64_t size);
