/* Reads the tree of quotas: linux/btrfs.h, linux/btrfs_tree.h. */
#include "drivers/storage/view_quota.h"

#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>
#include <sys/ioctl.h>

/* One item is asked for; the answer is its head and, right behind it, what it holds. */
static int64_t limit_in(const char *answer)
{
    struct btrfs_qgroup_limit_item item;
    memcpy(&item, answer + sizeof(struct btrfs_ioctl_search_header), sizeof(item));
    return le64toh(item.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER && le64toh(item.max_rfer) <= INT64_MAX
               ? (int64_t)le64toh(item.max_rfer)
               : 0;
}

int64_t view_quota(int subvolume, uint64_t *id)
{
    struct btrfs_ioctl_ino_lookup_args self = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    struct btrfs_ioctl_search_args search = {0};
    *id = 0;
    if (ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &self) < 0)
        return 0;
    *id = self.treeid;
    search.key = (struct btrfs_ioctl_search_key){.tree_id = BTRFS_QUOTA_TREE_OBJECTID,
                                                 .min_type = BTRFS_QGROUP_LIMIT_KEY,
                                                 .max_type = BTRFS_QGROUP_LIMIT_KEY,
                                                 .min_offset = self.treeid,
                                                 .max_offset = self.treeid,
                                                 .max_transid = UINT64_MAX,
                                                 .nr_items = 1};
    if (ioctl(subvolume, BTRFS_IOC_TREE_SEARCH, &search) < 0 || !search.key.nr_items)
        return 0;
    return limit_in(search.buf);
}
