/* What is mounted at a place of a running container, asked at that place. A guest may fill its mount table with whatever it
 * likes; how much it costs to look and what is told is none of its choice here. Reads only. */
#pragma once

#include "drivers/guest/view_look.h"

struct mounted {
    uint64_t device, inode; /* the folder that is mounted there; for a file system in a file: that file */
    int loop;               /* number of the loop device of that file; -1: there is none */
};

/* At the path below `root`; -ENOENT when nothing is mounted there, else as look_inside(). */
int mounted_look(int64_t init_pid, int root, const char *path, struct look *look, struct mounted *mounted);
/* Whether that file system is read-only as a whole: ext4 makes itself so on errors, and then no mount of it is another. */
bool mounted_is_stuck(const struct mounted *mounted);
