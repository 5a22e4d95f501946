#include "drivers/full.h"

#include <sys/statvfs.h>

bool is_full(const struct statvfs *system)
{
    return !system->f_bavail || (system->f_files && !system->f_favail);
}

int64_t room_on(const char *path)
{
    struct statvfs system;
    return statvfs(path, &system) < 0 ? INT64_MAX : (int64_t)(system.f_bavail * system.f_frsize);
}

bool is_on_full(const char *path)
{
    struct statvfs system;
    return statvfs(path, &system) == 0 && is_full(&system);
}
