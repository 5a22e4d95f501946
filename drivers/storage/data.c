/* Layers and volumes as folders of their stores. The store's folders are 0700 root: ids and setuid files in them
 * mean something in a container only. */
#include "drivers/storage/data.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "drivers/storage/disk.h"
#include "drivers/storage/in_use.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

#define NAME_LENGTH 63 /* two names of 31 and the "_" between */

/* The worker's umask, 022, takes nothing from the modes asked for here. */
static int make_one(const char *path, unsigned mode, struct error *error)
{
    return mkdir(path, mode) < 0 && errno != EEXIST ? error_errno(error, -errno, "cannot make %s", path) : 0;
}

int folder_make(const char *path, unsigned mode, struct error *error)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    char prefix[PATH_MAX];
    size_t total = strlen(path);
    if (total >= sizeof(prefix))
        return error_set(error, -ENAMETOOLONG, "%s", path);
    memcpy(prefix, path, total + 1);
    for (size_t at = 1; at < total; at++) {
        if (path[at] != '/')
            continue;
        prefix[at] = '\0';
        int result = make_one(prefix, 0711, error);
        if (result < 0)
            return result;
        prefix[at] = '/';
    }
    return make_one(path, mode, error);
}

int data_check_name(const char *file, struct error *error)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strlen(file);
    if (length == 0 || length > NAME_LENGTH || strspn(file, legal) != length || file[0] < 'a')
        return error_set(error, -EINVAL, "\"%s\" is no name of a layer or volume in its store", file);
    return 0;
}

static int make_folders(const char *store, const char *file, const char *const *inside, unsigned mode,
                        struct error *error)
{
    char path[PATH_MAX];
    int result = data_check_name(file, error);
    if (result == 0)
        result = folder_make(store, 0700, error);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "%s/%s", store, file);
    result = make_one(path, 0700, error);
    for (; result == 0 && *inside; inside++) {
        snprintf(path, sizeof(path), "%s/%s/%s", store, file, *inside);
        result = make_one(path, mode, error);
    }
    return result;
}

int layer_make(const struct paths *paths, const char *file, struct error *error)
{
    static const char *const inside[] = {"work", "upper", NULL}; /* the view goes by upper: last */
    return make_folders(paths->layers, file, inside, 0755, error);
}

int layer_make_folder(const struct paths *paths, const char *file, struct error *error)
{
    static const char *const nothing[] = {NULL};
    return make_folders(paths->layers, file, nothing, 0755, error);
}

static int remove_parts(int folder, struct error *error)
{
    static const char *const parts[] = {"upper", "work", "root"};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(parts) / sizeof(*parts); i++)
        result = tree_remove(folder, parts[i], error);
    return result;
}

/* Snapshots need the file that they lie in. */
static int empty_disk(int folder, bool copy, struct error *error)
{
    if (folder_is_empty(folder, "snapshots"))
        return disk_remove(folder, error);
    _cleanup_close_ int inside = disk_open(folder, error);
    int result = inside < 0 ? inside : remove_parts(inside, error);
    if (result == 0 && !copy && (mkdirat(inside, "upper", 0755) < 0 || mkdirat(inside, "work", 0755) < 0))
        result = error_errno(error, -errno, "cannot empty a layer");
    return result;
}

/* The stack first: what lies frozen below an empty upper would show again. */
int layer_empty(int folder, bool copy, struct error *error)
{
    int result = unlinkat(folder, "stack", 0) < 0 && errno != ENOENT
                     ? error_errno(error, -errno, "cannot empty a layer")
                     : 0;
    if (result == 0 && disk_is_limited(folder))
        result = empty_disk(folder, copy, error);
    return result < 0 ? result : remove_parts(folder, error);
}

int data_lock(const char *store, const char *file, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", store, file);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "cannot lock %s", path);
    return fd < 0 ? error_errno(error, -errno, "cannot open %s", path) : TAKE_FD(fd);
}

int data_create_layer(const struct paths *paths, const struct data_reference *request,
                      const struct call *call, struct error *error)
{
    (void)call;
    return layer_make(paths, request->file, error);
}

/* Under the lock that a mount takes too, so that nothing is mounted between the look and the rename. */
static int delete_data(const char *store, const struct data_reference *request,
                       int (*check)(const struct paths *, const char *, struct error *),
                       const struct paths *paths, struct error *error)
{
    char path[PATH_MAX];
    int result = data_check_name(request->file, error);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "%s/%s", store, request->file);
    if (request->left || (access(path, F_OK) < 0 && errno == ENOENT))
        return tree_remove_leftovers(store, request->file, error);
    _cleanup_close_ int lock = data_lock(store, request->file, error);
    if (lock < 0)
        return lock;
    result = check(paths, request->file, error);
    return result < 0 ? result : tree_remove_from_store(store, request->file, error);
}

int data_delete_layer(const struct paths *paths, const struct data_reference *request,
                      const struct call *call, struct error *error)
{
    (void)call;
    return delete_data(paths->layers, request, layer_check_unused, paths, error);
}

int data_delete_volume(const struct paths *paths, const struct data_reference *request,
                       const struct call *call, struct error *error)
{
    (void)call;
    return delete_data(paths->volumes, request, volume_check_unused, paths, error);
}
