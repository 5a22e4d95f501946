/* The recipe beside an image: its text, its ignore file, and what it takes of its folder, at the paths that they have
 * there; all of it 0:0's. Nothing outside that folder, and nothing that the ignore file leaves out. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/image/build.h"
#include "drivers/image/build_copier.h"
#include "drivers/image/build_target.h"
#include "drivers/image/publish.h"
#include "drivers/image/view_context.h"
#include "lib/error.h"

#define RECIPE_NAME "Recipe"
#define IGNORE_NAME ".dockerignore"
#define TEXT_LIMIT  ((size_t)1 << 20)

struct taking {
    struct publishing *publishing;
    int context, to;
    struct error *error;
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- what it takes ---- */

static int copy_file(const struct taking *taking, struct build_copier *copier, int file, const char *path)
{
    char name[NAME_MAX + 1];
    _cleanup_close_ int folder = build_target_file(taking->to, arena_join(copier->call->arena, "", '/', path),
                                                   name_of(path), NULL, name, taking->error);
    return folder < 0 ? folder : build_copier_file(copier, file, folder, name);
}

static int copy_folder(const struct taking *taking, struct build_copier *copier, int from, const char *path)
{
    const char *target = strcmp(path, ".") == 0 ? "/" : arena_join(copier->call->arena, "", '/', path);
    _cleanup_close_ int place = build_target_folder(taking->to, target, NULL, taking->error);
    _cleanup_close_ int to = place < 0 ? place : openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return place < 0 ? place : error_errno(taking->error, -errno, "%s", path);
    return build_copier_contents(copier, from, to);
}

static int check_same(const struct taking *taking, const struct build_source *source)
{
    struct context_source seen;
    int result = context_look_again(taking->context, source->path, &source->excluded, &source->included,
                                    taking->publishing->call->arena, &seen, taking->error);
    if (result == 0 && source->digest && strcmp(seen.digest, source->digest) != 0)
        return error_set(taking->error, -EAGAIN, "%s changed while it was copied: publish again",
                         source->path);
    return result;
}

static int take_source(const struct taking *taking, const struct build_source *source)
{
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    struct stat status;
    const struct call *call = taking->publishing->call;
    if (!source->path)
        return error_set(taking->error, -EINVAL, "a source without a path");
    _cleanup_close_ int found = (int)syscall(SYS_openat2, taking->context, source->path, &how, sizeof(how));
    if (found < 0 || fstat(found, &status) < 0)
        return error_errno(taking->error, -errno, "%s", source->path);
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        return error_set(taking->error, -EINVAL, "%s is neither a file nor a folder", source->path);
    struct build_copier *copier = arena_new_of(call->arena, struct build_copier);
    *copier = (struct build_copier){.call = call,
                                    .mode = -1,
                                    .base = source->path,
                                    .included = &source->included,
                                    .error = taking->error};
    for (size_t i = 0; i < source->excluded.count; i++)
        map_add(&copier->excluded, source->excluded.items[i], copier);
    int result = S_ISDIR(status.st_mode) ? copy_folder(taking, copier, found, source->path)
                                         : copy_file(taking, copier, found, source->path);
    map_clear(&copier->excluded);
    return result == 0 ? check_same(taking, source) : result;
}

/* ---- its own files ---- */

/* Two sources may not give one name another content. */
static int put_text(const struct taking *taking, const char *name, const struct buffer *text)
{
    _cleanup_buffer_ struct buffer there = {0};
    int result = publish_read(taking->to, name, &there, taking->error);
    if (result == -ENOENT)
        return publish_write(taking->to, name, text->bytes, text->length, taking->error);
    if (result < 0)
        return result;
    return there.length == text->length && memcmp(there.bytes, text->bytes, text->length) == 0
               ? 0
               : error_set(taking->error, -EEXIST, "the recipe takes another %s of its folder", name);
}

static int put_ignored(const struct taking *taking)
{
    struct arena *arena = taking->publishing->call->arena;
    const char *recipe = name_of(taking->publishing->request->recipe);
    const char *const names[] = {arena_printf(arena, "%s%s", recipe, IGNORE_NAME), ".recipeignore",
                                 IGNORE_NAME};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        _cleanup_buffer_ struct buffer text = {0};
        int result = context_read(taking->context, names[i], TEXT_LIMIT, &text, taking->error);
        if (result == -ENOENT)
            continue;
        return result < 0 || !text.length ? result : put_text(taking, IGNORE_NAME, &text);
    }
    return 0;
}

/* Under the name that a build looks for first, or its own where that is the other one. */
static int put_recipe(const struct taking *taking)
{
    const char *path = taking->publishing->request->recipe;
    _cleanup_buffer_ struct buffer text = {0};
    int result = context_read(taking->context, path, TEXT_LIMIT, &text, taking->error);
    if (result < 0)
        return result;
    return put_text(taking, strcmp(path, "Dockerfile") == 0 ? path : RECIPE_NAME, &text);
}

static int take_folder(struct taking *taking)
{
    const struct image_publish *request = taking->publishing->request;
    _cleanup_close_ int context = context_open(request->context, taking->error);
    if (context < 0)
        return context;
    taking->context = context;
    int result = 0;
    for (size_t i = 0; i < request->sources.count && result == 0; i++)
        result = take_source(taking, request->sources.items[i]);
    if (result == 0)
        result = put_ignored(taking);
    return result == 0 ? put_recipe(taking) : result;
}

int publish_recipe(struct publishing *publishing, int folder, struct error *error)
{
    const struct image_publish *request = publishing->request;
    struct taking taking = {.publishing = publishing, .context = -1, .to = folder, .error = error};
    int result = request->recipe_text ? publish_write(folder, RECIPE_NAME, request->recipe_text,
                                                      strlen(request->recipe_text), error)
                                      : take_folder(&taking);
    return result < 0 ? error_wrap(error, result, "its recipe") : 0;
}
