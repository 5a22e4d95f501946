/* Helpers are found by what runs, not by a configured folder: a build tree and an installation work alike. */
#include "drivers/storage/beside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"

int program_beside(const char *name, char *path, size_t size, struct error *error)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own));
    if (length < 0)
        return error_errno(error, -errno, "/proc/self/exe");
    while (length > 0 && own[length - 1] != '/')
        length--;
    int needed = snprintf(path, size, "%.*s%s", (int)length, own, name);
    return (size_t)needed < size ? 0 : error_set(error, -ENAMETOOLONG, "the path of %s is too long", name);
}
