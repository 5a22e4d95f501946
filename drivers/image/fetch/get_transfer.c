/* One try at a URL, by libcurl. Redirects are followed here and not by the library, so that each is looked at: scheme,
 * count, and whether it leads from the public to what is not. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "drivers/image/fetch/get.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "lib/json.h"

#define REDIRECT_LIMIT 5
#define SLOW           1024L          /* bytes a second that no link is below */
#define BUFFER_SIZE    (512L * 1024)  /* bytes that one read takes at most */
#define CONNECT_TIME   20000L         /* milliseconds, of all addresses of a name together */
#define WAIT_LIMIT     ((int64_t)120) /* seconds that a server may send us away for */

struct transfer {
    struct getting *getting;
    CURL *handle;
    struct curl_slist *headers, *condition; /* for the first host; for whom it redirects to */
    struct error *error;                    /* of what a callback ended the transfer for */
    int code;                               /* of that; 0: none did */
    bool by_proxy, decided, begun;          /* decided: is_public */
    bool answered;                          /* ended by a callback, since the headers said all */
    char text[CURL_ERROR_SIZE];
    int64_t told;
    /* of the present answer's headers: */
    char validator[sizeof(((struct getting *)0)->validator)], modified[64];
    int64_t from, whole; /* Content-Range: first byte and all there are; -1 */
    bool has_etag;
};

static int stop(struct transfer *transfer, int code)
{
    transfer->code = code;
    return 0; /* of a callback: less than it was given */
}

/* ---- what the server says ---- */

static void forget_answer(struct transfer *transfer)
{
    struct getting *getting = transfer->getting;
    transfer->begun = transfer->has_etag = transfer->answered = false;
    *transfer->validator = *transfer->modified = '\0';
    transfer->from = transfer->whole = -1;
    *getting->type = *getting->challenge = '\0';
    getting->wait = 0;
    getting->total = -1;
}

static bool header_value(const char *line, size_t size, const char *name, char *value, size_t room)
{
    size_t length = strlen(name);
    if (size <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
        return false;
    const char *at = line + length + 1, *end = line + size;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t kept = 0;
    for (; at < end && kept + 1 < room; at++)
        value[kept++] = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    value[kept] = '\0';
    return at == end; /* what is cut says nothing */
}

static void read_range(struct transfer *transfer, const char *text)
{
    long long first, last, whole;
    if (sscanf(text, "bytes %lld-%lld/%lld", &first, &last, &whole) == 3 && first >= 0 && last >= first &&
        whole > last) {
        transfer->from = first;
        transfer->whole = whole;
    } else if (sscanf(text, "bytes */%lld", &whole) == 1) {
        transfer->whole = whole;
    }
}

/* "Range Not Satisfiable". The body is of no account, and some registries give it the length of the file that it is not. */
static bool is_past_end(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
    return status == 416;
}

static size_t on_header(char *line, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct getting *getting = transfer->getting;
    char value[1024];
    size_t size = unit * count;
    if (size > 5 && strncmp(line, "HTTP/", 5) == 0)
        forget_answer(transfer);
    else if (header_value(line, size, "ETag", transfer->validator, sizeof(transfer->validator)))
        transfer->has_etag = true;
    else if (header_value(line, size, "Content-Range", value, sizeof(value)))
        read_range(transfer, value);
    else if (header_value(line, size, "Retry-After", value, sizeof(value)))
        getting->wait =
            1000 * (strtoll(value, NULL, 10) < WAIT_LIMIT ? strtoll(value, NULL, 10) : WAIT_LIMIT);
    if (size == strspn(line, "\r\n") && is_past_end(transfer)) {
        transfer->answered = true;
        return 0;
    }
    header_value(line, size, "Last-Modified", transfer->modified, sizeof(transfer->modified));
    header_value(line, size, "Content-Type", getting->type, sizeof(getting->type));
    header_value(line, size, "WWW-Authenticate", getting->challenge, sizeof(getting->challenge));
    return size;
}

/* A weak ETag promises no equal bytes (RFC 9110, 13.1.5), and a date within the last minute is not yet one. */
static const char *strong_validator(struct transfer *transfer)
{
    if (transfer->has_etag)
        return *transfer->validator == '"' ? transfer->validator : "";
    time_t modified = *transfer->modified ? curl_getdate(transfer->modified, NULL) : -1;
    return modified >= 0 && modified + 60 < time(NULL) ? transfer->modified : "";
}

/* ---- what it sends ---- */

static int start_anew(struct transfer *transfer)
{
    struct getting *getting = transfer->getting;
    if (getting->began && getting->stored && *getting->validator) /* which the caller has noted */
        return error_set(transfer->error, -ESTALE, "the file changed on the server meanwhile");
    int result = hashing_restart(getting->hashing, transfer->error);
    if (result < 0)
        return result;
    if (getting->stored && (ftruncate(TARGET_FD, 0) < 0 || lseek(TARGET_FD, 0, SEEK_SET) < 0))
        return error_errno(transfer->error, -errno, "cannot begin the file anew");
    getting->stored = 0;
    getting->resumed = false;
    return 0;
}

static int check_size(struct transfer *transfer, int64_t size)
{
    int64_t limit = transfer->getting->request->limit;
    return size > limit
               ? error_set(transfer->error, -EFBIG, "it has %lld bytes, more than the %lld that are allowed",
                           (long long)size, (long long)limit)
               : 0;
}

/* At the first byte of a body that is kept. */
static int begin(struct transfer *transfer)
{
    struct getting *getting = transfer->getting;
    curl_off_t length = -1;
    int result = 0;
    transfer->begun = true;
    curl_easy_getinfo(transfer->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (getting->status == 206 && transfer->from != getting->stored)
        result = error_set(transfer->error, -ESTALE, "the server sends another part than the one asked for");
    else if (getting->status == 200)
        result = start_anew(transfer);
    else
        getting->resumed = getting->stored > 0;
    getting->total = getting->status == 206 ? transfer->whole : length;
    if (result == 0)
        result = check_size(transfer, getting->total);
    if (result < 0)
        return result;
    snprintf(getting->validator, sizeof(getting->validator), "%s", strong_validator(transfer));
    say_text("validator", getting->validator);
    getting->began = true;
    return 0;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct getting *getting = transfer->getting;
    size_t size = unit * count;
    curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &getting->status);
    if (getting->status != 200 && getting->status != 206)
        return size; /* of an error or a redirect: read, and thrown away */
    int result = transfer->begun ? 0 : begin(transfer);
    if (result == 0)
        result = check_size(transfer, getting->stored + (int64_t)size);
    if (result < 0)
        return (size_t)stop(transfer, result);
    if ((result = bytes_write(TARGET_FD, bytes, size)) < 0)
        return (size_t)stop(transfer, error_errno(transfer->error, result, "cannot write what came"));
    getting->stored += (int64_t)size;
    hashing_follow(getting->hashing, getting->stored);
    return size;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    struct transfer *transfer = context;
    const struct getting *getting = transfer->getting;
    (void)total, (void)now, (void)up_total, (void)up;
    if (!transfer->begun || !say_is_due(&transfer->told))
        return 0;
    struct json *line = json_new_object();
    json_set(line, "progress", json_new_number(getting->stored));
    json_set(line, "total", json_new_number(getting->total));
    say_object(line);
    return 0;
}

/* ---- whom we speak to ---- */

static int refuse_private(const struct transfer *transfer, const char *who)
{
    return error_set(transfer->error, -EACCES,
                     "%s is not public: no server that is, and no recipe, sends us there (recipes may, with "
                     "`builds: { private_addresses: true }` in fpsync.conf)",
                     who);
}

/* Called with the very address that is connected to: a name that resolves to something else the next time gains
 * nothing. Of a proxy it is the proxy's, which root named. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    struct getting *getting = transfer->getting;
    (void)purpose;
    if (!transfer->by_proxy) {
        bool is_public = address_is_public(&address->addr);
        if (!transfer->decided)
            getting->is_public = is_public;
        transfer->decided = true;
        if (!is_public && (getting->request->guarded || getting->is_public)) {
            transfer->code = refuse_private(transfer, "the address that its name has");
            return CURL_SOCKET_BAD;
        }
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static char *url_part(const char *url, CURLUPart part)
{
    char *text = NULL, *copy = NULL;
    CURLU *parsed = curl_url();
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        copy = strdup(text);
    curl_free(text);
    curl_url_cleanup(parsed);
    return copy;
}

static void set_proxy(struct transfer *transfer, const char *host)
{
    const struct get_request *request = transfer->getting->request;
    transfer->by_proxy = request->proxy && *request->proxy && !get_is_exempt(request->no_proxy, host);
    curl_easy_setopt(transfer->handle, CURLOPT_PROXY, transfer->by_proxy ? request->proxy : "");
    if (transfer->by_proxy && !transfer->decided) { /* nobody here sees the address */
        transfer->getting->is_public = host_is_public(host);
        transfer->decided = true;
    }
}

/* The headers are for the origin that they were meant for, and nobody else. */
static int aim(struct transfer *transfer, const char *url)
{
    const struct get_request *request = transfer->getting->request;
    _cleanup_free_ char *host = url_part(url, CURLUPART_HOST), *port = url_part(url, CURLUPART_PORT),
                        *first = url_part(request->url, CURLUPART_HOST),
                        *first_port = url_part(request->url, CURLUPART_PORT);
    if (!host || !port || !first || !first_port)
        return error_set(transfer->error, -EINVAL, "%s is not an address", url);
    bool same = strcasecmp(host, first) == 0 && strcmp(port, first_port) == 0;
    set_proxy(transfer, host);
    if (!host_is_public(host) && (request->guarded || (!same && transfer->getting->is_public)))
        return refuse_private(transfer, host);
    curl_easy_setopt(transfer->handle, CURLOPT_URL, url);
    curl_easy_setopt(transfer->handle, CURLOPT_HTTPHEADER, same ? transfer->headers : transfer->condition);
    return 0;
}

/* Whom to believe. A libcurl whose TLS cannot do one of these says so here, and would speak to anybody. */
static bool set_trust(CURL *handle, const struct get_request *request)
{
    const CURLcode codes[] = {
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, request->plain ? "https,http" : "https"),
        curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(handle, CURLOPT_CAINFO, GET_CA_PATH),
        curl_easy_setopt(handle, CURLOPT_PROXY_CAINFO, GET_CA_PATH),
        request->crl ? curl_easy_setopt(handle, CURLOPT_CRLFILE, GET_CRL_PATH) : CURLE_OK,
        request->crl ? curl_easy_setopt(handle, CURLOPT_PROXY_CRLFILE, GET_CRL_PATH) : CURLE_OK,
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (codes[i] != CURLE_OK)
            return false;
    /* Where there is no such thing there is nothing to unset. */
    curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(handle, CURLOPT_PROXY_CAPATH, NULL);
    return true;
}

struct transfer *transfer_new(struct getting *getting, struct error *error)
{
    const struct get_request *request = getting->request;
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer || !(transfer->handle = curl_easy_init())) {
        free(transfer);
        error_set(error, -ENOMEM, "cannot begin to speak to servers");
        return NULL;
    }
    CURL *handle = transfer->handle;
    transfer->getting = getting;
    if (!set_trust(handle, request)) {
        transfer_free(transfer);
        error_set(error, -EOPNOTSUPP, "this host's libcurl cannot check servers as it must");
        return NULL;
    }
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
    curl_easy_setopt(handle, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "fpsync/" FPSYNC_VERSION);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIME);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, SLOW);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)((request->stall + 999) / 1000));
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer->text);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_NOBODY, request->head ? 1L : 0L);
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return;
    curl_easy_cleanup(transfer->handle);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->condition);
    free(transfer);
}

/* ---- what became of it ---- */

static const struct {
    CURLcode code;
    int error;
    bool passing;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, true},
    {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, true},
    {CURLE_COULDNT_CONNECT, -ECONNREFUSED, true},
    {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, true},
    {CURLE_PARTIAL_FILE, -EIO, true},
    {CURLE_GOT_NOTHING, -EIO, true},
    {CURLE_SEND_ERROR, -EIO, true},
    {CURLE_RECV_ERROR, -EIO, true},
    {CURLE_SSL_CONNECT_ERROR, -EPROTO, true},
    {CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED, false},
    {CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED, false},
    {CURLE_SSL_CRL_BADFILE, -EINVAL, false},
    {CURLE_SSL_ISSUER_ERROR, -EKEYREJECTED, false},
    {CURLE_UNSUPPORTED_PROTOCOL, -EINVAL, false},
    {CURLE_URL_MALFORMAT, -EINVAL, false},
};

/* A host whose clock is wrong takes good certificates for old ones, or for ones to come; and of a revoked one GnuTLS has
 * libcurl say no more than of others. */
static void add_reasons(struct transfer *transfer)
{
    char day[32];
    time_t now = time(NULL);
    struct tm parts;
    size_t length = strlen(transfer->text);
    if (gmtime_r(&now, &parts) && strftime(day, sizeof(day), "%Y-%m-%d %H:%M", &parts))
        snprintf(transfer->text + length, sizeof(transfer->text) - length,
                 " (this host's clock says %s UTC%s)", day,
                 transfer->getting->request->crl ? "; a list of `crl` may have revoked it" : "");
}

static int failed(struct transfer *transfer, CURLcode code, bool *passing)
{
    int result = -EIO;
    if (transfer->code < 0) /* by a callback, which has said why */
        return transfer->code;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if (failures[i].code == code) {
            result = failures[i].error;
            *passing = failures[i].passing;
        }
    if (result == -EKEYREJECTED)
        add_reasons(transfer);
    if (code == CURLE_SSL_CRL_BADFILE) /* whose path is one of the sandbox */
        return error_set(transfer->error, result, "`crl` of fpsync.conf: expected revocation lists (PEM)");
    return error_set(transfer->error, result, "%s",
                     *transfer->text ? transfer->text : curl_easy_strerror(code));
}

static int refused(struct transfer *transfer, bool *passing)
{
    long status = transfer->getting->status;
    *passing = status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    int code = status == 401 || status == 403   ? -EACCES
               : status == 404 || status == 410 ? -ENOENT
               : *passing                       ? -EAGAIN
                                                : -EREMOTEIO;
    return error_set(transfer->error, code, "the server answers with status %ld%s", status,
                     status == 404   ? " (not found)"
                     : status == 403 ? " (forbidden)"
                     : status == 401 ? " (needs a login)"
                     : status == 429 ? " (too many requests)"
                                     : "");
}

/* The part that is missing is of length 0: all is there already (RFC 9110, 15.5.17). */
static int ended(struct transfer *transfer, bool *passing)
{
    struct getting *getting = transfer->getting;
    curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &getting->status);
    if (getting->status == 416 && getting->stored && transfer->whole == getting->stored) {
        getting->total = getting->stored;
        return 0;
    }
    if (getting->status == 416)
        return error_set(transfer->error, -ESTALE, "the file changed on the server meanwhile");
    if (getting->status != 200 && getting->status != 206)
        return refused(transfer, passing);
    snprintf(getting->version, sizeof(getting->version), "%s",
             transfer->has_etag ? transfer->validator : transfer->modified);
    if (getting->request->head)
        return 0;
    int result = transfer->begun ? 0 : begin(transfer); /* an empty body */
    if (result == 0 && getting->total >= 0 && getting->total != getting->stored) {
        *passing = true;
        result = error_set(transfer->error, -EIO, "%lld bytes came instead of %lld",
                           (long long)getting->stored, (long long)getting->total);
    }
    return result;
}

static int ask_for_rest(struct transfer *transfer)
{
    const struct getting *getting = transfer->getting;
    char range[32], condition[sizeof(getting->validator) + 16];
    curl_easy_setopt(transfer->handle, CURLOPT_RANGE, NULL);
    if (!getting->stored)
        return 0;
    if (!*getting->validator)
        return start_anew(transfer);
    snprintf(range, sizeof(range), "%lld-", (long long)getting->stored);
    snprintf(condition, sizeof(condition), "If-Range: %s", getting->validator);
    curl_easy_setopt(transfer->handle, CURLOPT_RANGE, range);
    transfer->headers = curl_slist_append(transfer->headers, condition);
    transfer->condition = curl_slist_append(transfer->condition, condition);
    return transfer->headers && transfer->condition ? 0
                                                    : error_set(transfer->error, -ENOMEM, "out of memory");
}

static int make_headers(struct transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->condition);
    transfer->headers = transfer->condition = NULL;
    for (const char **header = transfer->getting->request->headers; *header; header++)
        transfer->headers = curl_slist_append(transfer->headers, *header);
    return ask_for_rest(transfer);
}

static int run(struct transfer *transfer, bool *passing)
{
    _cleanup_free_ char *url = strdup(transfer->getting->request->url);
    for (int redirects = 0; url; redirects++) {
        int result = aim(transfer, url);
        if (result < 0)
            return result;
        forget_answer(transfer);
        *transfer->text = '\0';
        CURLcode code = curl_easy_perform(transfer->handle);
        if (code != CURLE_OK && !transfer->answered)
            return failed(transfer, code, passing);
        char *next = NULL;
        curl_easy_getinfo(transfer->handle, CURLINFO_REDIRECT_URL, &next);
        if (!next)
            return ended(transfer, passing);
        if (redirects == REDIRECT_LIMIT)
            return error_set(transfer->error, -ELOOP, "the server redirects more than %d times",
                             REDIRECT_LIMIT);
        if (strncasecmp(next, "https://", 8) != 0)
            return error_set(transfer->error, -EACCES,
                             "the server redirects to %.200s, which is not https://", next);
        free(url);
        url = strdup(next);
    }
    return error_set(transfer->error, -ENOMEM, "out of memory");
}

int transfer_run(struct transfer *transfer, bool *passing, struct error *error)
{
    *passing = false;
    transfer->error = error;
    transfer->code = 0;
    int result = make_headers(transfer);
    return result < 0 ? result : run(transfer, passing);
}
