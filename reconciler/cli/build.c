/* build: the images of a set that recipes make, and nothing else of it. A word is the name of an image, or a path of what no
 * spec has. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/build_flags.h"
#include "reconciler/cli/build_shell.h"
#include "reconciler/cli/cli.h"
#include "reconciler/unlisted.h"

static const char *target_of(struct arena *arena, const char *name)
{
    return strncmp(name, "image/", strlen("image/")) == 0 ? name : arena_printf(arena, "image/%s", name);
}

/* All that recipes make. */
static int find_built(const struct options *options, struct arena *arena, struct texts *targets)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0)
        result = session_load(&session, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    for (size_t i = 0; i < session.builds.count; i++)
        *arena_append(arena, targets->items, targets->count) =
            target_of(arena, session.builds.items[i].image->name);
    for (size_t i = 0; i < session.builds.fetch_count; i++)
        *arena_append(arena, targets->items, targets->count) =
            target_of(arena, session.builds.fetches[i].image->name);
    return EXIT_IN_SYNC;
}

/* Of several images it would be for none of them in particular. */
static int check_flags(const struct build_flags *flags, const struct texts *targets, bool named,
                       struct error *error)
{
    if (!targets->count)
        return error_set(error, -ENOENT,
                         "no image is built here: declare one below images: with build: FOLDER");
    if (!named && targets->count > 1 && build_flags_any(flags))
        return error_set(
            error, -EINVAL,
            "%zu images are built here: name those that --build-arg, --secret or --target is for",
            targets->count);
    return 0;
}

/* What is said of a folder is for the one image that it makes. */
static int check_unlisted(const struct options *options, const struct build_flags *flags,
                          const struct texts *paths, struct error *error)
{
    if (!paths->count)
        return options_say(options, "tag")
                   ? error_set(error, -EINVAL,
                               "build: --tag names what a FOLDER, ARCHIVE or RECIPE makes: write a "
                               "folder as ./NAME")
                   : 0;
    if (options->argument_count > 1 || flags->images.count)
        return error_set(error, -EINVAL, "build: one of them at a time, found %s and more", paths->items[0]);
    if (options->file_count || options->source)
        return error_set(error, -EINVAL,
                         "build: %s is in no spec, and takes no %s; another recipe of a folder is built by "
                         "its own path",
                         paths->items[0], options->file_count ? "-f" : "--source");
    return 0;
}

/* By the way of any other: a set that has this image and nothing else. */
static int build_unlisted(const struct options *options, struct build_flags *flags, const char *word,
                          struct arena *arena)
{
    struct options own = *options;
    struct unlisted unlisted;
    struct error error = {0};
    if (unlisted_read(word, options->tag, arena, &unlisted, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    *arena_append(arena, flags->images.items, flags->images.count) =
        arena_printf(arena, "image/%s", unlisted.name);
    flags->unlisted = &unlisted;
    own.targets = flags->images.items;
    own.target_count = flags->images.count;
    own.argument_count = 0;
    own.build = flags;
    return run_apply(&own);
}

static struct texts paths_of(const struct options *options, struct arena *arena)
{
    struct texts paths = {0};
    for (size_t i = 0; i < options->argument_count; i++)
        if (unlisted_is(options->arguments[i]))
            *arena_append(arena, paths.items, paths.count) = options->arguments[i];
    return paths;
}

int run_build(const struct options *options)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct options own = *options;
    struct build_flags flags;
    struct error error = {0};
    if (build_shell_is_meant(options))
        return build_shell(options);
    if (build_shell_check(options, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    if (build_flags_read(options, arena, &flags, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    const struct texts paths = paths_of(options, arena);
    if (check_unlisted(options, &flags, &paths, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    if (paths.count)
        return build_unlisted(options, &flags, paths.items[0], arena);
    own.targets = NULL;
    own.target_count = own.argument_count = 0;
    for (size_t i = 0; i < options->argument_count; i++)
        *arena_append(arena, flags.images.items, flags.images.count) =
            target_of(arena, options->arguments[i]);
    const bool named = flags.images.count;
    const int code = named ? EXIT_IN_SYNC : find_built(&own, arena, &flags.images);
    if (code != EXIT_IN_SYNC)
        return code;
    if (check_flags(&flags, &flags.images, named, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    own.targets = flags.images.items;
    own.target_count = flags.images.count;
    own.build = &flags;
    return run_apply(&own);
}
