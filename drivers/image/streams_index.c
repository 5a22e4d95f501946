/* An index of an image server, as text that somebody vouches for: TLS, and the remote's key where it has one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/image/image.h"
#include "drivers/image/program.h"
#include "drivers/image/remote.h"
#include "drivers/image/streams_index.h"
#include "lib/error.h"
#include "lib/signature.h"

#define INDEX_LIMIT     ((int64_t)64 << 20)
#define SIGNATURE_LIMIT ((int64_t)64 << 10)
#define SETPRIV         "/usr/bin/setpriv"
#define GPGV            "/usr/bin/gpgv"

static int get(const struct image_make *request, const char *url, int64_t limit, const struct call *call,
               struct remote_answer *answer, struct buffer *body, struct error *error)
{
    const struct remote_request get = {.url = url,
                                       .ca = request->remote->ca,
                                       .limit = limit,
                                       .bounds = request->downloads,
                                       .plain = remote_is_signed(request->remote),
                                       .offline = request->offline};
    return remote_get(&get, call, answer, body, error);
}

/* minisign's file, else signify's. */
static int check_key(const struct image_make *request, const char *url, const struct call *call,
                     const struct buffer *index, struct error *error)
{
    static const char *const endings[] = {".minisig", ".sig"};
    int result = -ENOENT;
    for (size_t i = 0; i < 2 && result == -ENOENT; i++) {
        _cleanup_buffer_ struct buffer text = {0};
        struct remote_answer answer;
        const char *beside = arena_printf(call->arena, "%s%s", url, endings[i]);
        result = get(request, beside, SIGNATURE_LIMIT, call, &answer, &text, error);
        if (result == 0 && (result = signature_check(request->remote->key, text.bytes, index->bytes,
                                                     index->length, error)) < 0)
            error_wrap(error, result, "%s", url);
    }
    return result == -ENOENT
               ? error_set(error, -EKEYREJECTED,
                           "%s: remote %s has a key, and this is not signed (no .minisig, no .sig)", url,
                           request->remote->name)
               : result;
}

/* ---- gpg ---- */

struct hearing {
    char last[256];
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    snprintf(hearing->last, sizeof(hearing->last), "%s", line);
}

static int memory_file(const struct buffer *text, struct error *error)
{
    _cleanup_close_ int file = memfd_create("index", MFD_CLOEXEC);
    int result = file < 0 ? -errno : bytes_write(file, text->bytes, text->length);
    if (result < 0 || lseek(file, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot make a file in memory");
    return TAKE_FD(file);
}

static int read_back(int file, struct buffer *text, struct error *error)
{
    char piece[65536];
    ssize_t got;
    buffer_clear(text);
    buffer_text(text, "");
    for (int64_t at = 0; (got = pread(file, piece, sizeof(piece), at)) > 0; at += got)
        buffer_add(text, piece, (size_t)got);
    return got < 0 ? error_errno(error, -errno, "cannot read what gpgv wrote") : 0;
}

/* As nobody: what it parses is a stranger's. It writes the text that is signed, so that nothing beside it counts. */
static int take_signed_text(const struct image_make *request, const char *url, const struct call *call,
                            struct buffer *text, struct error *error)
{
    char *const arguments[] = {(char[]){SETPRIV},
                               (char[]){"--reuid=65534"},
                               (char[]){"--regid=65534"},
                               (char[]){"--clear-groups"},
                               (char[]){"--no-new-privs"},
                               (char[]){"--bounding-set=-all"},
                               (char[]){GPGV},
                               (char[]){"--keyring"},
                               (char *)request->remote->gpg,
                               (char[]){"--output"},
                               (char[]){"/dev/fd/3"},
                               (char[]){"/dev/stdin"},
                               NULL};
    struct hearing hearing = {.last = ""};
    _cleanup_close_ int input = memory_file(text, error);
    _cleanup_close_ int output = memfd_create("signed", MFD_CLOEXEC);
    if (input < 0 || output < 0)
        return input < 0 ? input : error_errno(error, -errno, "cannot make a file in memory");
    const struct program run = {
        .arguments = arguments, .input = input, .target = output, .line = hear, .context = &hearing};
    if (access(GPGV, X_OK) < 0)
        return error_set(error, -ENOENT, GPGV " is not installed: apt install gpgv");
    int result = program_run(&run, call, error);
    if (result > 0)
        return error_set(error, -EKEYREJECTED, "%s: gpgv does not accept the signature: %s", url,
                         hearing.last);
    return result < 0 ? result : read_back(output, text, error);
}

static const char *signed_name(const char *url, struct arena *arena)
{
    const size_t length = strlen(url), ending = strlen(".json");
    return length > ending && strcmp(url + length - ending, ".json") == 0
               ? arena_printf(arena, "%.*s.sjson", (int)(length - ending), url)
               : url;
}

int streams_index(const struct image_make *request, const char *path, const struct call *call,
                  bool *is_public, int *file, struct error *error)
{
    const struct remote *remote = request->remote;
    _cleanup_buffer_ struct buffer text = {0};
    struct remote_answer answer;
    const char *url = arena_printf(call->arena, "%s/%s", remote->url, path);
    if (remote->gpg)
        url = signed_name(url, call->arena);
    int result = get(request, url, INDEX_LIMIT, call, &answer, &text, error);
    if (result == 0 && remote->gpg)
        result = take_signed_text(request, url, call, &text, error);
    else if (result == 0 && remote->key)
        result = check_key(request, url, call, &text, error);
    if (result < 0)
        return result;
    *is_public = answer.is_public;
    *file = memory_file(&text, error);
    return *file < 0 ? *file : 0;
}
