/* The effects of a build in one table. */
#include <errno.h>

#include "drivers/image/build.h"
#include "lib/error.h"

static int copy(const struct paths *paths, const struct build_copy *request, const struct call *call,
                struct error *error)
{
    (void)paths, (void)call;
    return error_set(error, -ENOSYS, "%s", request->what);
}
static int folder(const struct paths *paths, const struct build_folder *request, const struct call *call,
                  struct error *error)
{
    (void)paths, (void)call;
    return error_set(error, -ENOSYS, "%s", request->what);
}
static int run(const struct paths *paths, const struct build_run *request, const struct call *call,
               struct error *error)
{
    (void)paths, (void)call;
    return error_set(error, -ENOSYS, "%s", request->what);
}
static int commit(const struct paths *paths, const struct build_commit *request, const struct call *call,
                  struct image_made *made, struct error *error)
{
    (void)paths, (void)call, (void)made;
    return error_set(error, -ENOSYS, "%s", request->name);
}
static int drop(const struct paths *paths, const struct build_drop *request, const struct call *call,
                struct error *error)
{
    (void)paths, (void)request, (void)call;
    return error_set(error, -ENOSYS, "build");
}

const struct build_effects build_effects = {
    .copy = copy, .folder = folder, .run = run, .commit = commit, .drop = drop};
