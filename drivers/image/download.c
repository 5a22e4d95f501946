/* Downloads that can go on: below downloads/, KEY.part with what came and KEY.note with what version that is, KEY being
 * the digest of the URL. Who fetches holds a lock of the part; a part that nobody holds is a leftover, taken up by who
 * wants the same URL, or removed by gc.
 *
 * The note is removed before a server is asked and written when it has said of what version the part is, so that no
 * crash leaves a part with the note of another one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "drivers/image/remote_fetch.h"
#include "drivers/storage/data.h"
#include "lib/error.h"

#define NOTE_LIMIT 1024
#define ANEW_LIMIT 2 /* how often a file may change on the server while it comes */

struct download {
    const struct paths *paths;
    const struct remote_request *request;
    const char *wanted; /* digest; NULL */
    int folder, part;
    bool noted; /* the server has said what version the part is of */
    bool named; /* else another process fetches the same, and this file has no name */
    char key[DIGEST_TEXT_SIZE], part_name[NAME_MAX], note_name[NAME_MAX];
};

static void name_files(struct download *download)
{
    const char *url = download->request->url;
    digest_of(url, strlen(url), download->key);
    snprintf(download->part_name, sizeof(download->part_name), "%s.part", download->key);
    snprintf(download->note_name, sizeof(download->note_name), "%s.note", download->key);
}

static void remove_files(const struct download *download)
{
    if (download->named) {
        unlinkat(download->folder, download->note_name, 0);
        unlinkat(download->folder, download->part_name, 0);
    }
}

/* Who held it before may have removed it between our open and our lock: then the name leads elsewhere by now. */
static int open_named(struct download *download, struct error *error)
{
    for (int tries = 0; tries < 10; tries++) {
        struct stat named, opened;
        _cleanup_close_ int part =
            openat(download->folder, download->part_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (part < 0)
            return error_errno(error, -errno, "downloads/%s", download->part_name);
        if (flock(part, LOCK_EX | LOCK_NB) < 0)
            return 0;
        if (fstat(part, &opened) < 0 || !S_ISREG(opened.st_mode))
            return error_set(error, -EINVAL, "downloads/%s is not a file", download->part_name);
        if (fstatat(download->folder, download->part_name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            named.st_ino != opened.st_ino)
            continue;
        download->part = TAKE_FD(part);
        download->named = true;
        return 0;
    }
    return 0;
}

static int open_part(struct download *download, struct error *error)
{
    int result = folder_make(download->paths->downloads, 0700, error);
    if (result < 0)
        return result;
    download->folder = open(download->paths->downloads, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (download->folder < 0)
        return error_errno(error, -errno, "%s", download->paths->downloads);
    result = open_named(download, error);
    if (result < 0 || download->named)
        return result;
    download->part = openat(download->folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return download->part < 0 ? error_errno(error, -errno, "%s", download->paths->downloads) : 0;
}

static void write_note(void *context, const char *validator)
{
    struct download *download = context;
    download->noted = true;
    if (!download->named || !*validator)
        return;
    _cleanup_close_ int fd = openat(download->folder, download->note_name,
                                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && bytes_write(fd, validator, strlen(validator)) < 0)
        unlinkat(download->folder, download->note_name, 0); /* no note: begun anew the next time */
}

static int fetch_part(struct download *download, const struct call *call, struct remote_answer *answer,
                      struct error *error)
{
    _cleanup_buffer_ struct buffer note = {0};
    if (download->named)
        buffer_read_file(&note, download->folder, download->note_name, NOTE_LIMIT, NULL);
    unlinkat(download->folder, download->note_name, 0);
    const struct remote_fetch fetch = {
        .validator = note.bytes, .note = write_note, .context = download, .tells = true};
    download->noted = false;
    int result = remote_fetch(download->request, &fetch, download->part, call, answer, error);
    if (!download->noted && note.length) /* the part is what it was */
        write_note(download, note.bytes);
    return result;
}

static int check(const struct download *download, const struct remote_answer *answer, struct error *error)
{
    const char *url = download->request->url;
    if (!download->wanted || strcmp(download->wanted, answer->digest) == 0)
        return 0;
    return error_set(error, -EBADMSG, "%.*s: expected sha256:%s, and what came has sha256:%s",
                     (int)strcspn(url, "?"), url, download->wanted, answer->digest);
}

/* What came in several parts has one more chance in one. */
static int fetch_whole(struct download *download, const struct call *call, struct remote_answer *answer,
                       struct error *error)
{
    int result = -ESTALE;
    for (int tries = 0; tries <= ANEW_LIMIT && result == -ESTALE; tries++) {
        result = fetch_part(download, call, answer, error);
        if (result == 0 && (result = check(download, answer, error)) < 0 && answer->resumed)
            result = -ESTALE;
        if (result == -ESTALE) {
            unlinkat(download->folder, download->note_name, 0);
            if (ftruncate(download->part, 0) < 0)
                return error_errno(error, -errno, "cannot empty downloads/%s", download->part_name);
        }
    }
    return result;
}

/* What may pass leaves a part to be taken up. A full disk is no reason to keep it full. */
static bool is_worth_keeping(int result)
{
    return result == -ECANCELED || result == -ETIMEDOUT || result == -EIO || result == -EAGAIN ||
           result == -ECONNREFUSED || result == -EHOSTUNREACH || result == -EPROTO || result == -EHOSTDOWN ||
           result == -EKEYREJECTED;
}

int remote_download(const struct paths *paths, const struct remote_request *request, const char *digest,
                    const struct call *call, struct remote_answer *answer, int *file, struct error *error)
{
    struct download download = {
        .paths = paths, .request = request, .wanted = digest, .folder = -1, .part = -1};
    struct stat status;
    name_files(&download);
    int result = open_part(&download, error);
    if (result == 0)
        result = fetch_whole(&download, call, answer, error);
    if (result == 0 && lseek(download.part, 0, SEEK_SET) < 0)
        result = error_errno(error, -errno, "downloads/%s", download.part_name);
    if (result < 0 && download.part >= 0 &&
        (!is_worth_keeping(result) || (fstat(download.part, &status) == 0 && status.st_size == 0)))
        remove_files(&download);
    cleanup_close(&download.folder);
    if (result == 0)
        *file = TAKE_FD(download.part);
    cleanup_close(&download.part);
    return result;
}

void remote_drop(const struct paths *paths, const char *url)
{
    const struct remote_request request = {.url = url};
    struct download download = {.paths = paths, .request = &request, .named = true};
    name_files(&download);
    _cleanup_close_ int folder = open(paths->downloads, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    download.folder = folder;
    if (folder >= 0)
        remove_files(&download);
}

int remote_forget(const struct paths *paths, const char *key, struct error *error)
{
    char part_name[NAME_MAX], note_name[NAME_MAX];
    snprintf(part_name, sizeof(part_name), "%s.part", key);
    snprintf(note_name, sizeof(note_name), "%s.note", key);
    _cleanup_close_ int folder = open(paths->downloads, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", paths->downloads);
    _cleanup_close_ int part = openat(folder, part_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (part >= 0 && flock(part, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, -EBUSY, "downloads/%s is being fetched", part_name);
    if ((unlinkat(folder, note_name, 0) < 0 && errno != ENOENT) ||
        (unlinkat(folder, part_name, 0) < 0 && errno != ENOENT))
        return error_errno(error, -errno, "downloads/%s", part_name);
    return 0;
}
