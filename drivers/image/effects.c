/* The image store's effects: sources into images, and their removal. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "drivers/image/oci_write.h"
#include "drivers/image/publish.h"
#include "drivers/image/remote.h"
#include "drivers/image/store.h"
#include "drivers/image/store_list.h"
#include "drivers/image/tar_export.h"
#include "drivers/image/unified.h"
#include "drivers/storage/in_use.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"
#include "specs/remote.h"

static int check_digest(const char *digest, struct error *error)
{
    if (strlen(digest) != DIGEST_TEXT_SIZE - 1 || strspn(digest, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1)
        return error_set(error, -EINVAL, "\"%s\" is not the digest of an image", digest);
    return 0;
}

static bool begins(const char *source, const char *kind)
{
    return strncmp(source, kind, strlen(kind)) == 0;
}

/* What may pass leaves its downloads to be taken up the next time. */
static void drop_downloads(const struct paths *paths, const struct fetching *fetching, int result)
{
    if (result == -ECANCELED || result == -ETIMEDOUT)
        return;
    for (size_t i = 0; i < fetching->fetched.count; i++)
        remote_drop(paths, fetching->fetched.items[i]);
}

static bool is_of_registry(const struct image_make *request)
{
    return begins(request->source, "oci:") ||
           (request->remote && strcmp(request->remote->protocol, "oci") == 0);
}

static int fetch(struct image_making *making, const struct image_make *request, struct error *error)
{
    struct fetching fetching = {.making = making, .request = request};
    int result = begins(request->source, "https://") ? https_make(&fetching, error)
                 : is_of_registry(request)           ? oci_registry_make(&fetching, error)
                                                     : remote_image_make(&fetching, error);
    drop_downloads(making->paths, &fetching, result);
    return result;
}

static int fill(struct image_making *making, const struct image_make *request, struct error *error)
{
    static const char bootstrap[] = "bootstrap:", file[] = "file:", layout[] = "oci-layout:";
    const char *source = request->source;
    if (!begins(source, bootstrap) && request->packages.count)
        return error_set(error, -EINVAL, "packages belong to bootstrap: sources only");
    if (begins(source, file)) {
        int result = oci_layout_make(making, source + strlen(file), false, NULL, error);
        return result < 0 ? result : unified_settle(making, error);
    }
    if (begins(source, layout))
        return oci_layout_make(making, source + strlen(layout), true, NULL, error);
    if (!begins(source, bootstrap))
        return fetch(making, request, error);
    char target[PATH_MAX];
    snprintf(target, sizeof(target), "%s/%s/root", making->paths->images, making->temporary);
    return bootstrap_make(source + strlen(bootstrap), &request->packages, target, making->call, error);
}

static int make(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_made *made, struct error *error)
{
    _cleanup_image_making_ struct image_making making = NO_IMAGE_MAKING;
    making.paths = paths;
    making.call = call;
    making.name = request->name;
    int result = image_making_begin(&making, error);
    if (result == 0)
        result = fill(&making, request, error);
    if (result == 0)
        result = image_making_finish(&making, made, error);
    return result < 0 ? error_wrap(error, result, "image %s", request->name) : 0;
}

/* SEMANTICS 25: a plan may read what servers say, and stores nothing. */
static int look(const struct paths *paths, const struct image_make *request, const struct call *call,
                struct image_looked *looked, struct error *error)
{
    int result = begins(request->source, "https://") ? https_look(request, call, looked, error)
                 : is_of_registry(request)           ? oci_registry_look(paths, request, call, looked, error)
                                                     : remote_image_look(request, call, looked, error);
    if (result == 0)
        described_whole(&image_looked_table, looked);
    return result < 0 ? error_wrap(error, result, "image %s", request->name) : 0;
}

static int export(const struct paths *paths, const struct image_export *request, const struct call *call,
                  struct image_exported *exported, struct error *error)
{
    return tar_export_compression(request->path) ? tar_export(paths, request, call, exported, error)
                                                 : oci_export(paths, request, call, exported, error);
}

static int remove_image(const struct paths *paths, const struct image_reference *request,
                        const struct call *call, struct error *error)
{
    (void)call;
    int result = check_digest(request->digest, error);
    if (result == 0 && request->download)
        return remote_forget(paths, request->digest, error);
    if (result == 0 && request->left)
        return tree_remove_leftovers(paths->images, request->digest, error);
    if (result == 0)
        result = image_check_unused(paths, request->digest, error);
    if (result == 0)
        result = image_check_no_delta(paths, request->digest, error);
    return result < 0 ? result : tree_remove_from_store(paths->images, request->digest, error);
}

const struct image_effects image_effects = {.make = make,
                                            .look = look,
                                            .remove = remove_image,
                                            .export = export,
                                            .publish = image_publish,
                                            .list = image_list};
