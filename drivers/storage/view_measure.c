#include "drivers/storage/view_measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define BLOCK     512 /* bytes: stat(2) counts in these */
#define DEPTH_MAX 200 /* each level keeps a descriptor open; what lies deeper is not counted */

/* A file with several names counts in parts, one for each. */
static int64_t bytes_of(const struct stat *status)
{
    int64_t bytes = (int64_t)status->st_blocks * BLOCK;
    return S_ISDIR(status->st_mode) || !status->st_nlink ? bytes : bytes / (int64_t)status->st_nlink;
}

static int64_t measure_folder(int parent, const char *name, int depth)
{
    int fd = depth < DEPTH_MAX ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        cleanup_close(&fd);
        return 0;
    }
    int64_t bytes = 0;
    for (struct dirent *item; (item = readdir(directory));) {
        struct stat status;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
            fstatat(fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        bytes += bytes_of(&status);
        if (S_ISDIR(status.st_mode))
            bytes += measure_folder(fd, item->d_name, depth + 1);
    }
    closedir(directory);
    return bytes;
}

int64_t view_measure(const char *store, const char *file)
{
    _cleanup_close_ int fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? 0 : measure_folder(fd, file, 0);
}
