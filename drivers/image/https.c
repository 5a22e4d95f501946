/* Images out of https:// sources: one tar archive. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/image/remote.h"
#include "drivers/image/store.h"
#include "lib/error.h"

/* The digest of a pin, without the word before it. */
static const char *pinned(const struct image_make *request)
{
    return request->pin ? request->pin + strlen("sha256:") : NULL;
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
    fetching->making->origin = arena_printf(arena, "sha256:%s", answer.digest);
    return unpack_archive(request->source, archive, fetching->making->root, fetching->making->call, error);
}
