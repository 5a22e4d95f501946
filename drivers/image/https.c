/* Images out of https:// sources: one archive. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/image/remote.h"
#include "drivers/image/squashed.h"
#include "drivers/image/store.h"
#include "lib/error.h"

/* The digest of a pin, without the word before it. */
static const char *pinned(const struct image_make *request)
{
    return request->pin ? request->pin + strlen("sha256:") : NULL;
}

/* A header's text is a stranger's: what is kept of it is its digest. "v:-" where nothing was said. */
static const char *version_of(const struct remote_answer *answer, struct arena *arena)
{
    char digest[DIGEST_TEXT_SIZE];
    if (!*answer->version)
        return "v:-";
    digest_of(answer->version, strlen(answer->version), digest);
    return arena_printf(arena, "v:%.16s", digest);
}

int https_look(const struct image_make *request, const struct call *call, struct image_looked *looked,
               struct error *error)
{
    const struct remote_request get = {.url = request->source,
                                       .limit = INT64_MAX,
                                       .bounds = request->downloads,
                                       .offline = request->offline,
                                       .head = true};
    struct remote_answer answer;
    _cleanup_buffer_ struct buffer nothing = {0};
    int result = remote_get(&get, call, &answer, &nothing, error);
    if (result < 0)
        return result;
    looked->origin = version_of(&answer, call->arena);
    return *answer.version && !(request->origin && image_origin_is(request->origin, "v:-"))
               ? 0
               : error_set(
                     error, -ENODATA,
                     "%s: the server sends neither ETag nor Last-Modified, so only fpsync image pull can "
                     "tell whether it has changed",
                     request->source);
}

int https_make(struct fetching *fetching, struct error *error)
{
    const struct image_make *request = fetching->request;
    struct arena *arena = fetching->making->call->arena;
    const struct remote_request get = {.url = request->source,
                                       .limit = INT64_MAX,
                                       .bounds = request->downloads,
                                       .offline = request->offline};
    struct remote_answer answer;
    int file = -1;
    int result = remote_download(fetching->making->paths, &get, pinned(request), fetching->making->call,
                                 &answer, &file, error);
    if (result < 0)
        return result;
    _cleanup_close_ int archive = file;
    *arena_append(arena, fetching->fetched.items, fetching->fetched.count) = request->source;
    if (strncasecmp(answer.type, "text/html", strlen("text/html")) == 0)
        return error_set(error, -EBADMSG, "%s: the server sends a web page and no archive", request->source);
    fetching->making->origin = arena_printf(arena, "%s sha256:%s", version_of(&answer, arena), answer.digest);
    return squashed_make(fetching->making, request->source, archive, error);
}
