/* Reading a backup: beside the store, sound by its digest and its shape, and then in place. */
#include "drivers/storage/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/archive_internal.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define UNPACKED ".restore"
#define VERIFIED ".restore-verified" /* the same, once all of it is known to be sound */
#define DIGEST   ".digest"           /* in it: of which backup */

static const char *const folders[] = {"secrets", "images", "layers", "volumes"};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

/* Hands all on (`to` -1: to nobody) but the last line, which is compared with the digest of what was handed on. */
static int take_in(int from, int to, char digest_text[static DIGEST_TEXT_SIZE], const struct call *call,
                   struct error *error)
{
    _cleanup_free_ char *bytes = malloc(ARCHIVE_CHUNK + ARCHIVE_TRAILER);
    _cleanup_digest_ struct digest *digest = digest_new();
    char wanted[ARCHIVE_TRAILER + 1];
    size_t kept = 0;
    int64_t total = 0;
    int result = bytes ? 0 : -ENOMEM;
    while (result == 0) {
        ssize_t got = archive_get(from, bytes + kept, ARCHIVE_CHUNK);
        if (got <= 0) {
            result = (int)got;
            break;
        }
        kept += (size_t)got;
        size_t surplus = kept > ARCHIVE_TRAILER ? kept - ARCHIVE_TRAILER : 0;
        digest_add(digest, bytes, surplus);
        result = to < 0 ? 0 : bytes_write(to, bytes, surplus);
        memmove(bytes, bytes + surplus, kept - surplus);
        kept -= surplus;
        archive_tell(call, "read:", total, total + got);
        total += got;
        result = result < 0 ? result : call_check(call);
    }
    digest_finish(digest, digest_text);
    archive_trailer(digest_text, wanted);
    if (result < 0 && result != -EPIPE)
        return error_errno(error, result, "cannot read the backup");
    return result == 0 && kept == ARCHIVE_TRAILER && memcmp(bytes, wanted, ARCHIVE_TRAILER) == 0
               ? 0
               : error_set(error, -EBADMSG, "the backup is damaged or cut off: its digest does not match");
}

static int check_no_record(const struct paths *paths, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/data.mdb", paths->state);
    return access(path, F_OK) < 0
               ? 0
               : error_set(error, -EEXIST, "%s is there already: a backup is read into an empty root", path);
}

static int check_empty(const struct paths *paths, int store, struct error *error)
{
    int result = check_no_record(paths, error);
    if (result < 0)
        return result;
    for (size_t i = 0; i < FOLDERS; i++)
        if (unlinkat(store, folders[i], AT_REMOVEDIR) < 0 && errno != ENOENT)
            return error_errno(error, errno == ENOTEMPTY ? -EEXIST : -errno,
                               "%s/%s: a backup is read into an empty root", paths->store, folders[i]);
    return 0;
}

static int unpack(const struct paths *paths, const char *file, char digest[static DIGEST_TEXT_SIZE],
                  const struct call *call, struct error *error)
{
    const char *target = arena_printf(call->arena, "%s/" UNPACKED, paths->store);
    const char *const arguments[] = {"tar",
                                     "--extract",
                                     "--file=-",
                                     "--ignore-zeros", /* several archives, one behind the other */
                                     "--numeric-owner",
                                     "--same-owner",
                                     "--same-permissions",
                                     "--delay-directory-restore",
                                     "--acls",
                                     "--xattrs",
                                     "--xattrs-include=*",
                                     "-C",
                                     target,
                                     NULL};
    _cleanup_close_ int source = open(file, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return error_errno(error, -errno, "cannot open %s", file);
    if (mkdir(target, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", target);
    struct archive_tar tar;
    int result = archive_tar_start(arguments, true, &tar, error);
    if (result < 0)
        return result;
    result = take_in(source, tar.stream, digest, call, error);
    int ended = archive_tar_end(&tar, result < 0, result < 0 ? NULL : error);
    return result < 0 ? result : ended;
}

static int check_note(int store, struct error *error)
{
    _cleanup_buffer_ struct buffer note = {0};
    int result = buffer_read_file(&note, store, UNPACKED "/" ARCHIVE_NOTE, 4096, error);
    if (result < 0)
        return result;
    return note.bytes && (strcmp(note.bytes, ARCHIVE_NOTE_TEXT) == 0 ||
                          strcmp(note.bytes, ARCHIVE_NOTE_TEXT_1) == 0)
               ? 0
               : error_set(error, -EPROTO, "it is not a backup that this version can read");
}

/* -EBADMSG unless it is of that type; 0 when it is not there. */
static int check_type(int store, const char *name, mode_t type, struct error *error)
{
    struct stat status;
    if (fstatat(store, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    return (status.st_mode & S_IFMT) == type
               ? 0
               : error_set(error, -EBADMSG, "the backup is damaged or forged: %s is no %s",
                           name + strlen(UNPACKED "/"), type == S_IFDIR ? "folder" : "plain file");
}

/* What was unpacked may be somebody's who wants our files elsewhere: no link gets a place of ours. */
static int check_types(int store, struct error *error)
{
    char name[64];
    int result = check_type(store, UNPACKED "/state", S_IFDIR, error);
    if (result == 0)
        result = check_type(store, UNPACKED "/state/data.mdb", S_IFREG, error);
    for (size_t i = 0; result == 0 && i < FOLDERS; i++) {
        snprintf(name, sizeof(name), UNPACKED "/%s", folders[i]);
        result = check_type(store, name, S_IFDIR, error);
    }
    return result;
}

/* What lies in the store is kept from the host's users by the modes of its folders alone, and what lies in `secrets` by its
 * own, too: of those nobody else's word is taken. */
static int own(int folder, const char *name, mode_t mode, struct error *error)
{
    _cleanup_close_ int there = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC); /* opens no device */
    struct stat status;
    if (there < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    if (fstat(there, &status) == 0 && !S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        return error_set(error, -EBADMSG, "the backup is damaged or forged: %s is no plain file", name);
    _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, mode) < 0 ? error_errno(error, -errno, "%s", name)
                                                                  : 0;
}

static int own_secrets(int store, struct error *error)
{
    int fd = openat(store, UNPACKED "/secrets", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;
    if (!folder)
        return fd < 0 && errno == ENOENT ? 0 : error_errno(error, -errno, "secrets");
    for (struct dirent *entry; result == 0 && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = own(fd, entry->d_name, 0600, error);
    closedir(folder);
    return result;
}

static int own_all(int store, struct error *error)
{
    char name[64];
    int result = own_secrets(store, error);
    for (size_t i = 0; result == 0 && i < FOLDERS; i++) {
        snprintf(name, sizeof(name), UNPACKED "/%s", folders[i]);
        result = own(store, name, 0700, error);
    }
    return result < 0 ? result : own(store, UNPACKED "/state/data.mdb", 0600, error);
}

/* As after a run that did not end well (state/state.h): the record is checked before it is believed. */
static int mark_doubtful(const struct paths *paths)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/open", paths->state);
    _cleanup_close_ int mark = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return mark < 0 ? -errno : 0;
}

/* Which backup it is, for one that is interrupted from here on. */
static int note_digest(int store, const char *digest, struct error *error)
{
    int result = tree_remove(store, UNPACKED "/" DIGEST, error);
    if (result < 0)
        return result;
    _cleanup_close_ int fd =
        openat(store, UNPACKED "/" DIGEST, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    result = fd < 0 ? -errno : bytes_write(fd, digest, strlen(digest));
    return result < 0 ? error_errno(error, result, "cannot write what was read") : 0;
}

/* The record last: without it the root counts as empty, and this can be asked again. What is in place by then is of the
 * same backup, or this fails: a folder that holds something is never replaced, and no record either. */
static int put_in_place(const struct paths *paths, int store, struct error *error)
{
    char from[64], path[PATH_MAX];
    if (faccessat(store, VERIFIED "/state/data.mdb", F_OK, 0) == 0 && check_no_record(paths, error) < 0)
        return error->code;
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(from, sizeof(from), VERIFIED "/%s", folders[i]);
        if (faccessat(store, from, F_OK, 0) < 0)
            continue;
        if ((unlinkat(store, folders[i], AT_REMOVEDIR) < 0 && errno != ENOENT) ||
            renameat(store, from, store, folders[i]) < 0)
            return error_errno(error, -errno, "cannot put %s in place", folders[i]);
    }
    snprintf(path, sizeof(path), "%s/data.mdb", paths->state);
    if (fsync(store) < 0 || (mkdir(paths->state, 0700) < 0 && errno != EEXIST) || mark_doubtful(paths) < 0 ||
        (renameat(store, VERIFIED "/state/data.mdb", AT_FDCWD, path) < 0 && errno != ENOENT))
        return error_errno(error, -errno, "cannot put the record in place");
    return tree_remove(store, VERIFIED, error);
}

/* The digest that the file's last line says; of a stream, which has no end to look at, it is all read. */
static int digest_of_backup(const char *file, char digest[static DIGEST_TEXT_SIZE], const struct call *call,
                            struct error *error)
{
    char line[ARCHIVE_TRAILER], wanted[ARCHIVE_TRAILER + 1];
    struct stat status;
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(error, -errno, "cannot open %s", file);
    if (!S_ISREG(status.st_mode))
        return take_in(fd, -1, digest, call, error);
    ssize_t got = pread(fd, line, sizeof(line), status.st_size - (off_t)sizeof(line));
    memcpy(digest, line + sizeof(ARCHIVE_LABEL) - 1, DIGEST_TEXT_SIZE - 1);
    digest[DIGEST_TEXT_SIZE - 1] = '\0';
    archive_trailer(digest, wanted);
    return got == (ssize_t)sizeof(line) && memcmp(line, wanted, sizeof(line)) == 0
               ? 0
               : error_set(error, -EBADMSG,
                           "the backup is damaged or cut off: it does not end with its digest");
}

/* An earlier run verified a backup and was interrupted before all of it was in place. 1: it was this one, and now it is;
 * 0: nothing of it is in place, and so any can be read. */
static int take_up(const struct paths *paths, int store, const struct archive *request,
                   const struct call *call, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    _cleanup_buffer_ struct buffer noted = {0};
    struct error ignored;
    if (check_empty(paths, store, &ignored) == 0)
        return 0;
    int result = digest_of_backup(request->file, digest, call, error);
    if (result < 0)
        return result;
    if (buffer_read_file(&noted, store, VERIFIED "/" DIGEST, 4096, NULL) < 0 || !noted.length ||
        strcmp(noted.bytes, digest) != 0)
        return error_set(error, -EEXIST,
                         "the restore of another backup was interrupted, and a part of it is in %s: run it "
                         "again to its end, or empty the root",
                         paths->store);
    result = put_in_place(paths, store, error);
    return result < 0 ? result : 1;
}

static int read_all(const struct paths *paths, int store, const struct archive *request,
                    const struct call *call, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];
    int result = check_empty(paths, store, error);
    if (result == 0)
        result = tree_remove(store, UNPACKED, error);
    if (result == 0)
        result = unpack(paths, request->file, digest, call, error);
    if (result == 0)
        result = check_note(store, error);
    if (result == 0)
        result = check_types(store, error);
    if (result == 0)
        result = own_all(store, error);
    if (result == 0)
        result = note_digest(store, digest, error);
    if (result == 0)
        result = tree_remove(store, VERIFIED, error); /* of another, with nothing in place */
    if (result == 0 && (syncfs(store) < 0 || renameat(store, UNPACKED, store, VERIFIED) < 0))
        result = error_errno(error, -errno, "cannot write what was read");
    if (result < 0)
        tree_remove(store, UNPACKED, NULL);
    return result;
}

int archive_read(const struct paths *paths, const struct archive *request, const struct call *call,
                 struct error *error)
{
    _cleanup_close_ int store = open(paths->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store < 0)
        return error_errno(error, -errno, "%s", paths->store);
    int result = faccessat(store, VERIFIED, F_OK, 0) == 0 ? take_up(paths, store, request, call, error) : 0;
    if (result != 0)
        return result < 0 ? result : 0;
    result = read_all(paths, store, request, call, error);
    return result < 0 ? result : put_in_place(paths, store, error);
}
