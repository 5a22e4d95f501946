#include "drivers/image/oci_auth.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"

#define FILE_LIMIT  ((size_t)1 << 20)
#define TOKEN_LIMIT ((int64_t)64 * 1024)

/* ---- files ---- */

static bool is_base64(const char *text)
{
    return *text && strlen(text) < 4096 &&
           !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")];
}

static const char *auth_of(const struct json *auths, const char *key)
{
    const char *auth = json_as_text(json_get(json_get(auths, key), "auth"));
    return auth && is_base64(auth) ? auth : NULL;
}

/* From the whole name to the bare host; docker has its own key for its own registry. */
static const char *find_auth(const struct json *file, const struct oci_name *name, struct arena *arena)
{
    const struct json *auths = json_get(file, "auths");
    char *key = arena_join(arena, name->host, '/', name->path);
    for (;;) {
        const char *auth = auth_of(auths, key);
        char *slash = strrchr(key, '/');
        if (auth || !slash)
            return auth || strcmp(name->host, "docker.io") != 0
                       ? auth
                       : auth_of(auths, "https://index.docker.io/v1/");
        *slash = '\0';
    }
}

static const char *look_in(const char *path, const struct oci_name *name, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_json_ struct json *file = NULL;
    if (!path || access(path, R_OK) < 0 || buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, NULL) < 0 ||
        json_parse(text.bytes, text.length, &file, NULL) < 0)
        return NULL;
    const char *auth = find_auth(file, name, arena);
    explicit_bzero(text.bytes, text.length);
    return arena_strdup(arena, auth);
}

static const char *below(struct arena *arena, const char *variable, const char *path)
{
    const char *folder = getenv(variable);
    return folder && *folder == '/' ? arena_printf(arena, "%s/%s", folder, path) : NULL;
}

const char *oci_credentials(const struct paths *paths, const struct oci_name *name, struct arena *arena)
{
    const char *slash = strrchr(paths->conf, '/');
    const char *const files[] = {
        arena_printf(arena, "%.*s/auth.json", (int)(slash ? slash - paths->conf : 0), paths->conf),
        getenv("REGISTRY_AUTH_FILE"),
        below(arena, "XDG_RUNTIME_DIR", "containers/auth.json"),
        "/run/containers/0/auth.json",
        below(arena, "XDG_CONFIG_HOME", "containers/auth.json"),
        below(arena, "HOME", ".config/containers/auth.json"),
        below(arena, "HOME", ".docker/config.json"),
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *auth = look_in(files[i], name, arena);
        if (auth)
            return auth;
    }
    return NULL;
}

/* ---- tokens ---- */

/* The value of a parameter of `Bearer key="value",...`; NULL: it is not there. */
static const char *parameter(const char *challenge, const char *key, struct arena *arena)
{
    size_t length = strlen(key);
    for (const char *at = challenge; *at;) {
        at += strspn(at, ", ");
        size_t word = strcspn(at, "=, ");
        bool found = word == length && strncasecmp(at, key, length) == 0;
        at += word;
        if (*at != '=')
            continue;
        bool quoted = *++at == '"';
        at += quoted;
        size_t size = strcspn(at, quoted ? "\"" : ", ");
        if (found)
            return arena_strndup(arena, at, size);
        at += size;
        at += quoted && *at == '"';
    }
    return NULL;
}

static void add_escaped(struct buffer *url, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~:/,", *text))
            buffer_add(url, text, 1);
        else
            buffer_printf(url, "%%%02X", (unsigned char)*text);
}

/* The realm is the server's word: https only, and nothing in it but what an address holds. */
static int token_url(const struct oci_name *name, const char *challenge, struct arena *arena,
                     const char **url, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *realm = parameter(challenge, "realm", arena),
               *service = parameter(challenge, "service", arena);
    if (!realm || strncmp(realm, "https://", 8) != 0 || strlen(realm) > 2048)
        return error_set(error, -EACCES, "%s sends us for a token to where it is not safe", name->host);
    for (const char *at = realm; *at; at++)
        if (*at <= 0x20 || *at >= 0x7f || strchr("\"<>\\^`{|}#@", *at))
            return error_set(error, -EACCES, "%s sends us for a token to what is no address", name->host);
    buffer_printf(&text, "%s%c", realm, strchr(realm, '?') ? '&' : '?');
    if (service) {
        buffer_text(&text, "service=");
        add_escaped(&text, service);
        buffer_text(&text, "&");
    }
    buffer_printf(&text, "scope=repository:%s:pull", name->path);
    *url = arena_strdup(arena, text.bytes);
    return 0;
}

static bool is_token(const char *text)
{
    for (const char *at = text; *at; at++)
        if (*at <= 0x20 || *at >= 0x7f)
            return false;
    return *text && strlen(text) < 16384;
}

static const char *fetch_token(const struct oci_name *name, const char *basic,
                               const struct remote_request *first, const struct remote_answer *refused,
                               const struct call *call, struct error *error)
{
    struct arena *arena = call->arena;
    const char *const headers[] = {basic, NULL};
    struct remote_request request = *first;
    struct remote_answer answer;
    _cleanup_buffer_ struct buffer body = {0};
    _cleanup_json_ struct json *said = NULL;
    request.headers = headers;
    request.limit = TOKEN_LIMIT;
    request.guarded = refused->is_public;
    int result = token_url(name, refused->challenge, arena, &request.url, error);
    if (result == 0)
        result = remote_get(&request, call, &answer, &body, error);
    if (result == 0)
        result = json_parse(body.bytes, body.length, &said, error);
    if (result < 0)
        return NULL;
    const char *token = json_as_text(json_get(said, "token"));
    token = token ? token : json_as_text(json_get(said, "access_token"));
    if (!token || !is_token(token)) {
        error_set(error, -EACCES, "%s: the answer holds no token", name->host);
        return NULL;
    }
    return arena_printf(arena, "Authorization: Bearer %s", token);
}

const char *oci_authorize(const struct paths *paths, const struct oci_name *name,
                          const struct remote_request *first, const struct remote_answer *refused,
                          const struct call *call, struct error *error)
{
    const char *auth = oci_credentials(paths, name, call->arena);
    const char *basic = auth ? arena_printf(call->arena, "Authorization: Basic %s", auth) : NULL;
    if (strncasecmp(refused->challenge, "Bearer ", 7) == 0)
        return fetch_token(name, basic, first, refused, call, error);
    if (strncasecmp(refused->challenge, "Basic", 5) != 0)
        error_set(error, -EACCES, "%s refuses, and does not say what it wants", name->host);
    else if (!basic)
        error_set(error, -EACCES, "%s wants a user and a password: none is in auth.json (`skopeo login`)",
                  name->host);
    else
        return basic;
    return NULL;
}
