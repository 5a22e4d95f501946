/* What bounds a subvolume of btrfs. */
#pragma once

#include <stdint.h>

/* Bytes that the subvolume may refer to; 0: nothing bounds it, or it has no group for quotas any more. Also `id`, by which
 * the kernel knows it and its group. */
int64_t view_quota(int subvolume, uint64_t *id);
