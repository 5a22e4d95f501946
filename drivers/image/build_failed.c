#include "drivers/image/build_failed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/build_run.h"
#include "drivers/image/view_build.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/error.h"

static const char *const kept[] = {"note", BUILD_FAILED_RUN, NULL};

static int write_run(int folder, const struct build_run *run, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    fields_encode(&build_run_table, run, &text);
    _cleanup_close_ int fd =
        openat(folder, BUILD_FAILED_RUN ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, text.bytes, text.length);
    if (result == 0 && renameat(folder, BUILD_FAILED_RUN ".new", folder, BUILD_FAILED_RUN) < 0)
        result = -errno;
    return result < 0 ? error_errno(error, result, "cannot write what a root was to be run with") : 0;
}

/* Files of memory, which secrets of the environment are in, end with the program that has them: later their names are
 * somebody else's. */
static void forget_memory(struct build_run *run)
{
    for (size_t i = 0; i < run->mounts.count; i++) {
        struct build_mount *mount = run->mounts.items[i];
        if (mount->file && strncmp(mount->file, "/proc/", strlen("/proc/")) == 0)
            mount->file = NULL;
    }
}

static int keep_run(const struct build_making *making, const struct build_run *request, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    void *copy = NULL;
    fields_encode(&build_run_table, request, &text);
    int result = fields_decode(&build_run_table, text.bytes, text.length, making->call->arena, &copy, error);
    if (result < 0)
        return result;
    forget_memory(copy);
    return write_run(making->folder, copy, error);
}

int build_failed_keep(struct build_making *making, const struct build_run *request, struct error *error)
{
    _cleanup_buffer_ struct buffer note = {0};
    _cleanup_close_ int failed = build_folder_open(making->paths, BUILD_FOLDER_FAILED, error);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct observed_failed root = {.of = request->image,
                                   .expires = now.tv_sec + request->keep / 1000,
                                   .failed = now.tv_sec * 1000000000L + now.tv_nsec};
    int result = failed < 0 ? failed : build_making_strip(making, NULL, &root.bytes, error);
    if (result == 0)
        result = keep_run(making, request, error);
    if (result < 0)
        return result;
    build_failed_describe(&root, making->place, &note);
    result = build_making_note(making, note.bytes, error);
    if (result == 0)
        result = tree_remove(failed, making->place->key, error);
    if (result == 0 && renameat(making->steps, making->temporary, failed, making->place->key) < 0)
        result = error_errno(error, -errno, "cannot keep the root of %s", making->what);
    making->keeps = result == 0;
    return result;
}

/* ---- a shell in it ---- */

static int take(struct build_making *making, int failed, struct error *error)
{
    const char *key = making->place->key;
    making->folder = openat(failed, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (making->folder < 0)
        return errno == ENOENT ? error_set(error, -ENOENT, "its root is not kept any more: build again")
                               : error_errno(error, -errno, "root %.12s", key);
    if (flock(making->folder, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? error_set(error, -EBUSY, "another shell is open in its root")
                                    : error_errno(error, -errno, "root %.12s", key);
    return build_has_name(failed, key, making->folder)
               ? 0
               : error_set(error, -ENOENT, "its root is not kept any more: build again");
}

int build_failed_open(struct build_making *making, const struct paths *paths, const struct build_run *request,
                      const struct call *call, struct error *error)
{
    *making = NO_BUILD_MAKING;
    making->paths = paths;
    making->call = call;
    making->place = request->place;
    making->what = request->what;
    int result = build_check_key(request->place->key, error);
    if (result == 0)
        result = build_place_check(paths, request->place, error);
    if (result == 0)
        result = build_failed_settle(paths, call, error);
    if (result < 0)
        return result;
    _cleanup_close_ int failed = build_folder_open(paths, BUILD_FOLDER_FAILED, error);
    making->inside = arena_join(call->arena, BUILD_FOLDER_FAILED, '/', request->place->key);
    result = failed < 0 ? failed : take(making, failed, error);
    return result < 0 ? result : build_making_link(making, error);
}

int build_failed_close(struct build_making *making, struct error *error)
{
    return making->folder < 0 ? 0 : build_making_clear(making, kept, error);
}

/* ---- all of them ---- */

typedef int each_failed(int folder, const char *key, void *context, struct error *error);

static int each(const struct paths *paths, each_failed *visit, void *context, struct error *error)
{
    int failed = build_folder_open(paths, BUILD_FOLDER_FAILED, error);
    DIR *directory = failed < 0 ? NULL : fdopendir(failed);
    if (!directory)
        return failed < 0 ? failed : error_errno(error, -errno, "cannot read the roots of failed builds");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        if (build_check_key(item->d_name, NULL) < 0)
            continue;
        _cleanup_close_ int folder =
            openat(failed, item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder >= 0)
            result = visit(folder, item->d_name, context, error);
    }
    closedir(directory);
    return result;
}

struct settling {
    const struct paths *paths;
    const struct call *call;
};

/* Without a folder that an overlay works in, there is no shell and was none. */
static int settle_one(int folder, const char *key, void *context, struct error *error)
{
    const struct settling *settling = context;
    const struct build_making making = {.call = settling->call, .folder = folder};
    if (faccessat(folder, "work", F_OK, AT_SYMLINK_NOFOLLOW) < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0)
        return 0;
    build_mounts_forget(settling->paths, arena_join(settling->call->arena, BUILD_FOLDER_FAILED, '/', key));
    int result = build_end_container(settling->paths, key, settling->call, error);
    return result < 0 ? result : build_making_clear(&making, kept, error);
}

int build_failed_settle(const struct paths *paths, const struct call *call, struct error *error)
{
    struct settling settling = {.paths = paths, .call = call};
    return each(paths, settle_one, &settling, error);
}

struct renaming {
    const struct build_serve *request;
    struct arena *arena;
};

static bool rename_keys(const struct build_serve *request, struct build_place *place)
{
    bool changed = false;
    for (size_t i = 0; place && i < place->below.count; i++)
        for (size_t j = 0; j < request->made.count; j++)
            if (strcmp(place->below.items[i], request->made.items[j]) == 0) {
                place->below.items[i] = request->cached.items[j];
                changed = true;
                break;
            }
    return changed;
}

static int rename_one(int folder, const char *key, void *context, struct error *error)
{
    const struct renaming *renaming = context;
    _cleanup_buffer_ struct buffer text = {0};
    struct observed_failed root;
    struct build_run *run = NULL;
    if (!build_failed_note(folder, key, renaming->arena, &root) ||
        build_failed_read(folder, renaming->arena, &run, NULL) < 0)
        return 0;
    bool changed = rename_keys(renaming->request, root.place);
    changed |= rename_keys(renaming->request, run->place);
    for (size_t i = 0; i < run->mounts.count; i++)
        changed |= rename_keys(renaming->request, ((struct build_mount *)run->mounts.items[i])->from);
    if (!changed)
        return 0;
    const struct build_making making = {.folder = folder};
    build_failed_describe(&root, root.place, &text);
    int result = write_run(folder, run, error);
    return result < 0 ? result : build_making_note(&making, text.bytes, error);
}

int build_failed_rename(const struct paths *paths, const struct build_serve *request, struct arena *arena,
                        struct error *error)
{
    struct renaming renaming = {.request = request, .arena = arena};
    return each(paths, rename_one, &renaming, error);
}
