/* A layer or volume goes on under another name: one rename within its store, on disk before anybody records it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "drivers/storage/data.h"
#include "drivers/storage/in_use.h"
#include "drivers/storage/storage.h"
#include "lib/error.h"

static int rename_in(const char *store, const struct data_rename *request, struct error *error)
{
    _cleanup_close_ int directory = open(store, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot open %s", store);
    if (renameat2(directory, request->from, directory, request->to, RENAME_NOREPLACE) < 0)
        return errno == ENOENT ? 0
                               : error_errno(error, -errno, "cannot rename %s/%s to %s", store, request->from,
                                             request->to);
    return fsync(directory) < 0 ? error_errno(error, -errno, "cannot write %s to disk", store) : 0;
}

static int check_names(const struct data_rename *request, struct error *error)
{
    int result = data_check_name(request->from, error);
    return result < 0 ? result : data_check_name(request->to, error);
}

int data_rename_layer(const struct paths *paths, const struct data_rename *request, const struct call *call,
                      struct error *error)
{
    (void)call;
    char path[4096];
    int result = check_names(request, error);
    snprintf(path, sizeof(path), "%s/%s", paths->layers, request->from);
    if (result < 0 || access(path, F_OK) < 0)
        return result;
    _cleanup_close_ int lock = data_lock(paths->layers, request->from, error); /* that a mount takes, too */
    if (lock < 0)
        return lock;
    result = layer_check_unused(paths, request->from, error);
    return result < 0 ? result : rename_in(paths->layers, request, error);
}

int data_rename_volume(const struct paths *paths, const struct data_rename *request, const struct call *call,
                       struct error *error)
{
    (void)call;
    int result = check_names(request, error);
    return result < 0 ? result : rename_in(paths->volumes, request, error);
}
