/* Before something is removed from a store, every mount namespace is asked: a running container may stand on a
 * layer whose mount on the host is long gone. Used by garbage collection, so its cost does not matter. */
#include "drivers/storage/in_use.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/storage/view_mounts.h"
#include "lib/arena.h"
#include "lib/error.h"

struct search {
    const struct paths *paths;
    struct mount_origin volumes, layers;
    const char *image, *layer, *volume; /* one of them */
};

static bool is_wanted(const char *name, const char *wanted)
{
    return name && wanted && strcmp(name, wanted) == 0;
}

/* 1 or 0; -EFBIG: it is too long to be read, and may hold anything. */
static int table_holds(const struct search *search, const char *table)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct mount_entries entries = {0};
    int result = mounts_read(table, arena, &entries, NULL);
    if (result < 0)
        return result == -EFBIG ? result : 0; /* the process is gone */
    for (size_t i = 0; i < entries.count; i++)
        if ((search->image &&
             is_wanted(mount_image(search->paths, arena, &entries.items[i]), search->image)) ||
            (search->layer &&
             is_wanted(mount_layer(search->paths, arena, &entries.items[i]), search->layer)) ||
            (search->layer &&
             is_wanted(mount_copied_layer(&search->layers, arena, &entries.items[i]), search->layer)) ||
            (search->volume &&
             is_wanted(mount_volume(&search->volumes, arena, &entries.items[i]), search->volume)))
            return 1;
    return 0;
}

static bool seen_before(struct arena *arena, ino_t **seen, size_t *count, ino_t namespace)
{
    for (size_t i = 0; i < *count; i++)
        if ((*seen)[i] == namespace)
            return true;
    *arena_append(arena, *seen, *count) = namespace;
    return false;
}

static int check(const struct search *search, const char *what, const char *name, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    ino_t *seen = NULL;
    size_t count = 0;
    DIR *directory = opendir("/proc");
    if (!directory)
        return error_errno(error, -errno, "/proc");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        if (item->d_name[0] < '1' || item->d_name[0] > '9')
            continue;
        struct stat status;
        const char *namespace = arena_printf(arena, "/proc/%s/ns/mnt", item->d_name);
        if (stat(namespace, &status) < 0 || seen_before(arena, &seen, &count, status.st_ino))
            continue;
        const int held = table_holds(search, arena_printf(arena, "/proc/%s/mountinfo", item->d_name));
        if (held != 0)
            result = error_set(error, -EBUSY, "%s %s %s process %s%s", what, name,
                               held < 0 ? "may be mounted in" : "is mounted in", item->d_name,
                               held < 0 ? ", which has more mounts than are read" : "");
    }
    closedir(directory);
    return result;
}

int image_check_unused(const struct paths *paths, const char *digest, struct error *error)
{
    return check(&(struct search){.paths = paths, .image = digest}, "image", digest, error);
}

int layer_check_unused(const struct paths *paths, const char *file, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct search search = {.paths = paths, .layer = file};
    int result = mount_origin_of(paths->layers, arena, &search.layers, error);
    return result < 0 ? result : check(&search, "layer", file, error);
}

int volume_check_unused(const struct paths *paths, const char *file, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct search search = {.paths = paths, .volume = file};
    int result = mount_origin_of(paths->volumes, arena, &search.volumes, error);
    return result < 0 ? result : check(&search, "volume", file, error);
}
