/* What an image server has, for people who search it. */
#include <errno.h>
#include <string.h>

#include "drivers/image/image.h"
#include "drivers/image/store_list.h"
#include "drivers/image/streams.h"
#include "lib/error.h"
#include "lib/json.h"

int image_list(const struct paths *paths, const struct image_make *request, const struct call *call,
               struct image_listed *listed, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    (void)paths;
    if (!request->remote->name || !request->remote->url ||
        strcmp(request->remote->protocol, "simplestreams") != 0)
        return error_set(error, -EINVAL, "%s: no server that lists what it has is called so", request->name);
    _cleanup_json_ struct json *products = streams_list(request, &request->words, call, &listed->more, error);
    if (!products)
        return error->code;
    json_print(products, false, &text);
    listed->products = arena_strdup(call->arena, text.bytes);
    described_whole(&image_listed_table, listed);
    return 0;
}
