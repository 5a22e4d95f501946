/* Looks into layers: what snapshots there are, and what speaks against another image below (SEMANTICS 10). Guests
 * wrote what is looked at, so every path is resolved by the kernel below its folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "drivers/storage/view_layer.h"
#include "drivers/storage/view_stack.h"
#include "drivers/storage/view_system.h"
#include "lib/buffer.h"
#include "lib/error.h"

/* ---- snapshots ---- */

struct listing {
    const struct call *call;
    const char *kind, *file;
    struct observed_snapshots *out;
};

static int add_snapshot(const struct listing *listing, int folder, const char *name, struct error *error)
{
    struct arena *arena = listing->call->arena;
    struct stack note;
    int result = stack_read(folder, arena_printf(arena, "snapshots/%s", name), arena, &note, error);
    if (result < 0)
        return error_wrap(error, result, "%s %s", listing->kind, listing->file);
    struct observed_snapshot *seen = arena_append(arena, listing->out->items, listing->out->count);
    *seen = (struct observed_snapshot){.kind = listing->kind,
                                       .file = listing->file,
                                       .name = arena_strdup(arena, name),
                                       .image = note.image,
                                       .frozen = note.frozen,
                                       .made = note.made,
                                       .kept = note.kept,
                                       .whole = note.whole};
    return 0;
}

static int list_file(struct listing *listing, int store, const char *file, struct error *error)
{
    _cleanup_close_ int folder = openat(store, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int copy = folder < 0 ? -1 : openat(folder, "snapshots", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    int result = 0;
    if (!directory)
        return 0;
    listing->file = arena_strdup(listing->call->arena, file);
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (item->d_name[0] != '.')
            result = add_snapshot(listing, folder, item->d_name, error);
    closedir(directory);
    return result;
}

static int list_store(struct listing *listing, const char *store, struct error *error)
{
    DIR *directory = opendir(store);
    int result = 0;
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", store);
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (item->d_name[0] != '.')
            result = list_file(listing, dirfd(directory), item->d_name, error);
    closedir(directory);
    return result;
}

static int compare(const void *left, const void *right)
{
    const struct observed_snapshot *a = left, *b = right;
    int order = strcmp(a->kind, b->kind);
    order = order ? order : strcmp(a->file, b->file);
    return order ? order : strcmp(a->name, b->name);
}

int view_snapshots(const struct paths *paths, const struct call *call, struct observed_snapshots *out,
                   struct error *error)
{
    struct observed_snapshots found = {0};
    struct listing layers = {.call = call, .kind = "layer", .out = &found};
    struct listing volumes = {.call = call, .kind = "volume", .out = &found};
    int result = list_store(&layers, paths->layers, error);
    if (result == 0)
        result = list_store(&volumes, paths->volumes, error);
    if (found.count)
        qsort(found.items, found.count, sizeof(*found.items), compare);
    if (result == 0)
        *out = found;
    return result;
}

/* ---- what speaks against another image ---- */

static int open_below(int root, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static bool is_regular(int root, const char *path)
{
    struct stat status;
    _cleanup_close_ int fd = open_below(root, path);
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* The file that changes whenever packages do. */
static const char *database_in(int upper)
{
    static const char *const files[][2] = {
        {"var/lib/dpkg/status", "dpkg"},
        {"var/lib/rpm/rpmdb.sqlite", "rpm"},
        {"var/lib/rpm/Packages", "rpm"},
        {"usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm"},
        {"usr/lib/sysimage/rpm/Packages.db", "rpm"},
        {"lib/apk/db/installed", "apk"},
        {"usr/lib/apk/db/installed", "apk"},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (is_regular(upper, files[i][0]))
            return files[i][1];
    return NULL;
}

static int find_database(const struct paths *paths, const char *file, struct arena *arena,
                         const char **database, struct error *error)
{
    _cleanup_close_ int folder = open(arena_printf(arena, "%s/%s", paths->layers, file),
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stack stack;
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "layer %s", file);
    if (faccessat(folder, "image", F_OK, AT_SYMLINK_NOFOLLOW) == 0) { /* to mount it would be an effect */
        *database = "what it holds lies in a file, for limits.disk, and cannot be looked into";
        return 0;
    }
    int result = stack_read(folder, "stack", arena, &stack, error);
    for (size_t i = 0; result == 0 && i <= stack.frozen.count && !*database; i++) {
        const char *path = i ? arena_printf(arena, "frozen/%s", stack.frozen.items[i - 1]) : "upper";
        _cleanup_close_ int upper = openat(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const char *found = upper < 0 ? NULL : database_in(upper);
        if (found)
            *database = arena_printf(arena, "it holds a package database (%s)", found);
    }
    return result;
}

static const char *compare_systems(const struct image_system *from, const struct image_system *to,
                                   struct arena *arena)
{
    const char *const none = "none";
    if (strcmp(from->id, to->id) != 0)
        return arena_printf(arena, "ID of its system changes from %s to %s", *from->id ? from->id : none,
                            *to->id ? to->id : none);
    if (strcmp(from->version, to->version) != 0)
        return arena_printf(arena, "VERSION_ID of its system changes from %s to %s",
                            *from->version ? from->version : none, *to->version ? to->version : none);
    return from->machine != to->machine ? "the architecture of its programs changes" : NULL;
}

/* What is not there speaks for nothing. */
static int look_at_image(const struct paths *paths, const char *digest, struct arena *arena,
                         struct image_system *system, struct error *error)
{
    int result = image_system_look(paths->store, digest, arena, system, error);
    return result == -ENOENT ? 0 : result;
}

int view_difference(const struct paths *paths, const char *layer_file, const char *from, const char *to,
                    const struct call *call, struct observed_difference *out, struct error *error)
{
    struct observed_difference found = {0};
    struct image_system systems[2];
    const char *database = NULL;
    int result = find_database(paths, layer_file, call->arena, &database, error);
    found.database = database;
    if (result == 0 && from && to) {
        result = look_at_image(paths, from, call->arena, &systems[0], error);
        if (result == 0)
            result = look_at_image(paths, to, call->arena, &systems[1], error);
        if (result == 0)
            found.system = compare_systems(&systems[0], &systems[1], call->arena);
    }
    if (result == 0)
        *out = found;
    return result;
}
