#include "drivers/full.h"

#include <sys/statvfs.h>

bool is_full(const struct statvfs *system)
{
    return !system->f_bavail || (system->f_files && !system->f_favail);
}

bool is_on_full(const char *path)
{
    struct statvfs system;
    return statvfs(path, &system) == 0 && is_full(&system);
}
