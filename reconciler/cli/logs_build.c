/* logs image/NAME: what the command of the last RUN of an image's builds printed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/build.h"
#include "lib/error.h"
#include "reconciler/cli/logs.h"

/* Logs are called PROJECT_NAME.KEY, and PROJECT_NAME.KEY.1 once they are full. */
static const char *owner_of(const char *file, struct arena *arena)
{
    char *owner = arena_strndup(arena, file, strcspn(file, "."));
    char *bar = strchr(owner, '_');
    if (bar)
        *bar = '/';
    return owner;
}

static bool is_standard(const char *owner)
{
    return owner && strncmp(owner, "default/", strlen("default/")) == 0;
}

/* The image that is meant: a bare name is that of project `default`, else the only one called so. NULL: nothing is kept of it.
 */
static int find_owner(const char *folder, const char *image, struct arena *arena, const char **found,
                      struct error *error)
{
    const char *other = NULL;
    DIR *directory = opendir(folder);
    *found = NULL;
    for (struct dirent *item; directory && (item = readdir(directory));) {
        const char *owner = owner_of(item->d_name, arena), *slash = strchr(owner, '/');
        if (strcmp(owner, image) != 0 && (!slash || strcmp(slash + 1, image) != 0))
            continue;
        if (*found && strcmp(*found, owner) != 0 && !is_standard(*found))
            other = *found;
        if (!is_standard(*found))
            *found = owner;
    }
    if (directory)
        closedir(directory);
    if (!other || is_standard(*found))
        return 0;
    const bool first = strcmp(*found, other) < 0;
    return error_set(error, -EINVAL, "logs: image %s: both %s and %s are called so; write image/PROJECT/NAME",
                     image, first ? *found : other, first ? other : *found);
}

/* Of the newest log; NULL: there is none. */
static const char *find_newest(const char *folder, const char *owner, struct arena *arena)
{
    const char *found = NULL;
    struct timespec newest = {0};
    DIR *directory = opendir(folder);
    for (struct dirent *item; directory && (item = readdir(directory));) {
        struct stat status;
        const size_t length = strlen(item->d_name);
        if (strcmp(owner_of(item->d_name, arena), owner) != 0 ||
            strcmp(item->d_name + length - 2, ".1") == 0 ||
            fstatat(dirfd(directory), item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        if (found && (status.st_mtim.tv_sec < newest.tv_sec ||
                      (status.st_mtim.tv_sec == newest.tv_sec && status.st_mtim.tv_nsec < newest.tv_nsec)))
            continue;
        newest = status.st_mtim;
        found = arena_strdup(arena, item->d_name);
    }
    if (directory)
        closedir(directory);
    return found;
}

int logs_of_build(const struct options *options, const char *image)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct paths paths;
    struct error error = {0};
    const char *owner;
    int result = paths_make(options->root, arena, &paths, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const char *folder = arena_printf(arena, "%s/" BUILD_FOLDER_LOGS, paths.build);
    if (find_owner(folder, image, arena, &owner, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    const char *name = owner ? find_newest(folder, owner, arena) : NULL;
    if (!name) {
        error_set(&error, -ENOENT, "logs: nothing is kept of a build of image %s", image);
        return fail(options, &error, EXIT_ERROR);
    }
    result = log_print_file(arena_printf(arena, "%s/%s.1", folder, name), &error);
    if (result >= 0)
        result = log_print_file(arena_printf(arena, "%s/%s", folder, name), &error);
    return result < 0 ? fail(options, &error, EXIT_ERROR) : EXIT_IN_SYNC;
}
