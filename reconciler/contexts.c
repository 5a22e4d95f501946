#include "reconciler/contexts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/view_source.h"
#include "lib/error.h"

static const char prefix[] = "sha256:";

const char *context_note(struct arena *arena, const char *origin, const char *source)
{
    return arena_join(arena, origin, ' ', source);
}

/* Where the digits begin, when all that follows them is the source. */
static const char *digits_of(const char *note, const char *source)
{
    const char *at = note ? strstr(note, prefix) : NULL;
    const size_t length = DIGEST_TEXT_SIZE - 1;
    at = at ? at + strlen(prefix) : NULL;
    return at && strspn(at, "0123456789abcdef") == length && at[length] == ' ' &&
                   strcmp(at + length + 1, source) == 0
               ? at
               : NULL;
}

const char *context_digest(struct arena *arena, const char *note, const char *source)
{
    const char *digits = digits_of(note, source);
    return digits ? arena_strndup(arena, digits, DIGEST_TEXT_SIZE - 1) : NULL;
}

const char *context_origin(struct arena *arena, const char *note, const char *source)
{
    const char *digits = digits_of(note, source);
    return digits ? arena_strndup(arena, note, (size_t)(digits - note) + DIGEST_TEXT_SIZE - 1) : NULL;
}

/* The digest of a file of the host. A folder has none: *is_archive is false. */
static int look_at_file(const struct image_build *build, struct arena *arena, struct context_found *found,
                        struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    struct stat status;
    found->is_archive = stat(build->context, &status) == 0 && S_ISREG(status.st_mode);
    if (!found->is_archive) {
        found->folder = build->context;
        return build->digest
                   ? error_set(error, -EINVAL, "%s is no archive, and has no digest", build->context)
                   : 0;
    }
    int result = image_archive_digest(build->context, digest, error);
    if (result < 0)
        return result;
    found->digest = arena_strdup(arena, digest);
    return build->digest && strcmp(build->digest + strlen(prefix), digest) != 0
               ? error_set(error, -EINVAL, "%s: expected %s, and it has sha256:%s", build->context,
                           build->digest, digest)
               : 0;
}

int context_find(const struct builds_request *request, const struct object *image, struct arena *arena,
                 struct context_found *found, struct error *error)
{
    const struct image_build *build = ((const struct image *)image->body)->build;
    const struct entry *entry = actual_find(request->actual, KIND_IMAGE, image->name);
    *found = (struct context_found){.is_archive = *build->context != '/'};
    int result = found->is_archive ? 0 : look_at_file(build, arena, found, error);
    if (result < 0 || !found->is_archive)
        return result;
    if (!found->digest)
        found->digest = build->digest ? build->digest + strlen(prefix)
                        : entry       ? context_digest(arena, entry->facts->context, build->context)
                                      : NULL;
    found->folder = found->digest ? build_view.context(request->paths, arena, found->digest) : NULL;
    return 0;
}
