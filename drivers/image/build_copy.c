/* COPY and ADD, and WORKDIR: what is written into a step's root by the host. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "drivers/image/build_copier.h"
#include "drivers/image/build_effects.h"
#include "drivers/image/build_making.h"
#include "drivers/image/build_target.h"
#include "drivers/image/make.h"
#include "drivers/image/view_context.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"
#include "specs/ignore.h"

struct copying {
    struct build_making *making;
    const struct build_copy *request;
    int root;
    struct build_user owner;
    int64_t mode, epoch;
    struct error *error;
};

static int copy_source(struct copying *copying, const struct build_source *source);

static int parse_mode(const char *text, int64_t *mode, struct error *error)
{
    size_t length = text ? strlen(text) : 0;
    *mode = -1;
    if (!text)
        return 0;
    if (!length || length > 5 || strspn(text, "01234567") != length ||
        (*mode = strtol(text, NULL, 8)) > 07777)
        return error_set(error, -EINVAL, "\"%s\" is no mode of a file", text);
    return 0;
}

static int copy_all(struct copying *copying)
{
    const struct build_copy *request = copying->request;
    _cleanup_close_ int root = build_making_mount(copying->making, copying->error);
    if (root < 0)
        return root;
    copying->root = root;
    int result = parse_mode(request->mode, &copying->mode, copying->error);
    if (result == 0)
        result = build_epoch(request->epoch, &copying->epoch, copying->error);
    if (result == 0 && request->owner)
        result = build_user_find(root, request->owner, -1, copying->making->call->arena, &copying->owner,
                                 copying->error);
    for (size_t i = 0; result == 0 && i < request->sources.count; i++)
        result = copy_source(copying, request->sources.items[i]);
    return result;
}

int build_copy_step(const struct paths *paths, const struct build_copy *request, const struct call *call,
                    struct error *error)
{
    _cleanup_build_making_ struct build_making making = NO_BUILD_MAKING;
    int result = build_making_begin(&making, paths, request->place, request->what, call, error);
    if (result == 0 && !making.is_there) {
        struct copying copying = {.making = &making, .request = request, .error = error};
        result = copy_all(&copying);
        if (result == 0)
            result = build_making_finish(&making, request->epoch, error);
    }
    return result < 0 ? error_wrap(error, result, "%s", request->what) : 0;
}

/* ---- one source ---- */

static const struct build_user *owner_of(const struct copying *copying)
{
    return copying->request->owner ? &copying->owner : NULL;
}

/* Files of the host have whatever time they were written there, of which no key knows; those of a root or an archive come
 * with it. */
static struct build_copier *new_copier(struct copying *copying, const struct build_source *source,
                                       bool keeps_owner)
{
    struct build_copier *copier = arena_new_of(copying->making->call->arena, struct build_copier);
    *copier = (struct build_copier){.call = copying->making->call,
                                    .owner = owner_of(copying),
                                    .mode = copying->mode,
                                    .keeps_owner = keeps_owner,
                                    .time = keeps_owner || copying->epoch < 0 ? NULL : &copying->epoch,
                                    .base = source->path,
                                    .included = &source->included,
                                    .error = copying->error};
    for (size_t i = 0; i < source->excluded.count; i++)
        map_add(&copier->excluded, source->excluded.items[i], copier);
    return copier;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* With --parents the target, and behind it the folders of the source's path but for those that are skipped; of a file
 * without its name. */
static const char *target_of(const struct copying *copying, const struct build_source *source, bool is_folder)
{
    struct arena *arena = copying->making->call->arena;
    const char *target = copying->request->target, *path = source->path + (*source->path == '/');
    if (!copying->request->parents || source->text)
        return target;
    const char *end = is_folder ? path + strlen(path) : strrchr(path, '/');
    for (int64_t i = 0; i < source->skipped && end && path < end; i++) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        path = slash ? slash + 1 : end;
    }
    const char *slash = target[strlen(target) - 1] == '/' ? "" : "/";
    return !end || path >= end || strcmp(path, ".") == 0
               ? arena_printf(arena, "%s%s", target, slash)
               : arena_printf(arena, "%s%s%.*s/", target, slash, (int)(end - path), path);
}

static int copy_file(struct copying *copying, const struct build_source *source, int file, bool keeps_owner)
{
    char name[NAME_MAX + 1];
    _cleanup_close_ int folder =
        build_target_file(copying->root, target_of(copying, source, false), name_of(source->path),
                          owner_of(copying), name, copying->error);
    if (folder < 0)
        return folder;
    struct build_copier *copier = new_copier(copying, source, keeps_owner);
    int result = build_copier_file(copier, file, folder, name);
    map_clear(&copier->excluded);
    return result;
}

/* What is in it, not itself: but a target that is not there yet becomes like it. */
static int copy_folder(struct copying *copying, const struct build_source *source, int from, bool keeps_owner)
{
    const char *target = target_of(copying, source, true);
    _cleanup_close_ int there = guest_open(copying->root, target, O_DIRECTORY, NULL);
    bool takes_attributes = there < 0 && target[strlen(target) - 1] != '/';
    _cleanup_close_ int place = build_target_folder(copying->root, target, owner_of(copying), copying->error);
    _cleanup_close_ int to = place < 0 ? place : openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return place < 0 ? place : error_errno(copying->error, -errno, "%s", target);
    struct build_copier *copier = new_copier(copying, source, keeps_owner);
    copier->takes_attributes = takes_attributes;
    int result = build_copier_contents(copier, from, to);
    map_clear(&copier->excluded);
    return result;
}

/* By its first bytes, as docker does: a tar archive, also a compressed one. */
static bool is_archive(int file)
{
    static const struct {
        const char *bytes;
        size_t size;
        off_t at;
    } kinds[] = {
        {"ustar", 5, 257},
        {"\x1f\x8b", 2, 0},
        {"BZh", 3, 0},
        {"\xfd"
         "7zXZ\0",
         6, 0},
        {"\x28\xb5\x2f\xfd", 4, 0},
    };
    char bytes[8];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (pread(file, bytes, kinds[i].size, kinds[i].at) == (ssize_t)kinds[i].size &&
            memcmp(bytes, kinds[i].bytes, kinds[i].size) == 0)
            return true;
    return false;
}

static int unpack(struct copying *copying, const struct build_source *source, int file, bool keeps_owner)
{
    const struct build_making *making = copying->making;
    const char *name = arena_printf(making->call->arena, "unpacked-%s", source->key);
    if (mkdirat(making->folder, name, 0755) < 0)
        return error_errno(copying->error, -errno, "cannot make a folder to unpack into");
    _cleanup_close_ int folder =
        openat(making->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return error_errno(copying->error, -errno, "%s", name);
    int result = unpack_archive(source->path, file, folder, making->call, copying->error);
    if (result == -EMEDIUMTYPE) { /* compressed, and no tar: a file like any other */
        *copying->error = (struct error){0};
        return lseek(file, 0, SEEK_SET) < 0 ? error_errno(copying->error, -errno, "%s", source->path)
                                            : copy_file(copying, source, file, keeps_owner);
    }
    return result < 0 ? result : copy_folder(copying, source, folder, true);
}

static int copy_found(struct copying *copying, const struct build_source *source, int found, bool keeps_owner)
{
    char link[64];
    struct stat status;
    if (fstat(found, &status) < 0)
        return error_errno(copying->error, -errno, "%s", source->path);
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        return error_set(copying->error, -EINVAL, "%s is neither a file nor a folder", source->path);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    _cleanup_close_ int opened = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0)
        return error_errno(copying->error, -errno, "%s", source->path);
    if (S_ISDIR(status.st_mode))
        return copy_folder(copying, source, opened, keeps_owner);
    return copying->request->unpack && is_archive(opened) ? unpack(copying, source, opened, keeps_owner)
                                                          : copy_file(copying, source, opened, keeps_owner);
}

/* The files that the key stands for are those of the folder when it was planned. */
static int check_inputs(const struct build_source *source, int folder, struct arena *arena,
                        struct error *error)
{
    struct context_source seen;
    if (!source->digest)
        return 0;
    int result =
        context_look_again(folder, source->path, &source->excluded, &source->included, arena, &seen, error);
    if (result < 0)
        return result;
    return strcmp(seen.digest, source->digest) == 0
               ? 0
               : error_set(error, -EAGAIN, "%s changed while it was copied: build again", source->path);
}

static int copy_from_folder(struct copying *copying, const struct build_source *source)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    _cleanup_close_ int folder = context_open(source->folder, copying->error);
    if (folder < 0)
        return folder;
    _cleanup_close_ int found = (int)syscall(SYS_openat2, folder, source->path, &how, sizeof(how));
    if (found < 0)
        return error_errno(copying->error, -errno, "%s", source->path);
    int result = copy_found(copying, source, found, false);
    return result < 0 ? result : check_inputs(source, folder, copying->making->call->arena, copying->error);
}

static int copy_at(struct copying *copying, const struct build_source *source, int root, const char *path)
{
    struct build_source one = *source;
    one.path = path;
    _cleanup_close_ int found = build_place_find(source->from, root, path, copying->error);
    return found < 0 ? found : copy_found(copying, &one, found, true);
}

static bool matches(void *context, const char *pattern, const char *name)
{
    struct glob *glob = glob_read(context, pattern, false);
    return glob && glob_matches(glob, name);
}

/* All that it matches, of which whoever planned could not know. */
static int copy_matches(struct copying *copying, const struct build_source *source, int root)
{
    struct arena *arena = copying->making->call->arena;
    const char *target = copying->request->target;
    struct texts paths = {0};
    int result = context_match(root, source->path + 1, matches, arena, NULL, arena, &paths, copying->error);
    if (result == 0 && !paths.count)
        return error_set(copying->error, -ENOENT, "nothing in %s matches %s", build_place_name(source->from),
                         source->path);
    if (result == 0 && paths.count > 1 && target[strlen(target) - 1] != '/' && !copying->request->parents)
        return error_set(copying->error, -EINVAL, "several files match %s: write the target %s/",
                         source->path, target);
    for (size_t i = 0; i < paths.count && result == 0; i++)
        result = copy_at(copying, source, root, arena_join(arena, "", '/', paths.items[i]));
    return result;
}

static int copy_from_root(struct copying *copying, const struct build_source *source)
{
    const char *name = arena_printf(copying->making->call->arena, "from-%s", source->key);
    _cleanup_close_ int root = build_making_open(copying->making, source->from, name, copying->error);
    if (root < 0)
        return root;
    return *source->path == '/' && glob_is_wild(source->path) ? copy_matches(copying, source, root)
                                                              : copy_at(copying, source, root, source->path);
}

static int copy_text(struct copying *copying, const struct build_source *source)
{
    _cleanup_close_ int file = memfd_create("document", MFD_CLOEXEC);
    int result =
        file < 0 || fchmod(file, 0644) < 0 ? -errno : bytes_write(file, source->text, strlen(source->text));
    if (result < 0 || lseek(file, 0, SEEK_SET) < 0)
        return error_errno(copying->error, result < 0 ? result : -errno, "%s", source->path);
    return copy_file(copying, source, file, false);
}

static int copy_fetched(struct copying *copying, const struct build_source *source)
{
    _cleanup_close_ int file =
        build_fetched_open(copying->making->paths, source->fetched, copying->making->call, copying->error);
    if (file < 0)
        return file;
    return copying->request->unpack_fetched && is_archive(file) ? unpack(copying, source, file, false)
                                                                : copy_file(copying, source, file, false);
}

static int copy_source(struct copying *copying, const struct build_source *source)
{
    if (!source->path || !copying->request->target || *copying->request->target != '/' || !source->key ||
        strspn(source->key, "0123456789") != strlen(source->key))
        return error_set(copying->error, -EINVAL,
                         "a source without a path, or a target that is not absolute");
    if (source->fetched)
        return copy_fetched(copying, source);
    if (source->text)
        return copy_text(copying, source);
    return source->folder ? copy_from_folder(copying, source) : copy_from_root(copying, source);
}

/* ---- WORKDIR ---- */

static int make_folder(const struct build_making *making, const struct build_folder *request,
                       struct error *error)
{
    struct build_user owner;
    _cleanup_close_ int root = build_making_mount(making, error);
    if (root < 0)
        return root;
    int result =
        request->owner ? build_user_find(root, request->owner, 0, making->call->arena, &owner, error) : 0;
    if (result < 0)
        return result;
    _cleanup_close_ int made =
        build_target_folder(root, request->path, request->owner ? &owner : NULL, error);
    return made < 0 ? made : 0;
}

int build_folder_step(const struct paths *paths, const struct build_folder *request, const struct call *call,
                      struct error *error)
{
    _cleanup_build_making_ struct build_making making = NO_BUILD_MAKING;
    int result = build_making_begin(&making, paths, request->place, request->what, call, error);
    if (result == 0 && !making.is_there) {
        result = make_folder(&making, request, error);
        if (result == 0)
            result = build_making_finish(&making, request->epoch, error);
    }
    return result < 0 ? error_wrap(error, result, "%s", request->what) : 0;
}
