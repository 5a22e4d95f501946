/* logs image/NAME: what the command of the last RUN of an image's builds printed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/build.h"
#include "lib/error.h"
#include "reconciler/cli/logs.h"

/* A bare name is that of an image of any project. */
static bool is_of(const char *file, const char *image, struct arena *arena)
{
    const char *end = strchr(file, '.');
    const char *own = end ? arena_strndup(arena, file, (size_t)(end - file)) : "";
    const char *bare = strchr(own, '_');
    return strcmp(own, paths_file_name(arena, image)) == 0 ||
           (bare && !strchr(image, '/') && strcmp(bare + 1, image) == 0);
}

/* Of the newest log; NULL: there is none. */
static const char *find_newest(const char *folder, const char *image, struct arena *arena)
{
    const char *found = NULL;
    struct timespec newest = {0};
    DIR *directory = opendir(folder);
    for (struct dirent *item; directory && (item = readdir(directory));) {
        struct stat status;
        const size_t length = strlen(item->d_name);
        if (!is_of(item->d_name, image, arena) || strcmp(item->d_name + length - 2, ".1") == 0 ||
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
    int result = paths_make(options->root, arena, &paths, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const char *folder = arena_printf(arena, "%s/" BUILD_FOLDER_LOGS, paths.build);
    const char *name = find_newest(folder, image, arena);
    if (!name) {
        error_set(&error, -ENOENT, "logs: nothing is kept of a build of image %s", image);
        return fail(options, &error, EXIT_ERROR);
    }
    result = log_print_file(arena_printf(arena, "%s/%s.1", folder, name), &error);
    if (result >= 0)
        result = log_print_file(arena_printf(arena, "%s/%s", folder, name), &error);
    return result < 0 ? fail(options, &error, EXIT_ERROR) : EXIT_IN_SYNC;
}
