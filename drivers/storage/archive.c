#include "drivers/storage/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/storage/still.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

#define TAR  "/bin/tar"
#define NOTE ".backup"
#define NOTE_TEXT                                                                                            \
    "fpsync backup 2\n" /* the number of the layout: one archive, or (2) several behind each other */
#define NOTE_TEXT_1  "fpsync backup 1\n"
#define UNPACKED     ".restore"
#define VERIFIED     ".restore-verified" /* the same, once all of it is known to be sound */
#define LABEL        "fpsync-backup-sha256 "
#define TRAILER_SIZE (sizeof(LABEL) - 1 + DIGEST_TEXT_SIZE) /* with a newline for the NUL */
#define CHUNK        ((size_t)256 * 1024)
#define TELL_EVERY   (64LL << 20) /* bytes */

static const char *const folders[] = {"secrets", "images", "layers", "volumes"};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

struct tar {
    pid_t pid;
    int stream; /* what it writes, or reads */
};

/* `arguments` without the program. Its own words go where ours go. */
static int start_tar(const char *const *arguments, bool reads, struct tar *tar, struct error *error)
{
    static char *const environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[reads ? 0 : 1], reads ? 0 : 1);
    if (!reads)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    int result = posix_spawn(&tar->pid, TAR, &actions, NULL, (char *const *)arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[reads ? 0 : 1]);
    tar->stream = ends[reads ? 1 : 0];
    if (result == 0)
        return 0;
    close(tar->stream);
    return error_errno(error, -result, "cannot run %s", TAR);
}

static int end_tar(struct tar *tar, bool early, struct error *error)
{
    int status = 0;
    if (early)
        kill(tar->pid, SIGKILL);
    close(tar->stream);
    while (waitpid(tar->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return early || (WIFEXITED(status) && WEXITSTATUS(status) == 0)
               ? 0
               : error_set(error, -EIO, "tar ended with status %d",
                           WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno != EINTR)
            return -errno;
        bytes += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static ssize_t read_some(int fd, char *bytes, size_t size)
{
    ssize_t got;
    do {
        got = read(fd, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static void tell(const struct call *call, const char *what, int64_t before, int64_t now)
{
    char line[64];
    if (!call->progress || before / TELL_EVERY == now / TELL_EVERY)
        return;
    snprintf(line, sizeof(line), "%s %lld MiB", what, (long long)(now >> 20));
    call->progress(call->context, line);
}

/* ---- writing ---- */

struct output {
    int fd;
    struct digest *digest; /* of what has been written */
    int64_t total;         /* bytes of it */
    const struct call *call;
};

/* Bytes of one archive. */
static int pass_on(int from, struct output *output, struct error *error)
{
    _cleanup_free_ char *bytes = malloc(CHUNK);
    ssize_t got = bytes ? 1 : -ENOMEM;
    int result = 0;
    while (got > 0 && result == 0) {
        got = read_some(from, bytes, CHUNK);
        if (got <= 0)
            break;
        digest_add(output->digest, bytes, (size_t)got);
        result = write_all(output->fd, bytes, (size_t)got);
        tell(output->call, "written:", output->total, output->total + got);
        output->total += got;
        result = result < 0 ? result : call_check(output->call);
    }
    result = got < 0 ? (int)got : result;
    return result < 0 ? error_errno(error, result, "cannot write the backup") : 0;
}

/* Behind all archives the line with the digest of them. */
static int write_trailer(struct output *output, struct error *error)
{
    char text[DIGEST_TEXT_SIZE], trailer[TRAILER_SIZE + 1];
    digest_finish(TAKE_PTR(output->digest), text);
    snprintf(trailer, sizeof(trailer), LABEL "%s\n", text);
    int result = write_all(output->fd, trailer, TRAILER_SIZE);
    return result < 0 ? error_errno(error, result, "cannot write the backup") : 0;
}

static int write_note(const char *store, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" NOTE, store);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : write_all(fd, NOTE_TEXT, strlen(NOTE_TEXT));
    return result < 0 ? error_errno(error, result, "%s", path) : 0;
}

struct arguments {
    const struct paths *paths;
    struct arena *arena;
    const char **items;
    size_t count;
};

static void add_argument(struct arguments *arguments, const char *word)
{
    *arena_append(arguments->arena, arguments->items, arguments->count) = word;
}

/* Not bound to one file system: subvolumes look like others, and nothing of ours is mounted below the store on the host. */
static struct arguments new_arguments(const struct paths *paths, struct arena *arena)
{
    static const char *const words[] = {"tar",
                                        "--create",
                                        "--file=-",
                                        "--format=posix",
                                        "--numeric-owner",
                                        "--sparse",
                                        "--acls",
                                        "--xattrs",
                                        "--xattrs-include=*",
                                        "--warning=no-file-ignored",  /* sockets */
                                        "--no-wildcards-match-slash", /* a guest's own names may begin so */
                                        "--exclude=./*/.tmp-*",
                                        "-C"};
    struct arguments arguments = {.paths = paths, .arena = arena};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        add_argument(&arguments, words[i]);
    add_argument(&arguments, paths->store);
    return arguments;
}

/* "./layers/NAME", where it is there. */
static void add_file(struct arguments *arguments, const char *folder, const char *name)
{
    const char *path = arena_printf(arguments->arena, "./%s%s%s", folder, name ? "/" : "", name ? name : "");
    if (access(arena_printf(arguments->arena, "%s/%s", arguments->paths->store, path), F_OK) == 0)
        add_argument(arguments, path);
}

static int write_tar(struct arguments *arguments, struct output *output, struct error *error)
{
    struct tar tar;
    add_argument(arguments, NULL);
    int result = start_tar(arguments->items, false, &tar, error);
    if (result < 0)
        return result;
    result = pass_on(tar.stream, output, error);
    int ended = end_tar(&tar, result < 0, result < 0 ? NULL : error);
    return result < 0 ? result : ended;
}

static bool is_in(const struct texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static bool is_in_part(const struct archive *request, bool layer, const char *name)
{
    for (size_t i = 0; i < request->parts.count; i++) {
        const struct archive_part *part = request->parts.items[i];
        if (is_in(layer ? &part->layers : &part->volumes, name))
            return true;
    }
    return false;
}

/* What a store holds beside the parts: the folder itself, then name by name. */
static int add_rest(struct arguments *arguments, const struct archive *request, const char *folder,
                    struct error *error)
{
    const char *path = arena_printf(arguments->arena, "%s/%s", arguments->paths->store, folder);
    DIR *names = opendir(path);
    if (!names)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", path);
    add_argument(arguments, "--no-recursion");
    add_file(arguments, folder, NULL);
    add_argument(arguments, "--recursion");
    for (struct dirent *entry; (entry = readdir(names));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strncmp(entry->d_name, ".tmp-", strlen(".tmp-")) != 0 &&
            !is_in_part(request, strcmp(folder, "layers") == 0, entry->d_name))
            add_file(arguments, folder, arena_strdup(arguments->arena, entry->d_name));
    closedir(names);
    return 0;
}

/* Once before they stand, so that there is little left to write while they do. */
static int hold(struct still *still, const struct list *guests, struct arena *arena, struct error *error)
{
    if (guests->count)
        sync();
    int result = still_hold(still, guests, arena, error);
    if (result == 0)
        sync(); /* file systems in files, too */
    return result;
}

/* Images and records do not change while we hold the lock; of all else nobody writes to it who is not in `guests`. */
static int write_base(const struct paths *paths, const struct archive *request, struct output *output,
                      struct error *error)
{
    struct arguments arguments = new_arguments(paths, output->call->arena);
    _cleanup_still_ struct still still = NOT_STILL;
    int result = hold(&still, &request->guests, output->call->arena, error);
    if (result < 0)
        return result;
    add_argument(&arguments, "./" NOTE);
    add_file(&arguments, "secrets", NULL);
    add_file(&arguments, "images", NULL);
    result = add_rest(&arguments, request, "layers", error);
    if (result == 0)
        result = add_rest(&arguments, request, "volumes", error);
    add_argument(&arguments, "./state/data.mdb");
    return result < 0 ? result : write_tar(&arguments, output, error);
}

static int write_part(const struct paths *paths, const struct archive_part *part, struct output *output,
                      struct error *error)
{
    struct arguments arguments = new_arguments(paths, output->call->arena);
    const size_t before = arguments.count;
    for (size_t i = 0; i < part->layers.count; i++)
        add_file(&arguments, "layers", part->layers.items[i]);
    for (size_t i = 0; i < part->volumes.count; i++)
        add_file(&arguments, "volumes", part->volumes.items[i]);
    if (arguments.count == before)
        return 0;
    _cleanup_still_ struct still still = NOT_STILL;
    int result = hold(&still, &part->guests, output->call->arena, error);
    return result < 0 ? result : write_tar(&arguments, output, error);
}

static int write_all_parts(const struct paths *paths, const struct archive *request, struct output *output,
                           struct error *error)
{
    int result = write_note(paths->store, error);
    if (result == 0)
        result = write_base(paths, request, output, error);
    for (size_t i = 0; result == 0 && i < request->parts.count; i++)
        result = write_part(paths, request->parts.items[i], output, error);
    return result < 0 ? result : write_trailer(output, error);
}

/* "/proc/PID/fd/1" is somebody's open output: there is nothing to rename. */
static bool is_stream(const char *file)
{
    return strncmp(file, "/proc/", strlen("/proc/")) == 0;
}

int archive_write(const struct paths *paths, const struct archive *request, const struct call *call,
                  struct error *error)
{
    bool stream = is_stream(request->file);
    const char *part = stream ? request->file : arena_printf(call->arena, "%s.part", request->file);
    _cleanup_close_ int target = open(
        part, stream ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return error_errno(error, -errno, "cannot open %s", part);
    struct output output = {.fd = target, .digest = digest_new(), .call = call};
    int result = write_all_parts(paths, request, &output, error);
    digest_free(output.digest);
    if (result == 0 && !stream && (fsync(target) < 0 || rename(part, request->file) < 0))
        result = error_errno(error, -errno, "cannot write %s", request->file);
    if (result < 0 && !stream)
        unlink(part);
    unlink(arena_printf(call->arena, "%s/" NOTE, paths->store));
    return result;
}

/* ---- reading ---- */

/* Hands all on but the last line, which is compared with the digest of what was handed on. */
static int take_in(int from, int to, const struct call *call, struct error *error)
{
    _cleanup_free_ char *bytes = malloc(CHUNK + TRAILER_SIZE);
    _cleanup_digest_ struct digest *digest = digest_new();
    char text[DIGEST_TEXT_SIZE], wanted[TRAILER_SIZE + 1];
    size_t kept = 0;
    int64_t total = 0;
    int result = bytes ? 0 : -ENOMEM;
    while (result == 0) {
        ssize_t got = read_some(from, bytes + kept, CHUNK);
        if (got <= 0) {
            result = (int)got;
            break;
        }
        kept += (size_t)got;
        size_t surplus = kept > TRAILER_SIZE ? kept - TRAILER_SIZE : 0;
        digest_add(digest, bytes, surplus);
        result = write_all(to, bytes, surplus);
        memmove(bytes, bytes + surplus, kept - surplus);
        kept -= surplus;
        tell(call, "read:", total, total + got);
        total += got;
        result = result < 0 ? result : call_check(call);
    }
    digest_finish(digest, text);
    snprintf(wanted, sizeof(wanted), LABEL "%s\n", text);
    if (result < 0 && result != -EPIPE)
        return error_errno(error, result, "cannot read the backup");
    return result == 0 && kept == TRAILER_SIZE && memcmp(bytes, wanted, TRAILER_SIZE) == 0
               ? 0
               : error_set(error, -EBADMSG, "the backup is damaged or cut off: its digest does not match");
}

static int check_empty(const struct paths *paths, struct error *error)
{
    char path[PATH_MAX];
    int store = open(paths->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int folder = store;
    if (folder < 0)
        return error_errno(error, -errno, "%s", paths->store);
    snprintf(path, sizeof(path), "%s/data.mdb", paths->state);
    if (access(path, F_OK) == 0)
        return error_set(error, -EEXIST, "%s is there already: a backup is read into an empty root", path);
    for (size_t i = 0; i < FOLDERS; i++)
        if (unlinkat(folder, folders[i], AT_REMOVEDIR) < 0 && errno != ENOENT)
            return error_errno(error, errno == ENOTEMPTY ? -EEXIST : -errno,
                               "%s/%s: a backup is read into an empty root", paths->store, folders[i]);
    return 0;
}

static int unpack(const struct paths *paths, const char *file, const struct call *call, struct error *error)
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
    struct tar tar;
    int result = start_tar(arguments, true, &tar, error);
    if (result < 0)
        return result;
    result = take_in(source, tar.stream, call, error);
    int ended = end_tar(&tar, result < 0, result < 0 ? NULL : error);
    return result < 0 ? result : ended;
}

static int check_note(int store, struct error *error)
{
    _cleanup_buffer_ struct buffer note = {0};
    int result = buffer_read_file(&note, store, UNPACKED "/" NOTE, 4096, error);
    if (result < 0)
        return result;
    return note.bytes && (strcmp(note.bytes, NOTE_TEXT) == 0 || strcmp(note.bytes, NOTE_TEXT_1) == 0)
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
    _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", name);
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        return error_set(error, -EBADMSG, "the backup is damaged or forged: %s is no plain file", name);
    return fchown(fd, 0, 0) < 0 || fchmod(fd, mode) < 0 ? error_errno(error, -errno, "%s", name) : 0;
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

/* The record last: without it the root counts as empty, and this can be asked again. */
static int put_in_place(const struct paths *paths, int store, struct error *error)
{
    char from[64], path[PATH_MAX];
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

int archive_read(const struct paths *paths, const struct archive *request, const struct call *call,
                 struct error *error)
{
    _cleanup_close_ int store = open(paths->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store < 0)
        return error_errno(error, -errno, "%s", paths->store);
    if (faccessat(store, VERIFIED, F_OK, 0) == 0)
        return put_in_place(paths, store, error);
    int result = check_empty(paths, error);
    if (result == 0)
        result = tree_remove(store, UNPACKED, error);
    if (result == 0)
        result = unpack(paths, request->file, call, error);
    if (result == 0)
        result = check_note(store, error);
    if (result == 0)
        result = check_types(store, error);
    if (result == 0)
        result = own_all(store, error);
    if (result == 0 && (syncfs(store) < 0 || renameat(store, UNPACKED, store, VERIFIED) < 0))
        result = error_errno(error, -errno, "cannot write what was read");
    if (result == 0)
        return put_in_place(paths, store, error);
    tree_remove(store, UNPACKED, NULL);
    return result;
}
