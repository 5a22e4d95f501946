/* Signatures of GPG: by gpg(1) with a fixed argv. The secret key stays with its agent. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/program.h"
#include "drivers/image/publish.h"
#include "lib/error.h"

#define GPG        "/usr/bin/gpg"
#define KEY_LENGTH 128

struct hearing {
    char last[256];
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    snprintf(hearing->last, sizeof(hearing->last), "%s", line);
}

/* A fingerprint or number of a key, or a mail address. */
static int check_key(const char *key, struct error *error)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._+-";
    if (*key && *key != '-' && strlen(key) <= KEY_LENGTH && !key[strspn(key, letters)])
        return 0;
    return error_set(error, -EINVAL, "\"%s\" names no key of GPG: a fingerprint, or a mail address", key);
}

static int read_back(int file, struct buffer *text, struct error *error)
{
    char piece[65536];
    ssize_t got;
    for (int64_t at = 0; (got = pread(file, piece, sizeof(piece), at)) > 0; at += got)
        buffer_add(text, piece, (size_t)got);
    return got < 0 || !text->length ? error_set(error, -EIO, "cannot read what gpg wrote") : 0;
}

int publish_gpg(const struct publishing *publishing, const struct buffer *text, struct buffer *out,
                struct error *error)
{
    const struct image_publish *request = publishing->request;
    const char *home = request->gpg_home;
    struct hearing hearing = {.last = ""};
    int result = check_key(request->gpg, error);
    if (result < 0)
        return result;
    char *const arguments[] = {(char[]){GPG},
                               (char[]){"--batch"},
                               (char[]){"--no-tty"},
                               (char[]){"--quiet"},
                               (char[]){"--local-user"},
                               (char *)request->gpg,
                               (char[]){"--clearsign"},
                               home ? (char[]){"--homedir"} : NULL,
                               (char *)home,
                               NULL};
    _cleanup_close_ int input = memfd_create("text", MFD_CLOEXEC);
    _cleanup_close_ int output = memfd_create("signed", MFD_CLOEXEC);
    result = input < 0 || output < 0 ? -errno : bytes_write(input, text->bytes, text->length);
    if (result < 0 || lseek(input, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot make a file in memory");
    if (access(GPG, X_OK) < 0)
        return error_set(error, -ENOENT, GPG " is not installed: apt install gpg gpg-agent");
    const struct program run = {.arguments = arguments,
                                .input = input,
                                .target = -1,
                                .output = output,
                                .line = hear,
                                .context = &hearing};
    result = program_run(&run, publishing->call, error);
    if (result > 0)
        return error_set(error, -ENOKEY, "gpg does not sign with %s: %s", request->gpg, hearing.last);
    return result < 0 ? result : read_back(output, out, error);
}
