/* The end of a build: all its steps as one image, and gc's part. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/build_effects.h"
#include "drivers/image/build_making.h"
#include "drivers/image/build_merge.h"
#include "drivers/image/store.h"
#include "drivers/image/view_build.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "lib/error.h"

struct uppers { /* newest first */
    int *items;
    size_t count;
    struct image_trees image;
};

static int open_steps(const struct paths *paths, const struct build_place *place, struct uppers *uppers,
                      struct error *error)
{
    uppers->items = calloc(place->below.count + 1, sizeof(int));
    if (!uppers->items)
        return error_errno(error, -ENOMEM, "cannot merge the steps");
    for (size_t i = 0; i < place->below.count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/" BUILD_FOLDER_STEPS "/%s/upper", paths->build,
                 place->below.items[i]);
        int upper = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (upper < 0)
            return error_errno(error, -errno, "step %.12s", place->below.items[i]);
        uppers->items[uppers->count++] = upper;
    }
    return 0;
}

/* The delta of a base goes into the new one, so that both stand on the one whole image. */
static int open_uppers(const struct paths *paths, const struct build_place *place, struct uppers *uppers,
                       struct error *error)
{
    int result = build_place_check(paths, place, error);
    if (result == 0)
        result = open_steps(paths, place, uppers, error);
    if (result == 0 && place->image)
        result = image_trees_open(paths->store, place->image, &uppers->image, error);
    if (result == 0 && uppers->image.delta >= 0)
        uppers->items[uppers->count++] = TAKE_FD(uppers->image.delta);
    return result;
}

static void close_uppers(struct uppers *uppers)
{
    for (size_t i = 0; i < uppers->count; i++)
        close(uppers->items[i]);
    free(uppers->items);
    image_trees_close(&uppers->image);
}

static int fill(const struct paths *paths, const struct build_place *place, const struct image_making *making,
                struct error *error)
{
    struct uppers uppers = {.image = NO_IMAGE_TREES};
    int result = open_uppers(paths, place, &uppers, error);
    if (result == 0)
        result =
            build_merge(uppers.items, uppers.count, uppers.image.base, making->root, making->call, error);
    close_uppers(&uppers);
    return result;
}

static const char *lower_of(const struct paths *paths, const char *image, struct arena *arena)
{
    char lower[DIGEST_TEXT_SIZE] = "";
    if (!image || image_lower(paths->store, image, lower, NULL) < 0)
        return image;
    return *lower ? arena_strdup(arena, lower) : image;
}

/* The image was synced, and its files are theirs. */
static void mark_synced(const struct paths *paths, const struct build_place *place, struct arena *arena)
{
    for (size_t i = 0; i < place->below.count; i++)
        build_note_sync(
            arena_printf(arena, "%s/" BUILD_FOLDER_STEPS "/%s", paths->build, place->below.items[i]));
}

/* Also those that were there already, and those of stages that only gave files: what was used last goes last. */
static void touch_used(const struct paths *paths, const struct texts *keys)
{
    struct timespec now[2];
    clock_gettime(CLOCK_REALTIME, &now[0]);
    now[1] = now[0];
    for (size_t i = 0; i < keys->count; i++) {
        char note[PATH_MAX];
        snprintf(note, sizeof(note), "%s/" BUILD_FOLDER_STEPS "/%s/note", paths->build, keys->items[i]);
        if (build_check_key(keys->items[i], NULL) == 0)
            utimensat(AT_FDCWD, note, now, AT_SYMLINK_NOFOLLOW);
    }
}

int build_commit_image(const struct paths *paths, const struct build_commit *request, const struct call *call,
                       struct image_made *made, struct error *error)
{
    _cleanup_image_making_ struct image_making making = NO_IMAGE_MAKING;
    int64_t epoch;
    making.paths = paths;
    making.call = call;
    making.name = request->name;
    making.lower = lower_of(paths, request->place->image, call->arena);
    making.config = request->config;
    making.origin = request->origin;
    making.epoch = request->epoch;
    int result = build_epoch(request->epoch, &epoch, error);
    if (result == 0)
        result = image_making_begin(&making, error);
    if (result == 0)
        result = fill(paths, request->place, &making, error);
    if (result == 0)
        result = image_making_finish(&making, made, error);
    if (result < 0)
        return error_wrap(error, result, "image %s", request->name);
    mark_synced(paths, request->place, call->arena);
    touch_used(paths, &request->uses);
    return 0;
}

/* ---- gc ---- */

static int drop_logs(const struct paths *paths, const struct texts *names, struct error *error)
{
    int folder = names->count ? build_folder_open(paths, BUILD_FOLDER_LOGS, error) : 0, result = 0;
    if (!names->count || folder < 0)
        return folder;
    for (size_t i = 0; result == 0 && i < names->count; i++)
        if (*names->items[i] == '.' || strchr(names->items[i], '/') || !*names->items[i])
            result = error_set(error, -EINVAL, "\"%s\" is not the name of a log", names->items[i]);
        else if (unlinkat(folder, names->items[i], 0) < 0 && errno != ENOENT)
            result = error_errno(error, -errno, "cannot remove %s", names->items[i]);
    close(folder);
    return result;
}

static int drop(const struct paths *paths, const char *inside, const struct texts *names, bool are_keys,
                struct error *error)
{
    char store[PATH_MAX];
    int result = 0;
    snprintf(store, sizeof(store), "%s/%s", paths->build, inside);
    for (size_t i = 0; result == 0 && i < names->count; i++) {
        const char *name = names->items[i];
        if (are_keys)
            result = build_check_key(name, error);
        else if (*name == '.' || strchr(name, '/') || !*name)
            result = error_set(error, -EINVAL, "\"%s\" is not the folder of a cache", name);
        if (result == 0)
            result = tree_remove_from_store(store, name, error);
    }
    return result;
}

static int drop_contexts(const struct paths *paths, const struct texts *digests, struct error *error)
{
    if (!digests->count)
        return 0;
    _cleanup_close_ int contexts = build_folder_open(paths, BUILD_FOLDER_CONTEXTS, error);
    int result = contexts < 0 ? contexts : build_contexts_settle(contexts, error);
    return result < 0 ? result : drop(paths, BUILD_FOLDER_CONTEXTS, digests, true, error);
}

int build_drop_all(const struct paths *paths, const struct build_drop *request, const struct call *call,
                   struct error *error)
{
    _cleanup_close_ int steps = build_folder_open(paths, BUILD_FOLDER_STEPS, error);
    int result = steps < 0 ? steps : build_remove_leftovers(paths, steps, call, error);
    if (result == 0)
        result = drop(paths, BUILD_FOLDER_STEPS, &request->steps, true, error);
    if (result == 0)
        result = drop(paths, BUILD_FOLDER_FAILED, &request->failed, true, error);
    if (result == 0)
        result = drop(paths, BUILD_FOLDER_CACHES, &request->caches, false, error);
    if (result == 0)
        result = drop_contexts(paths, &request->contexts, error);
    if (result == 0)
        result = drop_logs(paths, &request->logs, error);
    if (result == 0 && request->fetched)
        result = tree_remove_from_store(paths->build, BUILD_FOLDER_FETCHED, error);
    return result < 0 ? error_wrap(error, result, "builds") : 0;
}
