#include "drivers/image/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/image/program.h"
#include "drivers/image/remote_fetch.h"
#include "drivers/storage/beside.h"
#include "lib/error.h"
#include "lib/json.h"
#include "specs/remote.h"

#define CA_LIMIT   ((size_t)2 << 20)
#define BODY_LIMIT ((int64_t)64 << 20) /* of what is held in memory */

/* ---- the request ---- */

/* The variables that curl(1) goes by; HTTP_PROXY in capitals could have come from a header of a request (CVE-2016-5385). */
static const char *proxy_of(const char *url)
{
    static const char *const of_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    static const char *const of_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    for (const char *const *name = strncmp(url, "https:", 6) == 0 ? of_https : of_http; *name; name++) {
        const char *value = getenv(*name);
        if (value && *value)
            return value;
    }
    return NULL;
}

static void set_text(struct json *object, const char *key, const char *text)
{
    if (text)
        json_set(object, key, json_new_text(text));
}

static int set_content(struct json *object, const char *key, const char *path, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (!path)
        return 0;
    int result = buffer_read_file(&text, AT_FDCWD, path, CA_LIMIT, error);
    /* What stands behind one would be lost, and with a list what it revokes. */
    if (result == 0 && text.length && memchr(text.bytes, '\0', text.length))
        result = error_set(error, -EINVAL, "%s: expected PEM, found a zero byte", path);
    if (result == 0)
        json_set(object, key, json_new_text(text.bytes ? text.bytes : ""));
    return result;
}

static int make_request(const struct remote_request *request, const char *validator, struct arena *arena,
                        struct json *object, struct error *error)
{
    const struct downloads *bounds =
        request->bounds ? request->bounds : described_new(arena, &downloads_table);
    struct json *headers = json_set(object, "headers", json_new_array());
    for (const char *const *header = request->headers; header && *header; header++)
        json_append(headers, json_new_text(*header));
    set_text(object, "url", request->url);
    set_text(object, "validator", validator);
    set_text(object, "proxy", proxy_of(request->url));
    set_text(object, "no_proxy", getenv("no_proxy") ? getenv("no_proxy") : getenv("NO_PROXY"));
    json_set(object, "limit", json_new_number(request->limit < bounds->size ? request->limit : bounds->size));
    json_set(object, "stall", json_new_number(bounds->stall));
    json_set(object, "tries", json_new_number(bounds->tries));
    json_set(object, "plain", json_new_bool(request->plain));
    json_set(object, "guarded", json_new_bool(request->guarded));
    json_set(object, "head", json_new_bool(request->head));
    int result = set_content(object, "ca", request->ca ? request->ca : bounds->ca, error);
    return result < 0 ? result : set_content(object, "crl", bounds->crl, error);
}

/* Not by arguments: those of a process can be read by all, and passwords stand in headers. */
static int write_request(const struct remote_request *request, const char *validator, struct arena *arena,
                         struct error *error)
{
    _cleanup_json_ struct json *object = json_new_object();
    _cleanup_buffer_ struct buffer text = {0};
    int result = make_request(request, validator, arena, object, error);
    if (result < 0)
        return result;
    json_print(object, false, &text);
    _cleanup_close_ int file = memfd_create("request", MFD_CLOEXEC);
    if (file < 0 || (result = bytes_write(file, text.bytes, text.length)) < 0 || lseek(file, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot write the request");
    return TAKE_FD(file);
}

/* ---- the answer ---- */

struct hearing {
    const struct remote_request *request;
    const struct remote_fetch *fetch;
    const struct call *call;
    struct remote_answer *answer;
    struct error *error;
    bool done;
    int code;
    char last[256]; /* of what was no answer */
};

/* Without what follows a '?', which may be a password. */
static int url_length(const char *url)
{
    return (int)strcspn(url, "?");
}

static const char *kept_text(const struct hearing *hearing, const struct json *line, const char *key)
{
    const char *text = json_as_text(json_get(line, key));
    return text ? arena_strdup(hearing->call->arena, text) : "";
}

static void hear_progress(const struct hearing *hearing, int64_t bytes, int64_t total)
{
    char text[96];
    const int64_t most = total > 0 ? total : bytes;
    const bool is_small = most < 1 << 20;
    const long long size = is_small ? (most + 1023) >> 10 : most >> 20;
    const char *unit = is_small ? "KiB" : "MiB";
    if (total > 0)
        snprintf(text, sizeof(text), "downloading %d %% of %lld %s", (int)(bytes * 100 / total), size, unit);
    else
        snprintf(text, sizeof(text), "downloading: %lld %s", size, unit);
    if (hearing->call->progress && hearing->fetch->tells)
        hearing->call->progress(hearing->call->context, text);
}

static void hear_done(struct hearing *hearing, const struct json *line)
{
    struct remote_answer *answer = hearing->answer;
    const char *digest = json_as_text(json_get(line, "sha256"));
    hearing->done = digest && strlen(digest) == DIGEST_TEXT_SIZE - 1;
    snprintf(answer->digest, sizeof(answer->digest), "%s", hearing->done ? digest : "");
    answer->bytes = json_as_number(json_get(line, "bytes"), 0);
    answer->is_public = json_as_bool(json_get(line, "public"));
    answer->resumed = json_as_bool(json_get(line, "resumed"));
    answer->type = kept_text(hearing, line, "type");
    answer->version = kept_text(hearing, line, "version");
}

static void hear_error(struct hearing *hearing, const struct json *line, const char *text)
{
    const char *url = hearing->request->url;
    int64_t code = json_as_number(json_get(line, "code"), EIO);
    hearing->code = code > 0 && code < 4096 ? -(int)code : -EIO;
    hearing->answer->challenge = kept_text(hearing, line, "challenge");
    error_set(hearing->error, hearing->code, "%.*s: %s", url_length(url), url, text);
}

static void hear_note(const struct hearing *hearing, const char *text)
{
    if (hearing->call->progress)
        hearing->call->progress(hearing->call->context, text);
}

static void hear(void *context, const char *text)
{
    struct hearing *hearing = context;
    _cleanup_json_ struct json *line = NULL;
    const char *said;
    if (json_parse(text, strlen(text), &line, NULL) < 0) {
        snprintf(hearing->last, sizeof(hearing->last), "%s", text);
        return;
    }
    if (json_get(line, "status"))
        hearing->answer->status = (int)json_as_number(json_get(line, "status"), 0);
    if ((said = json_as_text(json_get(line, "validator"))) && hearing->fetch->note)
        hearing->fetch->note(hearing->fetch->context, said);
    if ((said = json_as_text(json_get(line, "note"))))
        hear_note(hearing, said);
    if (json_get(line, "progress"))
        hear_progress(hearing, json_as_number(json_get(line, "progress"), 0),
                      json_as_number(json_get(line, "total"), -1));
    if (json_get(line, "done"))
        hear_done(hearing, line);
    if ((said = json_as_text(json_get(line, "error"))))
        hear_error(hearing, line, said);
}

int remote_fetch(const struct remote_request *request, const struct remote_fetch *fetch, int file,
                 const struct call *call, struct remote_answer *answer, struct error *error)
{
    char program[PATH_MAX];
    const char *url = request->url;
    *answer = (struct remote_answer){.type = "", .challenge = "", .version = ""};
    if (request->offline)
        return error_set(error, -EHOSTDOWN, "%.*s: not asked, as fpsync is to stay offline", url_length(url),
                         url);
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    _cleanup_close_ int input = write_request(request, fetch->validator, call->arena, error);
    if (input < 0)
        return input;
    char *const arguments[] = {program, (char[]){"get"}, NULL};
    struct hearing hearing = {
        .request = request, .fetch = fetch, .call = call, .answer = answer, .error = error};
    const struct program run = {
        .arguments = arguments, .input = input, .target = file, .line = hear, .context = &hearing};
    result = program_run(&run, call, error);
    if (result < 0 || hearing.code < 0)
        return result < 0 ? result : hearing.code;
    if (result != 0 || !hearing.done)
        return error_set(error, -EIO, "%.*s: fpsync-fetch ended with status %d and no result %s",
                         url_length(url), url, result, hearing.last);
    return 0;
}

int remote_get(const struct remote_request *request, const struct call *call, struct remote_answer *answer,
               struct buffer *body, struct error *error)
{
    const struct remote_fetch fetch = {.tells = false};
    struct remote_request bounded = *request;
    bounded.limit = request->limit < BODY_LIMIT ? request->limit : BODY_LIMIT;
    _cleanup_close_ int file = memfd_create("body", MFD_CLOEXEC);
    if (file < 0)
        return error_errno(error, -errno, "cannot make a file in memory");
    int result = remote_fetch(&bounded, &fetch, file, call, answer, error);
    if (result < 0)
        return result;
    char piece[65536];
    ssize_t got;
    buffer_text(body, "");
    for (int64_t at = 0; (got = pread(file, piece, sizeof(piece), at)) > 0; at += got)
        buffer_add(body, piece, (size_t)got);
    return got < 0 ? error_errno(error, -errno, "cannot read what came") : 0;
}
