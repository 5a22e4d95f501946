/* Where a container's volumes, binds and devices are mounted: each in a place of its own, none in the kernel's, none
 * inside another. */
#include <stdlib.h>
#include <string.h>

#include "specs/check.h"

struct mounting {
    const char *path;
    const char *what; /* "volume", "bind", "device" */
    struct place place;
};

static bool is_at_or_below(const char *path, const char *const *folders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(folders[i]);
        if (strncmp(path, folders[i], length) == 0 && (path[length] == '/' || !path[length]))
            return true;
    }
    return false;
}

static bool is_of_the_kernel(const char *path)
{
    static const char *const folders[] = {"/proc", "/sys", "/dev"};
    return is_at_or_below(path, folders, sizeof(folders) / sizeof(*folders)) || strcmp(path, "/") == 0;
}

/* Devices may come to /dev, but not to what every container has there. */
static bool is_in_every_container(const char *path)
{
    static const char *const places[] = {
        "/proc",        "/sys",     "/dev/null", "/dev/zero", "/dev/full",   "/dev/random",
        "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts",  "/dev/shm",    "/dev/console",
        "/dev/mqueue",  "/dev/fd",  "/dev/lxc",  "/dev/.lxc", "/dev/.fpsync"};
    return is_at_or_below(path, places, sizeof(places) / sizeof(*places)) || strcmp(path, "/dev") == 0 ||
           strcmp(path, "/") == 0;
}

static bool can_be_mounted(const struct mounting *one)
{
    return !(strcmp(one->what, "device") == 0 ? is_in_every_container : is_of_the_kernel)(one->path);
}

/* The nearest folder above `path` that is in `paths`, or NULL. */
static const char *folder_above(struct arena *arena, const struct map *paths, const char *path)
{
    char *folder = arena_strdup(arena, path);
    for (char *slash; (slash = strrchr(folder, '/')) != folder;) {
        *slash = '\0';
        if (map_get(paths, folder))
            return folder;
    }
    return NULL;
}

static int by_path(const void *left, const void *right)
{
    return strcmp(((const struct mounting *)left)->path, ((const struct mounting *)right)->path);
}

static struct mounting *collect(struct arena *arena, const struct container *container, size_t *count)
{
    struct mounting *all =
        arena_array_of(arena, struct mounting,
                       container->volumes.count + container->binds.count + container->devices.count + 1);
    *count = 0;
    for (size_t i = 0; i < container->volumes.count; i++) {
        const struct mount *mount = container->volumes.items[i];
        all[(*count)++] = (struct mounting){
            mount->path, "volume", field_place(&mount_table, mount, field_by_key(&mount_table, "path"))};
    }
    for (size_t i = 0; i < container->binds.count; i++) {
        const struct bind *bind = container->binds.items[i];
        all[(*count)++] = (struct mounting){
            bind->path, "bind", field_place(&bind_table, bind, field_by_key(&bind_table, "path"))};
    }
    for (size_t i = 0; i < container->devices.count; i++) {
        const struct device *device = container->devices.items[i];
        if (!device_place(device))
            continue; /* it is below /dev/bus/usb or /dev/dri, as on the host */
        all[(*count)++] =
            (struct mounting){device_place(device), "device",
                              field_place(&device_table, device,
                                          field_by_key(&device_table, device->target ? "target" : "path"))};
    }
    qsort(all, *count, sizeof(*all), by_path); /* what holds another stands before it */
    return all;
}

void check_mounts(struct world *world, const struct object *object)
{
    size_t count;
    const struct mounting *all = collect(world->arena, object->body, &count);
    _cleanup_map_ struct map paths = {0};
    for (size_t i = 0; i < count; i++) {
        const struct mounting *one = &all[i];
        const struct mounting *same = map_get(&paths, one->path);
        if (!can_be_mounted(one)) {
            problem_add(world->problems, one->place,
                        strcmp(one->what, "device") == 0 ? "add target: PATH, for example /dev/NAME"
                                                         : "mount it elsewhere, for example below /srv",
                        "no %s can be mounted on %s", one->what, one->path);
            continue;
        }
        if (same)
            problem_add(world->problems, one->place,
                        arena_printf(world->arena, "the %s is in line %u", same->what, same->place.line),
                        "a %s and a %s cannot both be mounted on %s", same->what, one->what, one->path);
        const char *outer = folder_above(world->arena, &paths, one->path);
        if (outer)
            problem_add(world->problems, one->place, "attaching the outer one later would hide the inner one",
                        "%s lies inside %s, where another %s is mounted", one->path, outer,
                        ((const struct mounting *)map_get(&paths, outer))->what);
        map_add(&paths, one->path, (void *)one);
    }
}
