#include "drivers/storage/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "lib/cleanup.h"

bool xattr_is_of_file(const char *name)
{
    return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
           strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

bool xattr_is_of_overlay(const char *name)
{
    return strncmp(name, OVERLAY_MARKS, strlen(OVERLAY_MARKS)) == 0;
}

bool xattr_is_not_of_overlay(const void *context, const char *name)
{
    (void)context;
    return !xattr_is_of_overlay(name);
}

bool folder_is_opaque(int folder)
{
    char value[4];
    return fgetxattr(folder, OVERLAY_OPAQUE, value, sizeof(value)) == 1 && *value == 'y';
}

int xattrs_copy(int from, int to, xattr_filter *is_kept, const void *context)
{
    _cleanup_free_ char *names = malloc(XATTR_LIMIT), *value = malloc(XATTR_LIMIT);
    if (!names || !value)
        return -ENOMEM;
    ssize_t length = flistxattr(from, names, XATTR_LIMIT);
    if (length < 0)
        return errno == ENOTSUP ? 0 : -errno;
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        if (is_kept && !is_kept(context, name))
            continue;
        ssize_t size = fgetxattr(from, name, value, XATTR_LIMIT);
        if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
            return -errno;
    }
    return 0;
}
