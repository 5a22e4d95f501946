/* What `get` is asked for: read from standard input and checked before anything is done. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "drivers/image/fetch/get.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/json.h"

#define REQUEST_LIMIT ((size_t)8 << 20) /* bytes; certificates and revocation lists may be in it */
#define HEADER_LIMIT  64

static int read_all(int input, size_t limit, struct buffer *text, struct error *error)
{
    char piece[16384];
    for (;;) {
        ssize_t got = read(input, piece, sizeof(piece));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(error, -errno, "cannot read it");
        if (got == 0)
            return 0;
        buffer_add(text, piece, (size_t)got);
        if (text->length > limit)
            return error_set(error, -EFBIG, "it is longer than %zu bytes", limit);
    }
}

static const char *text_of(const struct json *object, const char *key, struct arena *arena)
{
    const char *text = json_as_text(json_get(object, key));
    return text ? arena_strdup(arena, text) : NULL;
}

static bool is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static int read_headers(const struct json *list, struct arena *arena, const char ***headers,
                        struct error *error)
{
    size_t count = json_length(list);
    if (count > HEADER_LIMIT)
        return error_set(error, -EINVAL, "%zu headers are too many", count);
    *headers = arena_array_of(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_as_text(json_at(list, i));
        if (!text || !strchr(text, ':') || !is_one_line(text))
            return error_set(error, -EINVAL, "header %zu is none", i + 1);
        (*headers)[i] = arena_strdup(arena, text);
    }
    (*headers)[count] = NULL;
    return 0;
}

static int check(const struct get_request *request, struct error *error)
{
    if (!request->url || !is_one_line(request->url))
        return error_set(error, -EINVAL, "the request has no URL");
    if (strncasecmp(request->url, "https://", 8) != 0 &&
        !(request->plain && strncasecmp(request->url, "http://", 7) == 0))
        return error_set(error, -EINVAL, "%s is not an https:// address", request->url);
    if (request->limit <= 0 || request->stall <= 0 || request->tries < 0)
        return error_set(error, -EINVAL, "the request has no bounds");
    return request->validator && !is_one_line(request->validator)
               ? error_set(error, -EINVAL, "the validator is none")
               : 0;
}

int request_read(int input, size_t limit, struct json **object, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = read_all(input, limit, &text, error);
    if (result == 0)
        result = json_parse(text.bytes ? text.bytes : "", text.length, object, error);
    return result == 0 && !json_holds_object(*object) ? error_set(error, -EINVAL, "it is no JSON object")
                                                      : result;
}

int get_request_read(int input, struct arena *arena, struct get_request *request, struct error *error)
{
    _cleanup_json_ struct json *object = NULL;
    int result = request_read(input, REQUEST_LIMIT, &object, error);
    if (result < 0)
        return error_wrap(error, result, "the request");
    *request = (struct get_request){.url = text_of(object, "url", arena),
                                    .ca = text_of(object, "ca", arena),
                                    .crl = text_of(object, "crl", arena),
                                    .validator = text_of(object, "validator", arena),
                                    .proxy = text_of(object, "proxy", arena),
                                    .no_proxy = text_of(object, "no_proxy", arena),
                                    .limit = json_as_number(json_get(object, "limit"), 0),
                                    .stall = json_as_number(json_get(object, "stall"), 0),
                                    .tries = json_as_number(json_get(object, "tries"), 0),
                                    .plain = json_as_bool(json_get(object, "plain")),
                                    .head = json_as_bool(json_get(object, "head")),
                                    .guarded = json_as_bool(json_get(object, "guarded"))};
    result = read_headers(json_get(object, "headers"), arena, &request->headers, error);
    return result < 0 ? result : check(request, error);
}

bool get_is_exempt(const char *no_proxy, const char *host)
{
    const size_t whole = strlen(host);
    for (const char *at = no_proxy ? no_proxy : ""; *at; at += strcspn(at, ", ")) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length == 1 && *at == '*')
            return true;
        const char *name = at + (*at == '.');
        size_t rest = length - (size_t)(*at == '.');
        if (rest && rest <= whole && strncasecmp(host + whole - rest, name, rest) == 0 &&
            (rest == whole || host[whole - rest - 1] == '.'))
            return true;
    }
    return false;
}
