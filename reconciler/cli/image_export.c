/* image export: an image as a folder that other programs read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/asked.h"
#include "lib/error.h"
#include "reconciler/cli/image.h"

/* "FOLDER[:TAG]": the last colon counts, as a tag has no slash. */
static const char *split_tag(struct arena *arena, const char *argument, const char **tag)
{
    const char *colon = strrchr(argument, ':');
    const bool has_tag = colon && !strchr(colon, '/');
    *tag = has_tag ? colon + 1 : NULL;
    return has_tag ? arena_strndup(arena, argument, (size_t)(colon - argument)) : argument;
}

/* What others call archives would quietly become a folder; '/' at its end says that it is to be one. */
static int check_path(const char *path, struct error *error)
{
    static const char *const others[] = {".tgz",     ".txz", ".tzst",   ".tbz",     ".tbz2",
                                         ".tar.bz2", ".tlz", ".tar.lz", ".tar.lz4", ".tar.lzma",
                                         ".zip",     ".7z",  ".rar",    ".sqfs",    ".squashfs"};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const size_t end = strlen(others[i]);
        if (length >= end && strcasecmp(path + length - end, others[i]) == 0)
            return error_set(
                error, -EINVAL,
                "image export: %s: an archive is .tar, .tar.gz, .tar.xz or .tar.zst; a folder that is "
                "called so is written as %s/",
                path, path);
    }
    return 0;
}

/* Under the lock, so that nobody frees what is being read. */
int image_write(struct session *session)
{
    const struct options *options = session->options;
    struct image_export *export = described_new(session->arena, &image_export_table);
    struct image_row row = {0};
    struct error error = {0};
    void *done = NULL;
    if (options->argument_count != 3) {
        error_set(&error, -EINVAL, "image export needs the name of an image and a folder: FOLDER[:TAG]");
        return fail(options, &error, EXIT_ERROR);
    }
    int result = image_find(session, options->arguments[1], &row, &error);
    if (result >= 0 && !row.seen)
        result = error_set(&error, -ENOENT, "image %s is not in the store", options->arguments[1]);
    const char *path = split_tag(session->arena, options->arguments[2], &export->tag);
    if (result >= 0)
        result = check_path(path, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    export->digest = row.digest;
    const char *here = *path == '/' ? NULL : ask_getcwd(session->arena);
    export->path = here ? arena_join(session->arena, here, '/', path) : path;
    result = image_step(session, STEP_IMAGE_EXPORT, export, &done, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const struct image_exported *exported = done;
    if (options->output == OUTPUT_TABLE && !options->quiet && exported)
        printf("image %s: %s, %s\n", options->arguments[1], exported->digest,
               session_size(session, exported->bytes));
    return EXIT_IN_SYNC;
}
