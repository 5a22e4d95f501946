/* Images, layers, volumes and mounts of the fake world. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/archive.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/image_config.h"
#include "tests/fake/convert.h"
#include "tests/fake/world.h"

static bool is_running(const struct fake *fake, const char *lxc_name)
{
    return json_as_bool(json_get(fake_find(fake->world, "containers", lxc_name), "running"));
}

static void make_data(struct fake *fake, const char *store, const char *file)
{
    if (fake_find(fake->world, store, file))
        return;
    struct json *data = json_set(fake_map(fake->world, store), file, json_new_object());
    json_set(data, "modified", json_new_number(1700000000 + fake_tick(fake->world)));
}

/* The container that uses it, or NULL: by a mounted root, or by a running guest whose root was unmounted. */
static const char *user_of_layer(const struct fake *fake, const char *file)
{
    const struct json *roots = fake_map(fake->world, "roots"),
                      *containers = fake_map(fake->world, "containers");
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        if (text_is_same(text_in(json_value(i), "layer"), file))
            return json_key(i);
    for (void *i = json_first(containers); i; i = json_next(containers, i))
        if (text_is_same(text_in(json_value(i), "guest_layer"), file))
            return json_key(i);
    return NULL;
}

static bool is_of(const char *mount, const char *file)
{
    size_t length = strcspn(mount, ":");
    return strlen(file) == length && strncmp(mount, file, length) == 0;
}

static bool holds(const struct json *mounts, const char *file)
{
    for (void *i = json_first(mounts); i; i = json_next(mounts, i))
        if (is_of(json_as_text(json_value(i)), file))
            return true;
    return false;
}

static struct json *mount_of(const struct fake *fake, const char *file, bool read_only)
{
    return json_new_text(read_only ? arena_printf(fake->call->arena, "%s:ro", file) : file);
}

static const char *user_of_volume(const struct fake *fake, const char *file)
{
    const struct json *roots = fake_map(fake->world, "roots"),
                      *containers = fake_map(fake->world, "containers");
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        if (holds(json_get(json_value(i), "volumes"), file))
            return json_key(i);
    for (void *i = json_first(containers); i; i = json_next(containers, i))
        if (holds(json_get(json_value(i), "guest_mounts"), file))
            return json_key(i);
    return NULL;
}

/* ---- data ---- */

static int apply_create(struct fake *fake, const char *store, const char *file)
{
    make_data(fake, store, file);
    return 0;
}

static void remove_leftover(struct fake *fake, const char *kind, const char *file)
{
    json_remove(fake_map(fake->world, "leftovers"), arena_printf(fake->call->arena, "%s/%s", kind, file));
}

static int apply_delete(struct fake *fake, const char *kind, const struct data_reference *request,
                        const char *user, struct error *error)
{
    const char *store = arena_printf(fake->call->arena, "%ss", kind), *file = request->file;
    if (user && !request->left)
        return error_set(error, -EBUSY, "%s/%s is mounted for %s", store, file, user);
    if (!request->left)
        json_remove(fake_map(fake->world, store), file);
    remove_leftover(fake, kind, file);
    return 0;
}

static int create_layer(const struct paths *paths, const struct data_reference *request,
                        const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LAYER_CREATE, request->file, error);
    return result < 0 ? result : fake_end(&fake, apply_create(&fake, "layers", request->file), error);
}

static const char *type_of(const char *type)
{
    return type ? type : "dir";
}

/* A volume of another type, or a larger one, than is asked for is a promise broken. */
static void make_volume(struct fake *fake, const char *file, const char *type, int64_t size)
{
    make_data(fake, "volumes", file);
    struct json *volume = fake_find(fake->world, "volumes", file);
    const char *was = text_in(volume, "type");
    if (was && !text_is_same(was, type_of(type)))
        fake_violation(fake, "volume %s of type %s is to be one of type %s", file, was, type_of(type));
    if (size && size < number_in(volume, "size"))
        fake_violation(fake, "volume %s is to shrink", file);
    json_set(volume, "type", json_new_text(type_of(type)));
    json_set(volume, "size", json_new_number(size));
}

static int apply_create_volume(struct fake *fake, const struct volume_source *request, struct error *error)
{
    if (text_is_same(request->type, "btrfs") && !json_as_bool(json_get(fake->world, "btrfs")))
        return error_set(error, -ENOTTY, "volume %s: the store is not on btrfs", request->file);
    const int64_t before = number_in(fake_find(fake->world, "volumes", request->file), "size");
    if (before && request->size > before && user_of_volume(fake, request->file) &&
        !json_as_bool(json_get(fake->world, "grows")))
        return error_set(error, -EPERM, "volume %s cannot grow while it is mounted", request->file);
    make_volume(fake, request->file, request->type, request->size);
    return 0;
}

static int create_volume(const struct paths *paths, const struct volume_source *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_CREATE, request->file, error);
    return result < 0 ? result : fake_end(&fake, apply_create_volume(&fake, request, error), error);
}

static int apply_rename(struct fake *fake, const char *store, const struct data_rename *request,
                        struct error *error)
{
    struct json *data = fake_find(fake->world, store, request->from);
    if (!data)
        return 0;
    if (fake_find(fake->world, store, request->to))
        return error_set(error, -EEXIST, "cannot rename %s/%s to %s", store, request->from, request->to);
    json_set(json_set(fake_map(fake->world, store), request->to, json_new_object()), "modified",
             json_new_number(number_in(data, "modified")));
    json_remove(fake_map(fake->world, store), request->from);
    return 0;
}

/* Mounts follow the folder. */
static void rename_mounts(struct fake *fake, const char *map, const char *mounts,
                          const struct data_rename *request)
{
    const struct json *owners = fake_map(fake->world, map);
    for (void *i = json_first(owners); i; i = json_next(owners, i)) {
        struct json *there = json_get(json_value(i), mounts);
        for (void *j = json_first(there); j; j = json_next(there, j))
            if (text_is_same(json_as_text(json_value(j)), request->from))
                json_set(there, json_key(j), json_new_text(request->to));
    }
}

static int rename_layer(const struct paths *paths, const struct data_rename *request, const struct call *call,
                        struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LAYER_RENAME, request->from, error);
    if (result < 0)
        return result;
    const char *user = user_of_layer(&fake, request->from);
    result = user ? error_set(error, -EBUSY, "layer %s is mounted for %s", request->from, user)
                  : apply_rename(&fake, "layers", request, error);
    return fake_end(&fake, result, error);
}

static int rename_volume(const struct paths *paths, const struct data_rename *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_RENAME, request->from, error);
    if (result < 0)
        return result;
    result = apply_rename(&fake, "volumes", request, error);
    if (result == 0) {
        rename_mounts(&fake, "roots", "volumes", request);
        rename_mounts(&fake, "containers", "guest_mounts", request);
    }
    return fake_end(&fake, result, error);
}

static int delete_layer(const struct paths *paths, const struct data_reference *request,
                        const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LAYER_DELETE, request->file, error);
    if (result < 0)
        return result;
    result = apply_delete(&fake, "layer", request, user_of_layer(&fake, request->file), error);
    return fake_end(&fake, result, error);
}

static int delete_volume(const struct paths *paths, const struct data_reference *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_DELETE, request->file, error);
    if (result < 0)
        return result;
    result = apply_delete(&fake, "volume", request, user_of_volume(&fake, request->file), error);
    return fake_end(&fake, result, error);
}

static int apply_grow(struct fake *fake, const struct volume_source *request, struct error *error)
{
    struct json *layer = fake_find(fake->world, "layers", request->file);
    if (!layer || !number_in(layer, "size"))
        return error_set(error, -ENOENT, "layer %s lies in no file", request->file);
    if (!json_as_bool(json_get(fake->world, "grows")))
        return error_set(error, -EPERM, "layer %s cannot grow while it is mounted", request->file);
    if (request->size < number_in(layer, "size"))
        fake_violation(fake, "layer %s is to shrink while it is mounted", request->file);
    json_set(layer, "size", json_new_number(request->size));
    return 0;
}

static int grow_layer(const struct paths *paths, const struct volume_source *request, const struct call *call,
                      struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LAYER_GROW, request->file, error);
    return result < 0 ? result : fake_end(&fake, apply_grow(&fake, request, error), error);
}

/* ---- what lies below, and snapshots ----
 *
 * A layer or volume is "dirty" once a root was mounted on it; "frozen" is what lies below: a list of numbers that grow
 * with every freeze. */

static struct json *copy_list(const struct json *list)
{
    struct json *copy = json_new_array();
    for (size_t i = 0; i < json_length(list); i++)
        json_append(copy, json_new_number(json_as_number(json_at(list, i), 0)));
    return copy;
}

static void freeze(struct fake *fake, struct json *data)
{
    struct json *frozen = json_new_array();
    json_append(frozen, json_new_number(fake_tick(fake->world)));
    for (size_t i = 0; i < json_length(json_get(data, "frozen")); i++)
        json_append(frozen, json_new_number(json_as_number(json_at(json_get(data, "frozen"), i), 0)));
    json_set(data, "frozen", frozen);
    json_remove(data, "dirty");
}

static const char *free_name(const struct call *call, const struct json *snapshots, const char *wanted)
{
    const char *name = wanted;
    for (int number = 2; json_get(snapshots, name); number++)
        name = arena_printf(call->arena, "%s-%d", wanted, number);
    return name;
}

static int apply_change(struct fake *fake, const char *store, const struct data_change *request,
                        const char *user, const struct call *call, struct data_changed *changed,
                        struct error *error)
{
    struct json *data = fake_find(fake->world, store, request->file);
    if (user)
        fake_violation(fake, "%s/%s is changed while it is mounted for %s", store, request->file, user);
    if (!data)
        return request->kept ? error_set(error, -ENOENT, "no %s/%s", store, request->file) : 0;
    struct json *snapshots = json_get(data, "snapshots");
    if (request->token && text_is_same(text_in(data, "token"), request->token) &&
        (!request->kept || !request->name || json_get(snapshots, request->name)))
        return 0;
    if (!snapshots)
        snapshots = json_set(data, "snapshots", json_new_object());
    const struct json *from = request->from ? json_get(snapshots, request->from) : NULL;
    if (request->from && !from)
        return error_set(error, -ENOENT, "%s has no snapshot %s", request->file, request->from);
    if (from && json_as_bool(json_get(from, "whole")) != request->whole)
        return error_set(error, -EINVAL, "snapshot %s is of another root", request->from);
    if (json_as_bool(json_get(data, "dirty")))
        freeze(fake, data);
    if (request->name && (json_length(json_get(data, "frozen")) || request->kept)) {
        changed->name = free_name(call, snapshots, request->name);
        struct json *snapshot = json_set(snapshots, changed->name, json_new_object());
        json_set(snapshot, "image", request->image ? json_new_text(request->image) : json_new_null());
        json_set(snapshot, "kept", json_new_bool(request->kept));
        if (request->whole)
            json_set(snapshot, "whole", json_new_bool(true));
        json_set(snapshot, "frozen", copy_list(json_get(data, "frozen")));
    }
    if (request->fresh || from)
        json_set(data, "frozen", from ? copy_list(json_get(from, "frozen")) : json_new_array());
    if (from)
        changed->image = arena_strdup(call->arena, text_in(from, "image"));
    if (request->token)
        json_set(data, "token", json_new_text(request->token));
    return 0;
}

static int change_layer(const struct paths *paths, const struct data_change *request, const struct call *call,
                        struct data_changed *changed, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_LAYER_CHANGE, request->file, error);
    if (result < 0)
        return result;
    result =
        apply_change(&fake, "layers", request, user_of_layer(&fake, request->file), call, changed, error);
    return fake_end(&fake, result, error);
}

static int change_volume(const struct paths *paths, const struct data_change *request,
                         const struct call *call, struct data_changed *changed, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_CHANGE, request->file, error);
    if (result < 0)
        return result;
    const char *user = request->from ? user_of_volume(&fake, request->file) : NULL;
    result = apply_change(&fake, "volumes", request, user, call, changed, error);
    return fake_end(&fake, result, error);
}

static int drop_snapshot(const struct paths *paths, enum step_kind step, const char *store,
                         const struct data_change *request, const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, step, request->file, error);
    if (result < 0)
        return result;
    struct json *snapshots = json_get(fake_find(fake.world, store, request->file), "snapshots");
    if (snapshots && request->name)
        json_remove(snapshots, request->name);
    return fake_end(&fake, 0, error);
}

static int drop_layer_snapshot(const struct paths *paths, const struct data_change *request,
                               const struct call *call, struct error *error)
{
    return drop_snapshot(paths, STEP_LAYER_DROP, "layers", request, call, error);
}

static int drop_volume_snapshot(const struct paths *paths, const struct data_change *request,
                                const struct call *call, struct error *error)
{
    return drop_snapshot(paths, STEP_VOLUME_DROP, "volumes", request, call, error);
}

static int check_layer(const struct paths *paths, const struct layer_check *request, const struct call *call,
                       struct error *error)
{
    struct fake fake;
    struct observed_difference found = {0};
    int result = fake_begin(&fake, paths, call, STEP_LAYER_CHECK, request->file, error);
    if (result == 0) {
        storage_view.dump_difference(paths, request->file, request->from, request->to, call, &found, error);
        const char *why = found.system ? found.system : found.database;
        result = why ? error_set(error, -EPERM, "layer %s stays on its image: %s", request->file, why) : 0;
        result = fake_end(&fake, result, error);
    }
    return result;
}

/* ---- backups ---- */

static const char *const archived[] = {"images", "layers", "volumes"};
#define WORLD_LIMIT ((size_t)64 << 20)

/* The data of this world lies in the store as a file for that moment. */
static int put_world(const struct fake *fake, const char *path, struct error *error)
{
    _cleanup_json_ struct json *data = json_new_object();
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < sizeof(archived) / sizeof(archived[0]); i++) {
        _cleanup_buffer_ struct buffer part = {0};
        struct json *copy = NULL;
        json_print(fake_map(fake->world, archived[i]), false, &part);
        if (json_parse(part.bytes, part.length, &copy, error) < 0)
            return -EBADMSG;
        json_set(data, archived[i], copy);
    }
    json_print(data, false, &text);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, text.bytes, text.length) != (ssize_t)text.length
               ? error_errno(error, -errno, "%s", path)
               : 0;
}

static int take_world(struct fake *fake, const char *path, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_json_ struct json *data = NULL;
    int result = buffer_read_file(&text, AT_FDCWD, path, WORLD_LIMIT, error);
    if (result == 0)
        result = json_parse(text.bytes, text.length, &data, error);
    for (size_t i = 0; result == 0 && i < sizeof(archived) / sizeof(archived[0]); i++) {
        _cleanup_buffer_ struct buffer part = {0};
        struct json *copy = NULL;
        json_print(json_get(data, archived[i]), false, &part);
        result = json_parse(part.bytes, part.length, &copy, error);
        json_set(fake->world, archived[i], copy);
    }
    return result;
}

static int write_backup(const struct paths *paths, const struct archive *request, const struct call *call,
                        struct error *error)
{
    struct fake fake;
    const char *path = arena_printf(call->arena, "%s/fake-world", paths->volumes);
    int result = fake_begin(&fake, paths, call, STEP_BACKUP_WRITE, "-", error);
    if (result < 0)
        return result;
    const struct archive nobody = {.file = request->file};
    result = put_world(&fake, path, error);
    if (result == 0)
        result = archive_write(paths, &nobody, call, error);
    unlink(path);
    return fake_end(&fake, result, error);
}

static int read_backup(const struct paths *paths, const struct archive *request, const struct call *call,
                       struct error *error)
{
    struct fake fake;
    const char *path = arena_printf(call->arena, "%s/fake-world", paths->volumes);
    int result = fake_begin(&fake, paths, call, STEP_BACKUP_READ, "-", error);
    if (result < 0)
        return result;
    result = archive_read(paths, request, call, error);
    if (result == 0 && access(path, F_OK) == 0)
        result = take_world(&fake, path, error);
    return fake_end(&fake, result, error);
}

/* ---- roots ---- */

static void write_files(struct json *root, const struct list *files)
{
    for (size_t i = 0; i < files->count; i++)
        json_set(json_get(root, "files"), item_key(&root_file_table, files->items[i]),
                 json_of(&root_file_table, files->items[i]));
}

static struct json *json_child(struct json *object, const char *key)
{
    struct json *child = json_get(object, key);
    return child ? child : json_set(object, key, json_new_object());
}

static void put_bind(struct json *binds, const char *path, const char *source, bool read_only)
{
    struct json *bind = json_set(binds, path, json_new_object());
    json_set(bind, "source", json_new_text(source));
    json_set(bind, "read_only", json_new_bool(read_only));
}

static int apply_mount(struct fake *fake, const struct root_mount *request, struct error *error)
{
    if (is_running(fake, request->lxc_name))
        fake_violation(fake, "root.mount of running container %s", request->lxc_name);
    if (!request->digest || !fake_find(fake->world, "images", request->digest))
        return error_set(error, -ENOENT, "no image %s", request->digest ? request->digest : "(none)");
    json_remove(fake_map(fake->world, "roots"), request->lxc_name);
    const char *user = user_of_layer(fake, request->layer);
    if (user)
        return error_set(error, -EBUSY, "layer %s is mounted for %s", request->layer, user);
    make_data(fake, "layers", request->layer);
    json_set(fake_find(fake->world, "layers", request->layer), "dirty", json_new_bool(true));
    struct json *layer = fake_find(fake->world, "layers", request->layer);
    json_set(layer, "copy", json_new_bool(request->copy));
    if (request->disk && number_in(layer, "used") > request->disk)
        return error_set(error, -ENOSPC, "what layer %s holds does not fit", request->layer);
    json_set(layer, "size", json_new_number(request->disk));
    struct json *root = json_set(fake_map(fake->world, "roots"), request->lxc_name, json_new_object());
    json_set(root, "layer", json_new_text(request->layer));
    json_set(root, "digest", json_new_text(request->digest));
    json_set(root, "id_base", json_new_number(request->id_base));
    json_set(root, "with_init", json_new_bool(request->with_init));
    json_set(root, "fresh", json_new_bool(request->fresh));
    struct json *volumes = json_set(root, "volumes", json_new_object());
    for (size_t i = 0; i < request->volumes.count; i++) {
        const struct root_volume *volume = request->volumes.items[i];
        make_volume(fake, volume->file, volume->type, volume->size);
        json_set(fake_find(fake->world, "volumes", volume->file), "dirty", json_new_bool(true));
        json_set(volumes, volume->path, mount_of(fake, volume->file, volume->read_only));
    }
    for (size_t i = 0; i < request->binds.count; i++) {
        const struct root_bind *bind = request->binds.items[i];
        if (json_get(json_get(fake->world, "missing"), bind->source))
            return error_set(error, -ENOENT, "%s on the host", bind->source);
        put_bind(json_child(root, "binds"), bind->path, bind->source, bind->read_only);
    }
    json_set(root, "files", json_new_object());
    write_files(root, &request->files);
    return 0;
}

static int apply_check(struct fake *fake, const struct root_mount *request, struct error *error)
{
    if (!request->digest || !fake_find(fake->world, "images", request->digest))
        return error_set(error, -ENOENT, "no image %s", request->digest ? request->digest : "(none)");
    for (size_t i = 0; i < request->binds.count; i++) {
        const struct root_bind *bind = request->binds.items[i];
        if (json_get(json_get(fake->world, "missing"), bind->source))
            return error_set(error, -ENOENT, "%s on the host", bind->source);
    }
    return 0;
}

static int check_root(const struct paths *paths, const struct root_mount *request, const struct call *call,
                      struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_ROOT_CHECK, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_check(&fake, request, error), error);
}

static int mount_root(const struct paths *paths, const struct root_mount *request, const struct call *call,
                      struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_ROOT_MOUNT, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_mount(&fake, request, error), error);
}

static int apply_unmount(struct fake *fake, const char *lxc_name)
{
    if (is_running(fake, lxc_name))
        fake_violation(fake, "root.unmount of running container %s", lxc_name);
    json_remove(fake_map(fake->world, "roots"), lxc_name);
    return 0;
}

static int unmount_root(const struct paths *paths, const struct root_reference *request,
                        const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_ROOT_UNMOUNT, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_unmount(&fake, request->lxc_name), error);
}

static int apply_write(struct fake *fake, const struct root_write *request, struct error *error)
{
    struct json *root = fake_find(fake->world, "roots", request->lxc_name);
    if (!root)
        return error_set(error, -ENOENT, "root of %s is not mounted", request->lxc_name);
    if (number_in(root, "id_base") != request->id_base)
        fake_violation(fake, "root.write into %s with the ids of another", request->lxc_name);
    write_files(root, &request->files);
    return 0;
}

static int write_root(const struct paths *paths, const struct root_write *request, const struct call *call,
                      struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_ROOT_WRITE, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_write(&fake, request, error), error);
}

/* ---- volumes in running containers ---- */

static int find_init(struct fake *fake, const char *lxc_name, int64_t init_pid, int64_t init_start,
                     struct json **container, struct error *error)
{
    *container = fake_find(fake->world, "containers", lxc_name);
    if (!is_running(fake, lxc_name) || number_in(*container, "init_pid") != init_pid ||
        number_in(*container, "init_start") != init_start)
        return error_set(error, -ESRCH, "init %lld of container %s is gone", (long long)init_pid, lxc_name);
    return 0;
}

static int check_answers(const struct json *container, const char *path, struct error *error)
{
    return json_get(json_get(container, "silent"), path)
               ? error_set(error, -EBUSY, "%s: a file system there does not answer", path)
               : 0;
}

static int find_guest(struct fake *fake, const struct volume_attach *request, struct json **mounts,
                      struct error *error)
{
    struct json *container;
    int result =
        find_init(fake, request->lxc_name, request->init_pid, request->init_start, &container, error);
    *mounts = result < 0 ? NULL : json_get(container, "guest_mounts");
    return result < 0 ? result : check_answers(container, request->path, error);
}

static int apply_attach(struct fake *fake, const struct volume_attach *request, struct error *error)
{
    struct json *mounts;
    int result = find_guest(fake, request, &mounts, error);
    if (result < 0)
        return result;
    if (!request->file || !fake_find(fake->world, "volumes", request->file))
        return error_set(error, -ENOENT, "no volume %s", request->file ? request->file : "(none)");
    const char *there = text_in(mounts, request->path);
    if (there && !is_of(there, request->file))
        return error_set(error, -EBUSY, "volume %s is mounted at %s of %s", there, request->path,
                         request->lxc_name);
    json_set(mounts, request->path, mount_of(fake, request->file, request->read_only));
    return 0;
}

static int attach_volume(const struct paths *paths, const struct volume_attach *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_ATTACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_attach(&fake, request, error), error);
}

static int apply_detach(struct fake *fake, const struct volume_attach *request, struct error *error)
{
    struct json *mounts;
    int result = find_guest(fake, request, &mounts, error);
    if (result < 0)
        return result;
    json_remove(mounts, request->path);
    json_remove(json_get(fake_find(fake->world, "roots", request->lxc_name), "volumes"), request->path);
    return 0;
}

static int detach_volume(const struct paths *paths, const struct volume_attach *request,
                         const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_VOLUME_DETACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_detach(&fake, request, error), error);
}

/* ---- binds in running containers ---- */

static int apply_bind(struct fake *fake, const struct bind_attach *request, bool attach, struct error *error)
{
    struct json *container;
    int result =
        find_init(fake, request->lxc_name, request->init_pid, request->init_start, &container, error);
    if (result == 0)
        result = check_answers(container, request->path, error);
    if (result < 0)
        return result;
    if (!attach) {
        json_remove(json_child(container, "guest_binds"), request->path);
        return 0;
    }
    if (json_get(json_get(fake->world, "missing"), request->source))
        return error_set(error, -ENOENT, "%s on the host", request->source);
    put_bind(json_child(container, "guest_binds"), request->path, request->source, request->read_only);
    return 0;
}

static int attach_bind(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                       struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BIND_ATTACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_bind(&fake, request, true, error), error);
}

static int detach_bind(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                       struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BIND_DETACH, request->lxc_name, error);
    return result < 0 ? result : fake_end(&fake, apply_bind(&fake, request, false, error), error);
}

const struct storage_effects storage_effects = {
    .create_layer = create_layer,
    .create_volume = create_volume,
    .rename_layer = rename_layer,
    .rename_volume = rename_volume,
    .delete_layer = delete_layer,
    .delete_volume = delete_volume,
    .grow_layer = grow_layer,
    .change_layer = change_layer,
    .change_volume = change_volume,
    .drop_layer_snapshot = drop_layer_snapshot,
    .drop_volume_snapshot = drop_volume_snapshot,
    .check_layer = check_layer,
    .write_backup = write_backup,
    .read_backup = read_backup,
    .check_root = check_root,
    .mount_root = mount_root,
    .unmount_root = unmount_root,
    .write_root = write_root,
    .attach_volume = attach_volume,
    .detach_volume = detach_volume,
    .attach_bind = attach_bind,
    .detach_bind = detach_bind,
};

/* ---- images ---- */

/* The digest of what the image is asked to be; `fake-tool ROOT renew-source SOURCE` gives a source new content. */
static void image_digest(const struct fake *fake, const struct image_make *request, const char *config,
                         char text[static 65])
{
    _cleanup_buffer_ struct buffer content = {0};
    buffer_printf(&content, "%s %lld", request->source,
                  (long long)number_in(json_get(fake->world, "renewed"), request->source));
    for (size_t i = 0; i < request->packages.count; i++)
        buffer_printf(&content, " %s", request->packages.items[i]);
    buffer_text(&content, config ? config : "");
    digest_of(content.bytes, content.length, text);
}

/* A folder with a file `config`: what a layout's image says about being run. NULL: nothing. */
static int read_config(const struct image_make *request, struct arena *arena, const char **config,
                       struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct image_config *parsed;
    *config = NULL;
    if (strncmp(request->source, "file:", 5) != 0)
        return 0;
    const char *path = arena_printf(arena, "%s/config", request->source + 5);
    if (buffer_read_file(&text, AT_FDCWD, path, IMAGE_CONFIG_SIZE, NULL) < 0)
        return 0;
    int result = image_config_parse(arena, text.bytes, &parsed, error);
    if (result == 0)
        *config = image_config_to_text(arena, parsed);
    return result;
}

static bool is_of_server(const char *source)
{
    return strncmp(source, "bootstrap:", 10) != 0 && strncmp(source, "file:", 5) != 0;
}

static int apply_make(struct fake *fake, const struct image_make *request, const struct call *call,
                      struct image_made *made, struct error *error)
{
    if (!request->source)
        return error_set(error, -EINVAL, "image %s has no source", request->name);
    if (strncmp(request->source, "file:", 5) == 0 && access(request->source + 5, R_OK) < 0)
        return error_errno(error, -errno, "image %s: %s", request->name, request->source + 5);
    if (call->progress)
        call->progress(call->context, "unpacking 50 %");
    char digest[65];
    int result = read_config(request, call->arena, &made->config, error);
    if (result < 0)
        return error_wrap(error, result, "image %s", request->name);
    image_digest(fake, request, made->config, digest);
    if (!fake_find(fake->world, "images", digest)) {
        struct json *image = json_set(fake_map(fake->world, "images"), digest, json_new_object());
        json_set(image, "bytes", json_new_number(1 << 20));
        json_set(image, "name", json_new_text(request->name));
        json_set(image, "source", json_new_text(request->source));
    }
    made->digest = arena_strdup(call->arena, digest);
    made->bytes = 1 << 20;
    if (is_of_server(request->source))
        made->origin = arena_printf(call->arena, "sha256:%s", digest);
    field_mark(&image_made_table, made, offsetof(struct image_made, config));
    field_mark(&image_made_table, made, offsetof(struct image_made, origin));
    return 0;
}

/* A question, and no call: nothing is changed by it. `fake-tool ROOT miss SOURCE`: its server is gone. */
static int look(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_looked *looked, struct error *error)
{
    struct fake fake = {.paths = paths, .call = call};
    char digest[65];
    fake_trace("look_image");
    int result = fake_load(paths->root, &fake.world, error);
    if (result < 0)
        return result;
    image_digest(&fake, request, NULL, digest);
    if (json_get(json_get(fake.world, "missing"), request->source))
        result = error_set(error, -EHOSTUNREACH, "image %s: nobody answers", request->name);
    json_free(fake.world);
    looked->origin = arena_printf(call->arena, "sha256:%s", digest);
    field_mark(&image_looked_table, looked, offsetof(struct image_looked, origin));
    return result;
}

static int make(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_made *made, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_IMAGE_MAKE, request->name, error);
    return result < 0 ? result : fake_end(&fake, apply_make(&fake, request, call, made, error), error);
}

static int apply_remove(struct fake *fake, const char *digest, bool left, struct error *error)
{
    remove_leftover(fake, "image", digest);
    if (left)
        return 0;
    const struct json *roots = fake_map(fake->world, "roots");
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        if (text_is_same(text_in(json_value(i), "digest"), digest))
            return error_set(error, -EBUSY, "the root of %s stands on image %s", json_key(i), digest);
    const struct json *images = fake_map(fake->world, "images");
    for (void *i = json_first(images); i; i = json_next(images, i))
        if (text_is_same(text_in(json_value(i), "lower"), digest))
            return error_set(error, -EBUSY, "image %s stands on image %s", json_key(i), digest);
    json_remove(fake_map(fake->world, "images"), digest);
    return 0;
}

static int remove_image(const struct paths *paths, const struct image_reference *request,
                        const struct call *call, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_IMAGE_REMOVE, request->digest, error);
    return result < 0 ? result
                      : fake_end(&fake, apply_remove(&fake, request->digest, request->left, error), error);
}

static int apply_export(struct fake *fake, const struct image_export *request, const struct call *call,
                        struct image_exported *exported, struct error *error)
{
    if (!fake_find(fake->world, "images", request->digest))
        return error_set(error, -ENOENT, "no image %s", request->digest);
    json_set(fake_map(fake->world, "exports"), request->path, json_new_text(request->digest));
    exported->digest = arena_printf(call->arena, "sha256:%s", request->digest);
    exported->bytes = 1 << 20;
    return 0;
}

static int export(const struct paths *paths, const struct image_export *request, const struct call *call,
                  struct image_exported *exported, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_IMAGE_EXPORT, request->digest, error);
    return result < 0 ? result : fake_end(&fake, apply_export(&fake, request, call, exported, error), error);
}

static int apply_publish(struct fake *fake, const struct image_publish *request, const struct call *call,
                         struct image_published *published, struct error *error)
{
    if (!fake_find(fake->world, "images", request->digest))
        return error_set(error, -ENOENT, "no image %s", request->digest);
    const char *place = arena_join(call->arena, request->path, '/', request->name);
    const char *before = json_as_text(json_get(fake_map(fake->world, "published"), place));
    published->changed = !text_is_same(before, request->digest);
    json_set(fake_map(fake->world, "published"), place, json_new_text(request->digest));
    published->version = "20240101_000000";
    published->bytes = 1 << 20;
    return 0;
}

static int publish(const struct paths *paths, const struct image_publish *request, const struct call *call,
                   struct image_published *published, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_IMAGE_PUBLISH, request->digest, error);
    return result < 0 ? result
                      : fake_end(&fake, apply_publish(&fake, request, call, published, error), error);
}

/* What ROOT/served.json says that a server has; it is asked, and nothing changes. */
static int list(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_listed *listed, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *path = arena_printf(call->arena, "%s/served.json", paths->root);
    if (request->offline)
        return error_set(error, -EHOSTDOWN, "%s: not asked, as fpsync is to stay offline",
                         request->remote->url);
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_IMAGE_LIST, request->name, error);
    if (result < 0)
        return result;
    const bool said = buffer_read_file(&text, AT_FDCWD, path, 1 << 20, NULL) == 0;
    listed->products = said ? arena_strdup(call->arena, text.bytes) : "[]";
    listed->more = 0;
    return fake_end(&fake, 0, error);
}

const struct image_effects image_effects = {
    .make = make, .look = look, .remove = remove_image, .export = export, .publish = publish, .list = list};
