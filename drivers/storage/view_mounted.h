/* What is mounted at a place of a running container, asked at that place. A guest may fill its mount table with whatever it
 * likes; how much it costs to look and what is told is none of its choice here. Reads only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mounted {
    uint64_t device, inode; /* the folder that is mounted there; for a file system in a file: that file */
    bool read_only;
};

/* A handle (O_PATH) of what is mounted at the path below `root`; -ENOENT when nothing is, -errno. */
int mounted_open(int root, const char *path, struct mounted *mounted);
