#include "drivers/image/build_making.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/aside.h"
#include "drivers/guest/guest_path.h"
#include "drivers/image/build_failed.h"
#include "drivers/image/build_run.h"
#include "drivers/image/view_build.h"
#include "drivers/storage/data.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/overlay.h"
#include "drivers/storage/squash.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define LOOK_AGAIN 10 /* milliseconds, at a step that another worker makes */

static int take_folder(struct build_making *making, struct error *error);
static int furnish(struct build_making *making, struct error *error);
static int remove_temporary(const struct paths *paths, int steps, const char *name, const struct call *call,
                            struct error *error);

int build_folder_open(const struct paths *paths, const char *inside, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", paths->build, inside);
    int result = folder_make(paths->build, 0700, error);
    if (result == 0)
        result = folder_make(path, 0700, error);
    if (result < 0)
        return result;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return folder < 0 ? error_errno(error, -errno, "%s", path) : folder;
}

int build_epoch(const char *text, int64_t *epoch, struct error *error)
{
    size_t length = text ? strlen(text) : 0;
    *epoch = -1;
    if (!text)
        return 0;
    if (!length || length > 12 || strspn(text, "0123456789") != length)
        return error_set(error, -EINVAL, "\"%s\" is not a number of seconds since 1970", text);
    *epoch = strtoll(text, NULL, 10);
    return 0;
}

const char *build_place_name(const struct build_place *place)
{
    return place && place->name ? place->name : "that root";
}

int build_place_find(const struct build_place *place, int root, const char *path, struct error *error)
{
    int found = guest_open(root, path, 0, NULL);
    return found < 0 ? error_errno(error, found, "%s in %s", path, build_place_name(place)) : found;
}

int build_place_check(const struct paths *paths, const struct build_place *place, struct error *error)
{
    char lower[DIGEST_TEXT_SIZE];
    int result = place->image ? image_lower(paths->store, place->image, lower, error) : 0;
    for (size_t i = 0; result == 0 && i < place->below.count; i++)
        if (!build_view.has_step(paths, place->below.items[i]))
            result = error_set(error, -ENOENT, "step %.12s is not there any more: build again",
                               place->below.items[i]);
    return result;
}

int build_making_begin(struct build_making *making, const struct paths *paths,
                       const struct build_place *place, const char *what, const struct call *call,
                       struct error *error)
{
    *making = NO_BUILD_MAKING;
    making->paths = paths;
    making->call = call;
    making->place = place;
    making->what = what;
    int result = build_check_key(place->key, error);
    if (result < 0)
        return result;
    if (build_view.has_step(paths, place->key)) {
        making->is_there = true;
        return 0;
    }
    result = build_place_check(paths, place, error);
    if (result < 0)
        return result;
    making->steps = build_folder_open(paths, BUILD_FOLDER_STEPS, error);
    if (making->steps < 0)
        return making->steps;
    making->temporary = arena_printf(call->arena, STEP_TEMPORARY "%s", place->key);
    making->inside = arena_join(call->arena, BUILD_FOLDER_STEPS, '/', making->temporary);
    result = build_remove_leftovers(paths, making->steps, call, error);
    if (result == 0)
        result = take_folder(making, error);
    return result < 0 || making->is_there ? result : furnish(making, error);
}

bool build_has_name(int parent, const char *name, int folder)
{
    struct stat named, opened;
    return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(folder, &opened) == 0 &&
           named.st_ino == opened.st_ino;
}

/* 1 when it is ours, empty; 0 when there is another try to make. */
static int try_folder(struct build_making *making, struct error *error)
{
    if (mkdirat(making->steps, making->temporary, 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make %s", making->temporary);
    _cleanup_close_ int folder =
        openat(making->steps, making->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return 0;
    if (flock(folder, LOCK_EX | LOCK_NB) < 0) {
        int result = call_check(making->call);
        poll(&(struct pollfd){.fd = making->call->cancel, .events = POLLIN}, making->call->cancel >= 0,
             LOOK_AGAIN);
        return result < 0 ? error_errno(error, result, "%s", making->what) : 0;
    }
    if (!build_has_name(making->steps, making->temporary, folder))
        return 0;
    if (!folder_is_empty(folder, ".")) /* whoever made it died just now */
        return remove_temporary(making->paths, making->steps, making->temporary, making->call, error);
    making->folder = TAKE_FD(folder);
    return 1;
}

/* Of two workers with the same step the second finds it made. The folder may have been renamed, or removed, between its
 * opening and the lock. */
static int take_folder(struct build_making *making, struct error *error)
{
    for (int result = 0; result == 0;) {
        making->is_there = build_view.has_step(making->paths, making->place->key);
        if (making->is_there)
            return 0;
        result = try_folder(making, error);
        if (result < 0)
            return result;
    }
    return 0;
}

/* ---- what it stands on ---- */

static int link_one(int folder, const char *target, struct texts *links, struct arena *arena,
                    struct error *error)
{
    const char *name = arena_printf(arena, "%zu", links->count);
    if (symlinkat(target, folder, name) < 0)
        return error_errno(error, -errno, "cannot make a link to %s", target);
    *arena_append(arena, links->items, links->count) = name;
    return 0;
}

int build_place_link(const struct paths *paths, const struct build_place *place, int folder, const char *name,
                     struct texts *links, struct arena *arena, struct error *error)
{
    struct texts made = {0}, images = {0};
    if (mkdirat(folder, name, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", name);
    _cleanup_close_ int inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inside < 0)
        return error_errno(error, -errno, "%s", name);
    int result = 0;
    for (size_t i = 0; result == 0 && i < place->below.count; i++) {
        const char *key = place->below.items[i];
        result = build_check_key(key, error);
        if (result == 0)
            result = link_one(inside, arena_printf(arena, "../../../" BUILD_FOLDER_STEPS "/%s/upper", key),
                              &made, arena, error);
    }
    if (result == 0 && place->image)
        result = lower_add_image(paths->store, "../../../..", place->image, &images, arena, error);
    for (size_t i = 0; result == 0 && i < images.count; i++)
        result = link_one(inside, images.items[i], &made, arena, error);
    if (result == 0 && !place->image && mkdirat(inside, "scratch", 0755) < 0)
        result = error_errno(error, -errno, "cannot make a folder of scratch");
    if (result == 0 && !place->image)
        *arena_append(arena, made.items, made.count) = "scratch";
    if (result == 0)
        *links = made;
    return result;
}

static char *path_of(const struct build_making *making, const char *inside)
{
    return arena_printf(making->call->arena, "%s/%s/%s", making->paths->build, making->inside, inside);
}

int build_making_open(const struct build_making *making, const struct build_place *place, const char *name,
                      struct error *error)
{
    struct texts links = {0};
    int result = build_place_check(making->paths, place, error);
    if (result == 0)
        result =
            build_place_link(making->paths, place, making->folder, name, &links, making->call->arena, error);
    return result < 0 ? result : lower_open(path_of(making, name), &links, making->what, error);
}

/* The root's own attributes are not in an upper but when it is made with them. */
static int take_root_attributes(int upper, int root, struct error *error)
{
    struct stat status;
    if (fstat(root, &status) < 0 || fchown(upper, status.st_uid, status.st_gid) < 0 ||
        fchmod(upper, status.st_mode & 07777) < 0)
        return error_errno(error, -errno, "cannot make a root");
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    return futimens(upper, times) < 0 ? error_errno(error, -errno, "cannot make a root") : 0;
}

int build_making_link(struct build_making *making, struct error *error)
{
    if (mkdirat(making->folder, "work", 0755) < 0)
        return error_errno(error, -errno, "cannot make work");
    return build_place_link(making->paths, making->place, making->folder, STEP_LOWERS, &making->lowers,
                            making->call->arena, error);
}

/* The newest of what lies below says what the root is like. */
static int furnish(struct build_making *making, struct error *error)
{
    if (mkdirat(making->folder, "upper", 0755) < 0)
        return error_errno(error, -errno, "cannot make upper");
    int result = build_making_link(making, error);
    if (result < 0)
        return result;
    const char *newest = arena_printf(making->call->arena, STEP_LOWERS "/%s", making->lowers.items[0]);
    _cleanup_close_ int below = openat(making->folder, newest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int upper = openat(making->folder, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return below < 0 || upper < 0 ? error_errno(error, -errno, "cannot open what it stands on")
                                  : take_root_attributes(upper, below, error);
}

static int mount_written(const struct build_making *making, struct error *error)
{
    const char *folder = path_of(making, STEP_LOWERS);
    _cleanup_close_ int context =
        overlay_begin(path_of(making, "upper"), path_of(making, "work"), true, error);
    if (context < 0)
        return context;
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(folder) < 0)
        return error_errno(error, -errno, "%s", folder);
    int result = lower_set_paths(context, &making->lowers, error);
    if (fchdir(before) < 0 && result == 0)
        result = error_errno(error, -errno, "cannot leave %s", folder);
    return result < 0 ? result : overlay_end(context, folder, 0, making->what, error);
}

static int mount_aside(void *context, struct error *error)
{
    const struct build_making *making = context;
    const char *folder = path_of(making, STEP_LOWERS);
    int result = squash_attach(folder, folder, &making->lowers, -1, error);
    return result < 0 ? result : mount_written(making, error);
}

int build_making_mount(const struct build_making *making, struct error *error)
{
    bool aside = squash_is_among(path_of(making, STEP_LOWERS), &making->lowers);
    _cleanup_close_ int tree =
        aside ? aside_run(mount_aside, (void *)making, error) : mount_written(making, error);
    if (tree < 0)
        return tree;
    int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? error_errno(error, -errno, "%s", making->what) : root;
}

/* ---- the end of it ---- */

int build_making_note(const struct build_making *making, const char *text, struct error *error)
{
    _cleanup_close_ int fd =
        openat(making->folder, "note", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, text, strlen(text));
    return result < 0 ? error_errno(error, result, "cannot write a step's note") : 0;
}

static bool is_kept(const char *name, const char *const *kept)
{
    for (; *kept; kept++)
        if (strcmp(name, *kept) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "upper") == 0;
}

int build_making_clear(const struct build_making *making, const char *const *kept, struct error *error)
{
    int copy = openat(making->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "cannot read a step's folder");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (!is_kept(item->d_name, kept))
            result = tree_remove(making->folder, item->d_name, error);
    closedir(directory);
    return result;
}

/* Whoever builds on them uses them. */
static void touch_used(const struct build_making *making)
{
    for (size_t i = 0; i < making->place->below.count; i++) {
        char path[DIGEST_TEXT_SIZE + 8];
        snprintf(path, sizeof(path), "%s/note", making->place->below.items[i]);
        utimensat(making->steps, path, NULL, AT_SYMLINK_NOFOLLOW);
    }
}

int build_making_strip(const struct build_making *making, const char *epoch_text, int64_t *bytes,
                       struct error *error)
{
    static const char *const nothing[] = {NULL};
    int64_t epoch;
    int result = build_epoch(epoch_text, &epoch, error);
    _cleanup_close_ int upper =
        openat(making->folder, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (result == 0 && upper < 0)
        result = error_errno(error, -errno, "cannot open its upper");
    if (result == 0)
        result = build_making_clear(making, nothing, error);
    return result < 0 ? result : build_upper_settle(upper, epoch, bytes, error);
}

/* Not synced: a step is worth less than the seconds that takes. Its note says of which boot it is, and counts for that one
 * alone, until a commit has synced everything. */
int build_making_settle(struct build_making *making, const char *epoch, struct error *error)
{
    int64_t bytes = 0;
    int result = build_making_strip(making, epoch, &bytes, error);
    return result < 0 ? result
                      : build_making_note(
                            making,
                            build_note_text(making->call->arena, bytes,
                                            making->place->below.count ? *making->place->below.items : NULL),
                            error);
}

int build_making_publish(struct build_making *making, struct error *error)
{
    const char *key = making->place->key;
    int result = 0;
    if (renameat(making->steps, making->temporary, making->steps, key) < 0) {
        if (errno != ENOTEMPTY && errno != EEXIST)
            return error_errno(error, -errno, "cannot name step %s", key);
        result = tree_remove(making->steps, key, error); /* of before a power cut: its note does not count */
        if (result == 0 && renameat(making->steps, making->temporary, making->steps, key) < 0)
            result = error_errno(error, -errno, "cannot name step %s", key);
    }
    if (result < 0)
        return result;
    making->keeps = true;
    touch_used(making);
    return 0;
}

int build_making_finish(struct build_making *making, const char *epoch, struct error *error)
{
    int result = build_making_settle(making, epoch, error);
    return result < 0 ? result : build_making_publish(making, error);
}

void build_making_end(struct build_making *making)
{
    if (making->folder >= 0 && making->temporary && !making->keeps)
        tree_remove(making->steps, making->temporary, NULL);
    cleanup_close(&making->folder);
    cleanup_close(&making->steps);
}

/* ---- leftovers ---- */

int build_end_container(const struct paths *paths, const char *key, const struct call *call,
                        struct error *error)
{
    const char *name = build_container_name(paths, call->arena, key);
    const struct container_stop stop = {.lxc_name = name};
    const struct root_reference root = {.lxc_name = name};
    const struct container_reference container = {.lxc_name = name};
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", paths->lxc, name);
    if (access(path, F_OK) == 0) {
        int result = container_effects.stop(paths, &stop, call, error);
        if (result < 0)
            return result;
    }
    int result = storage_effects.unmount_root(paths, &root, call, error);
    return result < 0 ? result : container_effects.destroy(paths, &container, call, error);
}

/* Of a folder that the caller has locked. */
static int remove_temporary(const struct paths *paths, int steps, const char *name, const struct call *call,
                            struct error *error)
{
    const char *key = name + strlen(STEP_TEMPORARY);
    build_mounts_forget(paths, arena_join(call->arena, BUILD_FOLDER_STEPS, '/', name));
    /* The container goes before its folder. */
    int result = build_check_key(key, NULL) < 0 ? 0 : build_end_container(paths, key, call, error);
    return result < 0 ? result : tree_remove(steps, name, error);
}

static int remove_leftover(const struct paths *paths, int steps, const char *name, const struct call *call,
                           struct error *error)
{
    _cleanup_close_ int folder = openat(steps, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    if (flock(folder, LOCK_EX | LOCK_NB) < 0 || !build_has_name(steps, name, folder))
        return 0; /* in the making */
    return remove_temporary(paths, steps, name, call, error);
}

int build_remove_leftovers(const struct paths *paths, int steps, const struct call *call, struct error *error)
{
    int copy = openat(steps, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "cannot read the steps");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strncmp(item->d_name, STEP_TEMPORARY, strlen(STEP_TEMPORARY)) == 0)
            result = remove_leftover(paths, steps, item->d_name, call, error);
    closedir(directory);
    return result < 0 ? result : build_failed_settle(paths, call, error);
}

/* Of a note that is not whole after a power cut, the step does not count. */
void build_note_sync(const char *folder)
{
    _cleanup_buffer_ struct buffer note = {0};
    _cleanup_close_ int step = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char *line;
    if (step < 0 || buffer_read_file(&note, step, "note", IMAGE_NOTE_LIMIT, NULL) < 0 || !note.length ||
        !(line = strstr(note.bytes, "boot ")))
        return;
    *line = '\0';
    _cleanup_close_ int fd =
        openat(step, "note.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && bytes_write(fd, note.bytes, strlen(note.bytes)) == 0)
        renameat(step, "note.new", step, "note");
}
