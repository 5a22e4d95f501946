/* Before something is removed from a store, every mount namespace is asked: a running container may stand on a
 * layer whose mount on the host is long gone. Used by garbage collection, so its cost does not matter.
 *
 * Which folders an overlay is made of is for whoever mounts it to say, and a guest's root can mount one over paths that are
 * called like those of the store. What a table says of overlays is so if our own table has that very one; and where ours
 * has none of the layer, if the kernel says that the layer is held. Devices and places within them cannot be made up. */
#include "drivers/storage/in_use.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/upper_held.h"
#include "drivers/storage/view_mounts.h"
#include "lib/arena.h"
#include "lib/error.h"

struct search {
    const struct paths *paths;
    struct mount_origin volumes, layers;
    const char *image, *layer, *volume; /* one of them */
    struct mount_entries own;           /* of this process */
};

static bool is_wanted(const char *name, const char *wanted)
{
    return name && wanted && strcmp(name, wanted) == 0;
}

/* Whether an overlay that says to stand on the layer does. */
static bool is_true(const struct search *search, struct arena *arena, const struct mount_entry *entry,
                    const char *layer)
{
    for (size_t i = 0; i < search->own.count; i++) {
        const struct mount_entry *own = &search->own.items[i];
        if (is_wanted(mount_layer(search->paths, arena, own), layer))
            return own->major == entry->major && own->minor == entry->minor;
    }
    return upper_is_held(search->paths, layer);
}

/* Images are below nothing but layers. */
static bool overlay_holds(const struct search *search, struct arena *arena, const struct mount_entry *entry)
{
    const char *layer = mount_layer(search->paths, arena, entry);
    struct texts images = {0};
    if (layer && search->image)
        mount_images(search->paths, arena, entry, &images);
    bool holds = search->image ? texts_have(&images, search->image) : is_wanted(layer, search->layer);
    return layer && holds && is_true(search, arena, entry, layer);
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
        if (overlay_holds(search, arena, &entries.items[i]) ||
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

/* A copy is told by tables alone. */
static bool kernel_knows(const struct search *search, struct arena *arena)
{
    return search->layer &&
           access(arena_printf(arena, "%s/%s/root", search->paths->layers, search->layer), F_OK) < 0;
}

static int check(struct search *search, const char *what, const char *name, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    ino_t *seen = NULL;
    size_t count = 0;
    int result = mounts_read("/proc/self/mountinfo", arena, &search->own, error);
    if (result < 0)
        return result;
    DIR *directory = opendir("/proc");
    if (!directory)
        return error_errno(error, -errno, "/proc");
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        if (item->d_name[0] < '1' || item->d_name[0] > '9')
            continue;
        struct stat status;
        const char *namespace = arena_printf(arena, "/proc/%s/ns/mnt", item->d_name);
        if (stat(namespace, &status) < 0 || seen_before(arena, &seen, &count, status.st_ino))
            continue;
        int held = table_holds(search, arena_printf(arena, "/proc/%s/mountinfo", item->d_name));
        if (held < 0 && kernel_knows(search, arena))
            held = upper_is_held(search->paths, search->layer);
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
