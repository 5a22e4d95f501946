/* fake-tool: the other hand on what is stored, mounted and plugged in, and on the host as a whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "tests/fake/tool.h"
#include "tests/fake/world.h"

static int drop(struct json *world, const char *map, const char *name, struct error *error)
{
    if (!fake_find(world, map, name))
        return error_set(error, -ENOENT, "no %s in %s", name, map);
    json_remove(fake_map(world, map), name);
    return 0;
}

static int run_unmount_volume(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result < 0)
        return result;
    struct json *mounts = json_get(container, "guest_mounts");
    if (!json_get(mounts, arguments[1]))
        return error_set(error, -ENOENT, "no volume at %s of %s", arguments[1], arguments[0]);
    json_remove(mounts, arguments[1]);
    return 0;
}

/* What a running container has at a place. */
static int take_away(struct json *world, char **arguments, const char *map, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_remove(json_get(container, map), arguments[1]);
    return result;
}

static int run_unbind(struct json *world, char **arguments, struct error *error)
{
    return take_away(world, arguments, "guest_binds", error);
}

static int run_take_device(struct json *world, char **arguments, struct error *error)
{
    return take_away(world, arguments, "guest_devices", error);
}

static int run_miss(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    if (!json_get(world, "missing"))
        json_set(world, "missing", json_new_object());
    json_set(json_get(world, "missing"), arguments[0], json_new_bool(true));
    return 0;
}

static int run_bring(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    json_remove(json_get(world, "missing"), arguments[0]);
    return 0;
}

static int run_mount_volume(struct json *world, char **arguments, struct error *error)
{
    struct json *container;
    int result = tool_find_running(world, arguments[0], &container, error);
    if (result == 0)
        json_set(json_get(container, "guest_mounts"), arguments[1], json_new_text(arguments[2]));
    return result;
}

static int run_unmount_root(struct json *world, char **arguments, struct error *error)
{
    const struct json *roots = fake_map(world, "roots");
    size_t length = strlen(arguments[0]);
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        if (strncmp(json_key(i), arguments[0], length) == 0 &&
            (!json_key(i)[length] || json_key(i)[length] == '.'))
            return drop(world, "roots", json_key(i), error);
    return error_set(error, -ENOENT, "no root of %s is mounted", arguments[0]);
}

/* By the name it was made under, or by its digest. */
static int run_drop_image(struct json *world, char **arguments, struct error *error)
{
    const struct json *images = fake_map(world, "images");
    for (void *i = json_first(images); i; i = json_next(images, i)) {
        const char *name = text_in(json_value(i), "name");
        if (name && strcmp(name, arguments[0]) == 0)
            return drop(world, "images", json_key(i), error);
    }
    return drop(world, "images", arguments[0], error);
}

static struct json *find_image(const struct json *world, const char *name)
{
    const struct json *images = fake_map(world, "images");
    for (void *i = json_first(images); i; i = json_next(images, i)) {
        const char *made = text_in(json_value(i), "name");
        if (made && strcmp(made, name) == 0)
            return json_value(i);
    }
    return NULL;
}

/* A root was last mounted on it so many seconds ago. */
static int run_used(struct json *world, char **arguments, struct error *error)
{
    struct json *image = find_image(world, arguments[0]);
    if (!image)
        return error_set(error, -ENOENT, "no image %s", arguments[0]);
    json_set(image, "used", json_new_number((int64_t)time(NULL) - strtoll(arguments[1], NULL, 10)));
    return 0;
}

/* One image becomes a delta on another one. */
static int run_stand(struct json *world, char **arguments, struct error *error)
{
    struct json *image = find_image(world, arguments[0]);
    const struct json *images = fake_map(world, "images"), *lower = find_image(world, arguments[1]);
    for (void *i = json_first(images); image && i; i = json_next(images, i))
        if (json_value(i) == lower) {
            json_set(image, "lower", json_new_text(json_key(i)));
            return 0;
        }
    return error_set(error, -ENOENT, "no image %s or %s", arguments[0], arguments[1]);
}

/* The store is on it from now on, with quotas. */
static int run_btrfs(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    json_set(world, "btrfs", json_new_bool(true));
    return 0;
}

static int run_drop_layer(struct json *world, char **arguments, struct error *error)
{
    return drop(world, "layers", arguments[0], error);
}

static int run_drop_volume(struct json *world, char **arguments, struct error *error)
{
    return drop(world, "volumes", arguments[0], error);
}

/* A removal that did not come to its end. */
static int run_leave(struct json *world, char **arguments, struct error *error)
{
    char key[160];
    (void)error;
    snprintf(key, sizeof(key), "%s/%s", arguments[0], arguments[1]);
    json_set(fake_map(world, "leftovers"), key, json_new_bool(true));
    return 0;
}

static int change_layer(struct json *world, const char *name, const char *key, struct json *value,
                        struct error *error)
{
    struct json *layer = fake_find(world, "layers", name);
    if (!layer) {
        json_free(value);
        return error_set(error, -ENOENT, "no layer %s", name);
    }
    json_set(layer, key, value);
    return 0;
}

/* Its guest installed something. */
static int run_install_packages(struct json *world, char **arguments, struct error *error)
{
    return change_layer(world, arguments[0], "packages", json_new_bool(true), error);
}

/* Its guest wrote something. */
static int run_hold(struct json *world, char **arguments, struct error *error)
{
    return change_layer(world, arguments[0], "used", json_new_number(strtoll(arguments[1], NULL, 10)), error);
}

/* The file of a limited layer is another's work. */
static int run_truncate(struct json *world, char **arguments, struct error *error)
{
    return change_layer(world, arguments[0], "size", json_new_number(strtoll(arguments[1], NULL, 10)), error);
}

/* "usb" or "gpu", its key and where it is; "-": nowhere. */
static int run_plug(struct json *world, char **arguments, struct error *error)
{
    char name[256];
    (void)error;
    snprintf(name, sizeof(name), "%s %s", arguments[0], arguments[1]);
    struct json *plugged = json_get(world, "plugged");
    if (!plugged)
        plugged = json_set(world, "plugged", json_new_object());
    if (strcmp(arguments[2], "-") == 0)
        json_remove(plugged, name);
    else
        json_set(plugged, name, json_new_text(arguments[2]));
    return 0;
}

/* "0-1" and the version of its control groups. */
static int run_host(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    json_set(world, "cpus", json_new_text(arguments[0]));
    json_set(world, "version_1", json_new_bool(strcmp(arguments[1], "1") == 0));
    return 0;
}

static int run_let_grow(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    json_set(world, "grows", json_new_bool(true));
    return 0;
}

/* The host burned down: nothing runs, nothing is stored. */
static int run_lose(struct json *world, char **arguments, struct error *error)
{
    static const char *const maps[] = {"containers", "bridges", "ports",   "resolvers",
                                       "images",     "layers",  "volumes", "roots"};
    (void)arguments, (void)error;
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        json_set(world, maps[i], json_new_object());
    json_set(world, "rules", json_new_null());
    return 0;
}

static int run_renew_source(struct json *world, char **arguments, struct error *error)
{
    (void)error;
    struct json *renewed = json_get(world, "renewed");
    if (!renewed)
        renewed = json_set(world, "renewed", json_new_object());
    json_set(renewed, arguments[0], json_new_number(number_in(renewed, arguments[0]) + 1));
    return 0;
}

const struct tool_command tool_storage[] = {
    {"unmount-volume", "CONTAINER PATH", 2, run_unmount_volume},
    {"mount-volume", "CONTAINER PATH FILE", 3, run_mount_volume},
    {"unmount-root", "CONTAINER", 1, run_unmount_root},
    {"unbind", "CONTAINER PATH", 2, run_unbind},
    {"take-device", "CONTAINER PATH", 2, run_take_device},
    {"miss", "SOURCE", 1, run_miss},
    {"bring", "SOURCE", 1, run_bring},
    {"drop-image", "NAME|DIGEST", 1, run_drop_image},
    {"used", "NAME SECONDS", 2, run_used},
    {"stand", "NAME LOWER", 2, run_stand},
    {"drop-layer", "FILE", 1, run_drop_layer},
    {"drop-volume", "FILE", 1, run_drop_volume},
    {"leave", "image|layer|volume FILE", 2, run_leave},
    {"renew-source", "SOURCE", 1, run_renew_source},
    {"lose", "", 0, run_lose},
    {"install-packages", "LAYER", 1, run_install_packages},
    {"hold", "LAYER BYTES", 2, run_hold},
    {"truncate", "LAYER BYTES", 2, run_truncate},
    {"plug", "usb|gpu KEY PATH|-", 3, run_plug},
    {"let-grow", "", 0, run_let_grow},
    {"host", "CPUS 1|2", 2, run_host},
    {"btrfs", "", 0, run_btrfs},
    {0},
};
