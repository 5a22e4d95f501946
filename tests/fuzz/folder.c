#include "tests/fuzz/folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "tests/fuzz/fuzz.h"

static char folder[] = "/dev/shm/fpsync-fuzz-XXXXXX";
static bool made;
static pid_t owner;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    return walk->level || strcmp(path, folder) != 0 ? remove(path) : 0;
}

void fuzz_clear(const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name);
    if (lstat(path, &status) == 0)
        MUST(nftw(path, remove_entry, 64, FTW_DEPTH | FTW_PHYS) == 0);
}

static void clean_up(void)
{
    if (getpid() != owner)
        return;
    fuzz_clear("");
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (made)
        return folder;
    MUST(mkdtemp(folder));
    made = true;
    owner = getpid();
    atexit(clean_up);
    return folder;
}

void fuzz_write(const char *name, const void *bytes, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
}
