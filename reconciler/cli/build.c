/* build: the images of a set that recipes make, and nothing else of it. A name is that of an image. */
#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/build_flags.h"
#include "reconciler/cli/build_shell.h"
#include "reconciler/cli/cli.h"

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

int run_build(const struct options *options)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct options own = *options;
    struct build_flags flags;
    struct error error = {0};
    if (options->shell)
        return build_shell(options);
    if (build_shell_check(options, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    if (build_flags_read(options, arena, &flags, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
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
